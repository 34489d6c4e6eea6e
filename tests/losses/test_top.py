"""The K likeliest tokens and the entropy: limits, ties, digits, and what must change nothing."""

import math

import plain
import pytest
import torch
from losses.slopes import close, slope

from unteach import losses

V = 9


def rows(n=8, v=V, seed=0):
    generator = torch.Generator().manual_seed(seed)
    z, t = (3 * torch.randn(n, v, generator=generator, dtype=torch.float64) for _ in "zt")
    return z.requires_grad_(), t, torch.randint(v, (n,), generator=generator)


@pytest.mark.parametrize("top_k", [V - 1, V, 1000])
def test_of_all_other_tokens_the_margin_is_the_log_odds(top_k):
    z, _, y = rows()
    ours = losses.top_margin(z, y, top_k=top_k)
    close(ours, losses.token_statistics(z, y).log_odds)
    close(slope(ours, z), slope(losses.token_statistics(z, y).log_odds, z))


def test_of_one_other_token_the_margin_is_the_distance_to_the_best():
    z, _, y = rows()
    ours = losses.top_margin(z, y, top_k=1)
    best = z.scatter(1, y[:, None], -math.inf).max(-1).values
    close(ours, z.gather(1, y[:, None])[:, 0] - best)
    rest = losses.token_statistics(z, y)
    close(ours, rest.log_odds - rest.runner_up_logp)


def test_the_sigmoid_is_the_probability_among_the_few():
    """Six tokens, two rivals: e^2 / (e^2 + e^1 + e^1)."""
    z = torch.tensor([[1.0, 2.0, 1.0, 0.0, -3.0, 0.5]], dtype=torch.float64)
    found = losses.top_margin(z, torch.tensor([1]), top_k=2).sigmoid()
    close(found, [math.exp(2) / (math.exp(2) + 2 * math.e)])


def test_tokens_as_likely_as_the_last_share_its_part():
    """Of 3, 1, 1, 1 two count: 3 wholly, each 1 by a third. Values are those of any choice."""
    z = torch.tensor([[0.0, 3.0, 1.0, 1.0, 1.0]], dtype=torch.float64, requires_grad=True)
    found = losses.top_margin(z, torch.tensor([0]), top_k=2)
    total = math.exp(3) + math.e
    close(found, [-math.log(total)])
    close(slope(found, z), [[1, -math.exp(3) / total, *[-math.e / 3 / total] * 3]])
    flat = losses.top_flattening(z, z.detach(), top_k=2)
    close(flat, [1.0])  # of 3 and 1
    close(slope(flat, z), [[0, 1, *[-1 / 3] * 3]])


def test_the_hinge_is_flat_where_the_token_is_forgotten_enough():
    margin = torch.tensor([-9.0, 0.14, 0.16, 0.4, 9.0], dtype=torch.float64, requires_grad=True)
    value = losses.buffered_hinge(margin, threshold=0.4, buffer=0.25)
    close(value, [0, 0, 0.04, 1, 35.4])
    close(slope(value, margin), [0, 0, 4, 4, 4])


def test_the_hinge_bounds_the_share_above_the_threshold():
    margin = torch.linspace(-3, 3, 301, dtype=torch.float64)
    value = losses.buffered_hinge(margin, threshold=0.4, buffer=0.25)
    assert (value >= (margin > 0.4)).all()


def test_flattening_of_all_tokens_is_the_variance():
    z, t, _ = rows()
    value = losses.top_flattening(z, t, top_k=50)
    close(value, z.var(-1, correction=0))
    close(losses.top_flattening(z + 7, t, top_k=3), losses.top_flattening(z, t, top_k=3))


def test_flattening_rests_where_the_few_are_equal_and_moves_no_other():
    z, t, _ = rows()
    few = t.topk(4).indices
    level = z.detach().scatter(1, few, 2.5).requires_grad_()
    value = losses.top_flattening(level, t, top_k=4)
    close(value, torch.zeros(8))
    close(slope(value, level), torch.zeros(8, V))
    moved = slope(losses.top_flattening(z, t, top_k=4), z)
    assert ((moved != 0) == torch.zeros_like(moved).scatter(1, few, 1).bool()).all()


def test_the_largest_entropy_is_log_v_and_certainty_has_none():
    even = torch.zeros(1, V, dtype=torch.float64, requires_grad=True)
    value = losses.entropy(even)
    close(value, [math.log(V)])
    close(slope(value, even), torch.zeros(1, V))
    assert losses.entropy(torch.tensor([[900.0, 0.0, 1.0]])).item() == 0
    close(losses.entropy(torch.tensor([[5.0, -2.0]]), temperature=1e9), [math.log(2)], rtol=1e-6)


@pytest.mark.parametrize("gap", [-5.0, 0.0, 5.0, 10.0, 20.0])
def test_entropies_of_what_is_known_by_heart_keep_their_digits_in_float32(gap):
    """1 - p from 1/2 to 2e-9, where 1 - p itself has none left."""
    z = torch.randn(1, 300, generator=torch.Generator().manual_seed(1))
    z[0, 3] = -torch.inf
    z[0, 3] = gap + z.double().logsumexp(-1).item()
    value, gradient = plain.entropy(z[0].tolist(), 1.0)
    found = losses.entropy(z.requires_grad_())
    close(found.detach().double(), [value], rtol=1e-5)
    error = (slope(found, z).double()[0] - torch.tensor(gradient, dtype=torch.float64)).abs()
    assert error.max() < 1e-5 * max(map(abs, gradient))


def test_the_weight_gets_no_gradient():
    margin, weight = (torch.tensor([x], requires_grad=True) for x in (0.3, 2.0))
    losses.entropy_weighted_ascent(margin, weight).sum().backward()
    assert weight.grad is None
    close(margin.grad, [2 / (1 + math.exp(0.3))], rtol=1e-6)


@pytest.mark.parametrize("fill", [-1e4, -math.inf])
def test_a_head_padded_with_impossible_tokens_changes_nothing(fill):
    z, t, y = rows()
    wide, wide_t = (torch.cat([x, x.new_full((len(x), 5), fill)], -1) for x in (z, t))
    for loss in (
        lambda z, t: losses.top_margin(z, y, top_k=3),
        lambda z, t: losses.top_margin(z, y, top_k=V - 1),
        lambda z, t: losses.top_flattening(z, t, top_k=4),
        lambda z, t: losses.entropy(z),
    ):
        close(loss(wide, wide_t), loss(z, t))
        close(slope(loss(wide, wide_t), z), slope(loss(z, t), z))


def test_where_fewer_tokens_are_possible_these_count():
    z, t, y = rows()
    wide, wide_t = (torch.cat([x, x.new_full((len(x), 5), -math.inf)], -1) for x in (z, t))
    close(losses.top_margin(wide, y, top_k=V + 2), losses.token_statistics(z, y).log_odds)
    value = losses.top_flattening(wide, wide_t, top_k=V + 2)
    close(value, z.var(-1, correction=0))
    assert slope(value, z).isfinite().all()


def test_no_rows_no_values():
    z, y = torch.zeros(0, V, requires_grad=True), torch.zeros(0, dtype=torch.long)
    assert losses.top_margin(z, y, top_k=3).shape == (0,)
    assert losses.top_flattening(z, z.detach(), top_k=3).shape == (0,)
    assert losses.entropy(z).shape == (0,)
