"""The losses of whole answers, and what they tend to."""

import math

import plain
import pytest
import torch
from losses.slopes import close, slope

from unteach import losses

POLICY, BEFORE = [-3.0, -7.0, -40.0, -0.01], [-4.0, -5.0, -2.0, -0.01]
WANTED, WANTED_BEFORE = [-9.0, -2.0, -1.0, -30.0], [-6.0, -2.5, -8.0, -31.0]
LENGTHS = [1.0, 4.0, 9.0, 2.0]
BETAS = [0.01, 0.1, 1.0, 4.5]


def tensor(values, grad=False):
    return torch.tensor(values, dtype=torch.float64, requires_grad=grad)


def difference(f, x, step=1e-5):
    return (f(x + step) - f(x - step)) / (2 * step)


@pytest.mark.parametrize("beta", BETAS)
def test_npo_is_its_equation_and_its_slope(beta):
    """d/dlogps = 2 sigmoid(beta (logps - before)), that is 2 p^beta / (p^beta + p0^beta)."""
    policy = tensor(POLICY, grad=True)
    value = losses.npo(policy, tensor(BEFORE), beta=beta)
    expected = [plain.npo(a, b, beta) for a, b in zip(POLICY, BEFORE, strict=True)]
    close(value, [v for v, _ in expected])
    close(slope(value, policy), [s for _, s in expected])
    for a, b, (_, s) in zip(POLICY, BEFORE, expected, strict=True):
        found = difference(lambda x, b=b: plain.npo(x, b, beta)[0], a)
        assert found == pytest.approx(s, rel=1e-5, abs=1e-8)
        powers = math.exp(a) ** beta, math.exp(b) ** beta
        assert s == pytest.approx(2 * powers[0] / sum(powers), rel=1e-9)


def test_npo_without_beta_is_ascent():
    policy = tensor(POLICY, grad=True)
    pull = slope(losses.npo(policy, tensor(BEFORE), beta=1e-9), policy)
    close(pull, [1.0] * 4, rtol=1e-7)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("gamma", [0.0, 0.5])
def test_simnpo_is_its_equation_and_its_slope(beta, gamma):
    """d/dlogps = (2 / length) sigmoid(beta logps / length + gamma)."""
    policy = tensor(POLICY, grad=True)
    value = losses.simnpo(policy, tensor(LENGTHS), beta=beta, margin=gamma)
    rows = list(zip(POLICY, LENGTHS, strict=True))
    expected = [plain.simnpo(a, n, beta, gamma) for a, n in rows]
    close(value, [v for v, _ in expected])
    close(slope(value, policy), [s for _, s in expected])
    for (a, n), (_, s) in zip(rows, expected, strict=True):
        found = difference(lambda x, n=n: plain.simnpo(x, n, beta, gamma)[0], a)
        assert found == pytest.approx(s, rel=1e-5, abs=1e-8)


def test_simnpo_of_one_token_is_npo_to_certainty():
    """Length 1 and gamma 0: the reference's log-probability is 0."""
    policy = tensor(POLICY)
    one = losses.simnpo(policy, torch.ones(4, dtype=torch.float64), beta=0.7)
    close(one, losses.npo(policy, torch.zeros(4, dtype=torch.float64), beta=0.7))


def test_simnpo_of_an_empty_answer_is_finite():
    empty = losses.simnpo(tensor([0.0]), tensor([0.0]), beta=2.0)
    close(empty, [math.log(2)])


def test_simnpo_does_not_see_the_length_at_a_given_mean():
    values = losses.simnpo(tensor([-2.0, -8.0]), tensor([1.0, 4.0]), beta=1.0)
    assert values[0] == values[1]


@pytest.mark.parametrize("beta", BETAS)
def test_dpo_is_its_equation_and_its_slopes(beta):
    """Down the unwanted as much as up the wanted: 2 sigmoid(-beta ratio)."""
    wanted, unwanted = tensor(WANTED, grad=True), tensor(POLICY, grad=True)
    value = losses.dpo(wanted, tensor(WANTED_BEFORE), unwanted, tensor(BEFORE), beta=beta)
    four = list(zip(WANTED, WANTED_BEFORE, POLICY, BEFORE, strict=True))
    expected = [plain.dpo(*row, beta) for row in four]
    close(value, [v for v, _ in expected])
    for k, x in enumerate((wanted, unwanted)):
        close(
            torch.autograd.grad(value.sum(), x, retain_graph=True)[0], [s[k] for _, s in expected]
        )
    for (w, w0, u, u0), (_, (up, down)) in zip(four, expected, strict=True):
        found = difference(lambda x, r=(w0, u, u0): plain.dpo(x, *r, beta)[0], w)
        assert found == pytest.approx(up, rel=1e-5, abs=1e-8)
        assert up == -down


def test_dpo_without_the_wanted_answer_is_npo():
    """Its log-ratio is 0: the wanted answer is as likely as before."""
    wanted = tensor(WANTED)
    policy, before = tensor(POLICY, grad=True), tensor(BEFORE)
    ours, theirs = (
        losses.dpo(wanted, wanted, policy, before, beta=0.1),
        losses.npo(policy, before, beta=0.1),
    )
    close(ours, theirs)
    close(slope(ours, policy), slope(theirs, policy))


def test_far_pairs_stay_finite():
    far = tensor([-5000.0, 5000.0], grad=True)
    none = torch.zeros(2, dtype=torch.float64)
    for value in (
        losses.npo(far, none, beta=1.0),
        losses.simnpo(far, none + 1, beta=1.0),
        losses.dpo(none, none, far, none, beta=1.0),
    ):
        assert value.isfinite().all()
        assert slope(value, far).isfinite().all()


def test_references_get_no_gradient():
    policy, before = tensor(POLICY, grad=True), tensor(BEFORE, grad=True)
    wanted, wanted_before = tensor(WANTED, grad=True), tensor(WANTED_BEFORE, grad=True)
    total = losses.npo(policy, before, beta=1.0) + losses.dpo(
        wanted, wanted_before, policy, before, beta=1.0
    )
    total.sum().backward()
    assert before.grad is None
    assert wanted_before.grad is None
