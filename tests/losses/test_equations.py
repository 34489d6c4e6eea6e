"""Every loss of a row against its equation in plain Python, value and gradient (`plain.py`)."""

import math

import plain
import pytest
import torch

from unteach import losses

V, N, STEP = 7, 12, 1e-5
SATIMP = {"saturation": 5.0, "importance": 1.0}
HINGE = {"threshold": 0.4, "buffer": 0.25}


def margin(z, y):
    return losses.token_statistics(z, y).log_odds


def hinge(z, t, y):
    rows = losses.token_statistics(z, y)
    return losses.inverted_hinge(rows.log_odds, rows.runner_up_logp)


def pushed(z, t, y):
    return losses.buffered_hinge(losses.top_margin(z, y, top_k=3), **HINGE)


def informed(z, t, y):
    weight = losses.entropy(z, temperature=2.0) / math.log(V)
    return losses.entropy_weighted_ascent(margin(z, y), weight)


def level_of(y):
    """Another level for each target: -0.2 nats to -5.6."""
    return -0.2 - 0.9 * y


def unilogit(direction, level=lambda y: None):
    def loss(z, t, y):
        given = {"level": level(y.double()), "direction": direction}
        return losses.unilogit(margin(z, y), vocabulary=V, **given)

    return loss


def to_reference(direction, level=lambda y: None):
    def loss(z, t, y):
        return losses.unilogit_to_reference(z, t, y, level=level(y.double()), direction=direction)

    return loss


def at_level(equation):
    """The equation of a row whose target is moved to its level."""
    return lambda *row: equation(*row, math.exp(level_of(row[-1])))


PAIRS = torch.tensor([[[0, 3], [3, 5], [0, 3], [2, 2]]]).expand(12, -1, -1)


def logps(z):
    return z.log_softmax(-1, dtype=torch.promote_types(z.dtype, torch.float32))


def lowered(z, y):
    """Entry 6 of a row whose target is set to -2 nats, and its slope."""
    value = plain.teacher(z, [], y, -2.0)[6]
    if y == 6:
        return value, [0.0] * len(z)
    rest = plain.without(z, y)
    return value, [(v == 6) - r for v, r in enumerate(rest)]


# Ours on [N, V] rows, and the equation of one row.
LOSSES = {
    "cross_entropy": (
        lambda z, t, y: losses.cross_entropy(margin(z, y)),
        lambda z, t, y: plain.cross_entropy(z, y)),
    "ascent": (lambda z, t, y: losses.ascent(margin(z, y)), lambda z, t, y: plain.ascent(z, y)),
    "unlikelihood": (
        lambda z, t, y: losses.unlikelihood(margin(z, y)),
        lambda z, t, y: plain.unlikelihood(z, y)),
    "weighted_ascent": (
        lambda z, t, y: losses.weighted_ascent(margin(z, y), beta=0.7),
        lambda z, t, y: plain.weighted_ascent(z, y, 0.7)),
    "satimp": (
        lambda z, t, y: losses.satimp(margin(z, y), **SATIMP),
        lambda z, t, y: plain.satimp(z, y, **SATIMP)),
    "jensen_shannon_to_token": (
        lambda z, t, y: losses.jensen_shannon_to_token(margin(z, y)),
        lambda z, t, y: plain.jensen_shannon_to_token(z, y)),
    "inverted_hinge": (hinge, lambda z, t, y: plain.inverted_hinge(z, y)),
    "unilogit": (unilogit("reverse"), lambda z, t, y: plain.unilogit(z, y)),
    "unilogit forward": (unilogit("forward"), lambda z, t, y: plain.unilogit_forward(z, y)),
    "unilogit level": (
        unilogit("reverse", level_of),
        lambda z, t, y: at_level(plain.unilogit)(z, y),
    ),
    "unilogit level forward": (
        unilogit("forward", level_of),
        lambda z, t, y: at_level(plain.unilogit_forward)(z, y),
    ),
    "unilogit_to_reference level": (
        to_reference("reverse", level_of),
        at_level(plain.unilogit_to_reference),
    ),
    "unilogit_to_reference level forward": (
        to_reference("forward", level_of),
        at_level(plain.unilogit_to_reference_forward),
    ),
    "to_level": (
        lambda z, t, y: losses.to_level(margin(z, y), level_of(y.double())),
        lambda z, t, y: plain.to_level(z, y, level_of(y)),
    ),
    "unilogit_to_reference": (to_reference("reverse"), plain.unilogit_to_reference),
    "unilogit_to_reference forward": (to_reference("forward"), plain.unilogit_to_reference_forward),
    "kl_to_reference": (
        lambda z, t, y: losses.kl_to_reference(z, t), lambda z, t, y: plain.kl_to_reference(z, t)),
    "distil": (
        lambda z, t, y: losses.distil(z, logps(t), y, level_weight=0.3),
        lambda z, t, y: plain.distil(z, t, y, 0.3)),
    "exchange_columns": (
        lambda z, t, y: losses.exchange_columns(logps(z), PAIRS)[:, 0],
        lambda z, t, y: (math.log(plain.softmax(z)[5]), plain.towards(z, 5, 1))),
    "with_target_logps": (
        lambda z, t, y: losses.with_target_logps(logps(z), y, torch.full((len(y),), -2.0))[:, 6],
        lambda z, t, y: lowered(z, y)),
    "undial": (
        lambda z, t, y: losses.undial(z, t, y, strength=3.0),
        lambda z, t, y: plain.undial(z, t, y, 3.0)),
    "jensen_shannon": (
        lambda z, t, y: losses.jensen_shannon(z, t), lambda z, t, y: plain.jensen_shannon(z, t)),
    "ce_u": (lambda z, t, y: losses.ce_u(z, y), lambda z, t, y: plain.ce_u(z, y)),
    "flattening": (lambda z, t, y: losses.flattening(z), lambda z, t, y: plain.flattening(z)),
    "top_margin": (
        lambda z, t, y: losses.top_margin(z, y, top_k=3),
        lambda z, t, y: plain.top_margin(z, y, 3)),
    "buffered_hinge": (pushed, lambda z, t, y: plain.buffered_hinge(z, y, 3, 0.4, 0.25)),
    "top_flattening": (
        lambda z, t, y: losses.top_flattening(z, t, top_k=3),
        lambda z, t, y: plain.top_flattening(z, t, 3)),
    "entropy": (
        lambda z, t, y: losses.entropy(z, temperature=2.0), lambda z, t, y: plain.entropy(z, 2.0)),
    "entropy_weighted_ascent": (
        informed, lambda z, t, y: plain.entropy_weighted_ascent(z, y, 2.0, math.log(V))),
    "squared_distance": (
        lambda z, t, y: losses.squared_distance(z, t),
        lambda z, t, y: plain.squared_distance(z, t)),
}  # fmt: skip
OF_THE_MARGIN = [
    *("cross_entropy", "ascent", "unlikelihood", "weighted_ascent", "satimp"),
    *("jensen_shannon_to_token", "inverted_hinge", "unilogit", "unilogit forward"),
    *("top_margin", "entropy_weighted_ascent"),
]
ELSEWHERE = {"npo", "simnpo", "dpo", "control_vector", "answer_sum"}
STATISTICS = {"TokenStatistics", "token_statistics"}


def rows(dtype=torch.float64, *, n=N, v=V):
    generator = torch.Generator().manual_seed(0)
    z = 3 * torch.randn(n, v, generator=generator, dtype=torch.float64)
    t = 2 * torch.randn(n, v, generator=generator, dtype=torch.float64)
    target = torch.randint(v, (n,), generator=generator)
    return z.to(dtype).requires_grad_(), t.to(dtype), target


def equations(name, z, t, target):
    """Values and gradients of the equation, in plain floats."""
    lists = zip(z.tolist(), t.tolist(), target.tolist(), strict=True)
    pairs = [LOSSES[name][1](*row) for row in lists]
    return [value for value, _ in pairs], [gradient for _, gradient in pairs]


def close(found, expected, rtol=1e-10, atol=1e-13):
    found, expected = (torch.as_tensor(x, dtype=torch.float64) for x in (found, expected))
    torch.testing.assert_close(found, expected, rtol=rtol, atol=atol)


def test_no_loss_is_left_out():
    """A new loss must come with its equation."""
    here = {name.split()[0] for name in LOSSES}
    assert here | ELSEWHERE | STATISTICS == set(losses.__all__)


@pytest.mark.parametrize("name", LOSSES)
def test_value_and_gradient_are_the_equations(name):
    z, t, target = rows()
    found = LOSSES[name][0](z, t, target)
    values, gradients = equations(name, z, t, target)
    close(found.detach(), values)
    close(torch.autograd.grad(found.sum(), z)[0], gradients, rtol=1e-9)


@pytest.mark.parametrize("name", LOSSES)
def test_the_gradients_derived_by_hand_are_slopes_of_the_equation(name):
    """(f(z + h) - f(z - h)) / 2h, from values alone."""
    z, t, target = rows(n=4)
    for row, before, y in zip(z.tolist(), t.tolist(), target.tolist(), strict=True):
        value, slopes = training_value(name, row, before, y), []
        for v in range(V):
            up, down = ([x + s * (k == v) for k, x in enumerate(row)] for s in (STEP, -STEP))
            slopes.append((value(up) - value(down)) / (2 * STEP))
        close(slopes, LOSSES[name][1](row, before, y)[1], rtol=1e-6, atol=1e-8)


def training_value(name, row, before, y):
    """What training follows: the equation, its weight or label held where it is."""
    p = plain.softmax(row)[y]
    if name in ("weighted_ascent", "satimp"):
        weight = p**0.7 if name == "weighted_ascent" else p**5 * (1 - p)
        return lambda x: weight * math.log(plain.softmax(x)[y])
    if name == "entropy_weighted_ascent":
        weight = plain.entropy(row, 2.0)[0] / math.log(V)
        return lambda x: weight * plain.log_p(x, y)
    if name == "ce_u":
        rest = plain.without(row, y)
        return lambda x: -sum(b * math.log(a) for a, b in zip(plain.softmax(x), rest, strict=True))
    return lambda x: LOSSES[name][1](x, before, y)[0]


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_half_precision_goes_in_and_float32_comes_out(name, dtype):
    """Values within 1e-5 of the equation on the same rounded rows."""
    z, t, target = rows(dtype)
    found = LOSSES[name][0](z, t, target)
    assert found.dtype == torch.float32
    values, _ = equations(name, z, t, target)
    close(found.detach(), values, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_the_reference_gets_no_gradient(name):
    z, t, target = rows()
    LOSSES[name][0](z, t.requires_grad_(), target).sum().backward()
    assert t.grad is None


@pytest.mark.parametrize("name", OF_THE_MARGIN)
@pytest.mark.parametrize("gap", [-20.0, -10.0, -5.0, 0.0, 5.0, 10.0, 20.0])
def test_gradients_keep_their_digits_in_float32(name, gap):
    """From 1 - p of 2e-9 (known by heart) to p of 2e-9 (forgotten): within 1e-5 of the equation.

    The error is the largest one of the row, over the largest magnitude of its gradient.
    """
    wide = 300
    z = torch.randn(1, wide, generator=torch.Generator().manual_seed(1))
    z[0, 3] = -torch.inf
    z[0, 3] = gap + z.double().logsumexp(-1).item()
    if name.startswith("unilogit"):

        def ours(z, t, y, direction="forward" if "forward" in name else "reverse"):
            return losses.unilogit(margin(z, y), vocabulary=wide, direction=direction)
    else:
        ours = LOSSES[name][0]
    target = torch.tensor([3])
    found = torch.autograd.grad(ours(z.requires_grad_(), z, target).sum(), z)[0].double()
    _, (expected,) = equations(name, z, z, target)
    expected = torch.tensor(expected, dtype=torch.float64)
    if name == "satimp" and gap == -20:  # p^5 of 1e-44: float32 has no such number
        assert found.abs().max() < 1e-38
        return
    error = (found[0] - expected).abs().max() / expected.abs().max()
    assert error < 1e-5, error
