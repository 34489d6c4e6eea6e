"""Each loss against its equation written a second time in plain Python, and its closed forms."""

import math

import pytest
import torch

from unteach import losses

V = 7


def softmax(z):
    top = max(z)
    e = [math.exp(x - top) for x in z]
    return [x / sum(e) for x in e]


@pytest.fixture
def rows():
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(12, V, generator=generator, dtype=torch.float64)
    target = torch.randint(V, (12,), generator=generator)
    return logits.requires_grad_(), target


def plain(formula, logits, target):
    return [formula(softmax(z), y) for z, y in zip(logits.tolist(), target.tolist(), strict=True)]


def hinge(p, y):
    return 1 + p[y] - max(x for v, x in enumerate(p) if v != y)


def label(p, y):
    """The Unilogit label: target at 1/V, the others in their old ratios."""
    return [1 / V if v == y else x / (1 - p[y]) * (1 - 1 / V) for v, x in enumerate(p)]


def kl(p, q):
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


FORMULAS = {
    "cross_entropy": (lambda r: losses.cross_entropy(r.log_odds), lambda p, y: -math.log(p[y])),
    "ascent": (lambda r: losses.ascent(r.log_odds), lambda p, y: math.log(p[y])),
    "inverted_hinge": (lambda r: losses.inverted_hinge(r.log_odds, r.runner_up_logp), hinge),
    "unilogit": (
        lambda r: losses.unilogit(r.log_odds, vocabulary=V),
        lambda p, y: kl(p, label(p, y)),
    ),
    "unilogit_forward": (
        lambda r: losses.unilogit(r.log_odds, vocabulary=V, direction="forward"),
        lambda p, y: kl(label(p, y), p),
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_value_is_the_equation(rows, name):
    ours, formula = FORMULAS[name]
    logits, target = rows
    found = ours(losses.token_statistics(logits, target))
    expected = plain(formula, logits, target)
    torch.testing.assert_close(found.tolist(), expected, rtol=1e-11, atol=1e-13)


def gradient(value, logits):
    return torch.autograd.grad(value.sum(), logits)[0]


def test_gradient_of_ascent_is_one_minus_p(rows):
    logits, target = rows
    found = gradient(losses.ascent(losses.token_statistics(logits, target).log_odds), logits)
    hot = torch.nn.functional.one_hot(target, V)
    torch.testing.assert_close(found, hot - logits.softmax(-1), rtol=1e-10, atol=1e-12)


def test_gradient_of_the_hinge_is_its_closed_form(rows):
    """dL/dz_y = p_y (1 - p_y + p_s), dL/dz_s = -p_s (1 - p_s + p_y), others p_v (p_s - p_y)."""
    logits, target = rows
    stats = losses.token_statistics(logits, target)
    found = gradient(losses.inverted_hinge(stats.log_odds, stats.runner_up_logp), logits)
    for row, y, z in zip(found.tolist(), target.tolist(), logits.tolist(), strict=True):
        p = softmax(z)
        s = max((v for v in range(V) if v != y), key=lambda v: p[v])
        expected = [x * (p[s] - p[y]) for x in p]
        expected[y] = p[y] * (1 - p[y] + p[s])
        expected[s] = -p[s] * (1 - p[s] + p[y])
        torch.testing.assert_close(row, expected, rtol=1e-10, atol=1e-12)


def test_gradient_of_unilogit_is_its_closed_form(rows):
    """dL/dz_j = p A (1[j=y] - p_j), A = log(pV) - log((1-p) V / (V-1))."""
    logits, target = rows
    margin = losses.token_statistics(logits, target).log_odds
    found = gradient(losses.unilogit(margin, vocabulary=V), logits)
    for row, y, z in zip(found.tolist(), target.tolist(), logits.tolist(), strict=True):
        p = softmax(z)
        a = math.log(p[y] * V) - math.log((1 - p[y]) * V / (V - 1))
        expected = [p[y] * a * ((v == y) - p[v]) for v in range(V)]
        torch.testing.assert_close(row, expected, rtol=1e-9, atol=1e-12)


def test_unilogit_stops_at_uniform_and_raises_below():
    margins = torch.tensor([-3.0, -math.log(V - 1), 1.0], dtype=torch.float64, requires_grad=True)
    losses.unilogit(margins, vocabulary=V).sum().backward()
    below, at, above = margins.grad.tolist()
    assert below < 0 < above
    assert abs(at) < 1e-12


def test_unilogit_does_not_care_whether_its_label_is_detached(rows):
    logits, target = rows
    hot = torch.nn.functional.one_hot(target, V).bool()
    for detach in (True, False):
        source = logits.detach() if detach else logits
        others = source.masked_fill(hot, -math.inf).logsumexp(-1, keepdim=True)
        q = torch.where(hot, others - math.log(V - 1), source).log_softmax(-1)
        p = logits.log_softmax(-1)
        full = gradient((p.exp() * (p - q)).sum(-1), logits)
        margin = losses.token_statistics(logits, target).log_odds
        ours = gradient(losses.unilogit(margin, vocabulary=V), logits)
        torch.testing.assert_close(ours, full, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("gap", [5.0, 10.0, 20.0])
def test_memorised_rows_keep_their_digits_in_float32(gap):
    """1 - p from 7e-3 to 2e-9: the gradient in float32 is within 1e-5 of float64."""
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(1, 500, generator=generator, dtype=torch.float64)
    target = torch.tensor([3])
    logits[0, 3] = 0
    logits[0, 3] = gap + logits.scatter(-1, target[None], -math.inf).logsumexp(-1)
    grads = []
    for dtype in (torch.float64, torch.float32):
        z = logits.to(dtype).requires_grad_()
        margin = losses.token_statistics(z, target).log_odds
        grads.append(gradient(losses.unilogit(margin, vocabulary=500), z).double())
    error = (grads[1] - grads[0]).norm() / grads[0].norm()
    assert error < 1e-5, error


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_statistics_are_at_least_float32(rows, dtype):
    stats = losses.token_statistics(rows[0].to(dtype), rows[1])
    assert stats.log_odds.dtype == stats.runner_up_logp.dtype == torch.float32
