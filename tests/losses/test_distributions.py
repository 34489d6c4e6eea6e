"""The losses against a second distribution, and the means."""

import math

import pytest
import torch

from unteach import losses

V = 6


def example(seed=0, n=9):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, V, generator=generator, dtype=torch.float64).requires_grad_()
    reference = 2 * torch.randn(n, V, generator=generator, dtype=torch.float64)
    return logits, reference, torch.randint(V, (n,), generator=generator)


def softmax(z):
    e = [math.exp(x) for x in z]
    return [x / sum(e) for x in e]


def test_kl_is_the_equation():
    logits, reference, _ = example()
    expected = [
        sum(q * math.log(q / p) for q, p in zip(softmax(t), softmax(z), strict=True))
        for t, z in zip(reference.tolist(), logits.tolist(), strict=True)
    ]
    found = losses.kl_to_reference(logits, reference)
    torch.testing.assert_close(found.tolist(), expected, rtol=1e-11, atol=1e-13)


def test_undial_is_the_equation():
    logits, reference, target = example()
    expected = []
    for z, t, y in zip(logits.tolist(), reference.tolist(), target.tolist(), strict=True):
        q = softmax([x - 3.0 * (v == y) for v, x in enumerate(t)])
        expected.append(-sum(a * math.log(b) for a, b in zip(q, softmax(z), strict=True)))
    found = losses.undial(logits, reference, target, strength=3.0)
    torch.testing.assert_close(found.tolist(), expected, rtol=1e-11, atol=1e-13)


def test_undial_gradient_is_p_minus_q_with_the_closed_form_of_q():
    """q_y = p0 e^-s / (1 - p0 + p0 e^-s); dL/dz = p - q."""
    logits, reference, target = example()
    losses.undial(logits, reference, target, strength=2.0).sum().backward()
    p, p0 = logits.detach().softmax(-1), reference.softmax(-1)
    hit = p0.gather(-1, target[:, None])
    shrunk = torch.where(torch.nn.functional.one_hot(target, V).bool(), p0 * math.exp(-2), p0)
    q = shrunk / (1 - hit + hit * math.exp(-2))
    torch.testing.assert_close(logits.grad, p - q, rtol=1e-10, atol=1e-12)


TOWARDS = {
    "kl": losses.kl_to_reference,
    "jsd": losses.jensen_shannon,
    "undial": lambda z, t: losses.undial(z, t, torch.tensor([3]), strength=10.0),
}


@pytest.mark.parametrize("name", TOWARDS)
@pytest.mark.parametrize("gap", [5.0, 10.0, 20.0])
def test_rows_known_by_heart_keep_their_digits_in_float32(name, gap):
    """1 - p from 7e-3 to 2e-9, the reference near by: p - q where p is 1 has none left."""
    generator = torch.Generator().manual_seed(0)
    z, nudge = torch.randn(2, 1, 300, generator=generator)
    z[0, 3] = -math.inf
    z[0, 3] = gap + z.double().logsumexp(-1).item()
    t = z + nudge / 10
    found = []
    for dtype in (torch.float64, torch.float32):
        leaf = z.to(dtype).requires_grad_()
        found.append(torch.autograd.grad(TOWARDS[name](leaf, t.to(dtype)).sum(), leaf)[0].double())
    assert (found[1] - found[0]).norm() < 3e-5 * found[0].norm()


def test_undial_without_strength_rests_at_the_reference():
    _, reference, target = example()
    logits = reference.clone().requires_grad_()
    value = losses.undial(logits, reference, target, strength=0.0)
    value.sum().backward()
    p = reference.softmax(-1)
    torch.testing.assert_close(value.detach(), -(p * p.log()).sum(-1))
    assert logits.grad.abs().max() < 1e-12


def test_undial_with_great_strength_is_the_reference_without_the_target():
    logits, reference, target = example()
    hot = torch.nn.functional.one_hot(target, V).bool()
    q = reference.masked_fill(hot, -math.inf).softmax(-1)
    expected = -(q * logits.log_softmax(-1)).sum(-1)
    found = losses.undial(logits, reference, target, strength=80.0)
    torch.testing.assert_close(found, expected)


def test_the_reference_gets_no_gradient():
    logits, reference, target = example()
    reference.requires_grad_()
    loss = losses.undial(logits, reference, target, strength=1.0).sum()
    (loss + losses.kl_to_reference(logits, reference).sum()).backward()
    assert reference.grad is None


def test_npo_is_the_equation_and_tends_to_ascent():
    policy = torch.tensor([-3.0, -7.0], dtype=torch.float64, requires_grad=True)
    reference = torch.tensor([-4.0, -5.0], dtype=torch.float64)
    beta = 0.3
    expected = [
        -2 / beta * math.log(1 / (1 + (math.exp(a) / math.exp(b)) ** beta))
        for a, b in zip(policy.tolist(), reference.tolist(), strict=True)
    ]
    torch.testing.assert_close(losses.npo(policy, reference, beta=beta).tolist(), expected)
    losses.npo(policy, reference, beta=1e-6).sum().backward()
    torch.testing.assert_close(policy.grad, torch.ones(2).double(), rtol=1e-4, atol=1e-6)


def test_sums_do_not_mix_answers():
    values = torch.tensor([1.0, 3.0, 10.0])
    answer = torch.tensor([0, 0, 2])
    assert losses.answer_sum(values, answer, 3).tolist() == [4.0, 0.0, 10.0]
