"""The row engine on made-up rows: every way to the gradient, dtypes, and what it refuses."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from unteach import losses
from unteach.head import Head, chunk_rows, products
from unteach.losses.answer_rows import AnswerRows, NeedsWholeAnswersError
from unteach.losses.byrows import spoiling_gradients
from unteach.losses.sums import answer_sum
from unteach.rowengine.chunked_loss import CutRules, RowGroup, chunked_loss

WIDTH, VOCABULARY = 7, 33
ROWS = [3, 9, 1, 5]  # of four answers


def example(*, frozen, bias, seed=0, dtype=torch.float64):
    """Rows of four answers before the head, and two heads."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape):
        return torch.randn(*shape, generator=generator, dtype=dtype)

    weight = random(VOCABULARY, WIDTH).requires_grad_(not frozen)
    shift = random(VOCABULARY).requires_grad_(not frozen) if bias else None
    rows = sum(ROWS)
    seen = AnswerRows(
        random(rows, WIDTH).requires_grad_(),
        torch.randint(VOCABULARY, (rows,), generator=generator),
        torch.repeat_interleave(torch.arange(4), torch.tensor(ROWS)), 4,
        reference_logits=random(rows, WIDTH), reference_logps=random(4))  # fmt: skip
    return seen, Head(weight, shift), Head(random(VOCABULARY, WIDTH))


def npo(seen, first):
    return losses.npo(seen.logps, seen.require_reference_logps(), beta=0.3).sum()


def whole_and_rows(seen, first):
    return (seen.logps * seen.require_reference_logps()).sum() + 0.3 * seen.runner_up_logp.sum()


def hinge(seen, first):
    return losses.inverted_hinge(seen.log_odds, seen.runner_up_logp).sum()


def two_readers(seen, first):
    return seen.kl().sum() + torch.sigmoid(2 * seen.log_odds).sum()


def plain_function(seen, first):
    """As a plug-in may give it."""
    return 0.01 * seen.logits.square().sum() + seen.kl().sum()


def own_sums(seen, first):
    """As a plug-in may weigh rows: by what it works out of whole answers itself."""
    totals = answer_sum(seen.log_odds, seen.answer_index, seen.num_answers)
    return (totals.tanh().detach()[seen.answer_index] * seen.log_odds).sum()


def weighed_by_length(seen, first):
    lengths = seen.answer_sums(torch.ones_like(seen.log_odds))
    return (lengths.repeat_interleave(lengths.long()) * seen.log_odds).sum()


def weighed_by_entropy(seen, first):
    weight = seen.entropy(2.0)
    return (weight / seen.answer_sums(weight)[seen.answer_index] * seen.log_odds).sum()


COUPLED = [npo, whole_and_rows, own_sums, weighed_by_length, weighed_by_entropy]
VALUES = [*COUPLED, hinge, two_readers, plain_function]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("cap", [None, 2.0])
@pytest.mark.parametrize("bias", [True, False])
def test_every_way_to_the_gradient(value, frozen, cap, bias):
    """In the forward pass; from expectations of a frozen head's rows; by working them out again."""
    seen, head, before = example(frozen=frozen, bias=bias)
    head, before = (replace(h, cap=cap, scale=0.5) for h in (head, before))
    inputs = [seen.logits, *head.trained]
    product = 0.5 * (seen.logits @ head.weight.T + (0 if head.bias is None else head.bias))
    logits = product if cap is None else cap * torch.tanh(product / cap)
    shown = replace(seen, logits=logits, reference_logits=before.logits(seen.reference_logits))
    expected = value(shown, 0)
    slopes = torch.autograd.grad(3 * expected, inputs)
    for limit in (4, 5, 100):  # answers have up to nine rows
        ways = CutRules()
        for _ in range(2):  # what was found out the first time holds the second
            loss = chunked_loss([RowGroup("a", seen, value)], head, before, limit=limit, ways=ways)
            torch.testing.assert_close(loss, expected)
            for found, slope in zip(torch.autograd.grad(3 * loss, inputs), slopes, strict=True):
                torch.testing.assert_close(found, slope, rtol=1e-10, atol=1e-12)
        assert bool(ways.coupled) == (limit < 9 and value in COUPLED)


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("limit", [4, 100])
def test_no_more_logits_are_made_than_the_limit(value, limit, monkeypatch):
    made = []
    logits = Head.logits

    def spy(self, states):
        made.append(len(states))
        return logits(self, states)

    monkeypatch.setattr(Head, "logits", spy)
    seen, head, before = example(frozen=False, bias=False)
    chunked_loss(
        [RowGroup("a", seen, value)], head, before, limit=limit, ways=CutRules()
    ).backward()
    assert max(made) <= limit


def test_logits_of_long_whole_answers_are_refused_in_words():
    def both(seen, first):
        return (seen.logps.sum() * seen.require_logits()).sum()

    seen, head, before = example(frozen=False, bias=False)
    with pytest.raises(RuntimeError, match="chunk_rows"):
        chunked_loss([RowGroup("a", seen, both)], head, before, limit=4, ways=CutRules())


def test_a_loss_that_asks_for_whole_answers_only_sometimes_is_refused():
    """By then other rows are summed up."""

    def sometimes(seen, first):
        return seen.log_odds.sum() + (seen.logps.sum() if (seen.target == last).any() else 0)

    seen, head, before = example(frozen=False, bias=False)
    last = seen.target[-1]
    assert not (seen.target[:4] == last).any()
    with pytest.raises(NeedsWholeAnswersError, match="every call"):
        chunked_loss([RowGroup("a", seen, sometimes)], head, before, limit=4, ways=CutRules())


def test_without_gradients_it_is_the_loss_alone():
    seen, head, before = example(frozen=False, bias=True)
    with torch.no_grad():
        loss = chunked_loss([RowGroup("a", seen, npo)], head, before, limit=4, ways=CutRules())
    assert not loss.requires_grad
    trained = chunked_loss([RowGroup("a", seen, npo)], head, before, limit=4, ways=CutRules())
    torch.testing.assert_close(loss, trained.detach())


def test_a_group_that_is_worth_nothing():
    seen, head, before = example(frozen=False, bias=False)
    loss = chunked_loss(
        [RowGroup("a", seen, lambda s, f: None)], head, before, limit=4, ways=CutRules()
    )
    assert loss == 0


@pytest.mark.parametrize("rows", [[0, 3, 0], [0], [2, 0, 40, 1]])
def test_answers_without_rows(rows):
    generator = torch.Generator().manual_seed(0)
    n = sum(rows)
    seen = AnswerRows(
        torch.randn(n, WIDTH, generator=generator).double().requires_grad_(),
        torch.randint(VOCABULARY, (n,), generator=generator),
        torch.repeat_interleave(torch.arange(len(rows)), torch.tensor(rows)),
        len(rows),
        reference_logps=torch.zeros(len(rows)).double(),
    )
    head = Head(torch.randn(VOCABULARY, WIDTH, generator=generator).double().requires_grad_())
    expected = npo(replace(seen, logits=seen.logits @ head.weight.T), 0)
    for limit in (1, 5, 100):
        found = chunked_loss([RowGroup("a", seen, npo)], head, None, limit=limit, ways=CutRules())
        torch.testing.assert_close(found, expected)


def test_half_precision_is_summed_in_float32():
    """Products of bfloat16 numbers, kept in float32: as float64 of the same numbers, to 0.5%."""
    seen, head, before = example(frozen=False, bias=False, dtype=torch.bfloat16)
    exact = replace(
        seen,
        logits=seen.logits.detach().double().requires_grad_(),
        reference_logits=seen.reference_logits.double(),
    )
    wide = Head(head.weight.detach().double().requires_grad_())
    other = Head(before.weight.double())
    for limit in (2, 100):  # few sums, and many
        loss = chunked_loss(
            [RowGroup("a", seen, two_readers)], head, before, limit=limit, ways=CutRules()
        )
        expected = chunked_loss(
            [RowGroup("a", exact, two_readers)], wide, other, limit=100, ways=CutRules()
        )
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=0)
        inputs = [seen.logits, head.weight], [exact.logits, wide.weight]
        pairs = zip(
            torch.autograd.grad(loss, inputs[0]),
            torch.autograd.grad(expected, inputs[1]),
            strict=True,
        )
        for found, slope in pairs:
            assert found.dtype == torch.bfloat16
            assert (found.double() - slope).norm() < 5e-3 * slope.norm()


def test_many_sums_of_half_precision_lose_no_digits():
    """Added up in bfloat16, 2000 rows would be off by a tenth and more."""
    generator = torch.Generator().manual_seed(0)
    rows = 2000
    seen = AnswerRows(
        (1 + torch.randn(rows, WIDTH, generator=generator)).bfloat16(),
        torch.zeros(rows, dtype=torch.long), torch.zeros(rows, dtype=torch.long), 1)  # fmt: skip
    weight = torch.randn(VOCABULARY, WIDTH, generator=generator).bfloat16().requires_grad_()
    exact = weight.detach().double().requires_grad_()
    found, slope = (
        torch.autograd.grad(
            chunked_loss([RowGroup("a", part, hinge)], Head(w), limit=10, ways=CutRules()), w
        )[0]
        for part, w in (
            (seen, weight),
            (replace(seen, logits=seen.logits.double()), exact),
        )
    )
    assert (found.double() - slope).norm() < 5e-3 * slope.norm()


@pytest.mark.parametrize("limit", [2, 100])
def test_gradients_of_float16_wait_for_the_scaler(limit):
    """Two millionths of a mean: float16 holds nothing of it, nor 2^16 itself."""
    seen, head, before = example(frozen=False, bias=False, dtype=torch.float16)
    states = seen.logits.detach().double().requires_grad_()
    weight = head.weight.detach().double().requires_grad_()
    logits = states @ weight.T

    def small(seen, first):
        return 2e-6 * seen.log_odds.sum()

    expected = torch.autograd.grad(
        2.0**16 * small(replace(seen, logits=logits), 0), [states, weight]
    )
    loss = chunked_loss([RowGroup("a", seen, small)], head, before, limit=limit, ways=CutRules())
    found = torch.autograd.grad(2.0**16 * loss, [seen.logits, head.weight])
    for mine, slope in zip(found, expected, strict=True):
        assert mine.dtype == torch.float16
        assert (mine.double() - slope).norm() < 1e-3 * slope.norm()


@pytest.mark.parametrize("piece", [5, 11, 32])
@pytest.mark.parametrize("value", [npo, two_readers])
def test_a_half_precision_head_is_widened_piece_by_piece(piece, value, monkeypatch):
    seen, head, before = example(frozen=False, bias=False, dtype=torch.bfloat16)
    found = []
    for size in (10_000, piece):
        monkeypatch.setattr(products, "PIECE", size)
        loss = chunked_loss([RowGroup("a", seen, value)], head, before, limit=4, ways=CutRules())
        found.append((loss, *torch.autograd.grad(loss, [seen.logits, head.weight])))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_gradients_are_given_away_once():
    seen, head, before = example(frozen=False, bias=False)
    loss = chunked_loss([RowGroup("a", seen, hinge)], head, before, limit=100, ways=CutRules())
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="given away"):
        loss.backward()


def linear(seen, first):
    """Whose gradient is a view of one number."""
    return seen.logits.sum()


def same_for_both(seen, first):
    """Whose gradients are one tensor."""
    return (seen.logits + seen.alternate.logits).square().sum()


@pytest.mark.parametrize("value", [linear, same_for_both])
@pytest.mark.parametrize("cap", [None, 2.0])
def test_gradients_that_are_views_are_left_as_they_are(value, cap):
    seen, head, _ = example(frozen=False, bias=True)
    head = replace(head, cap=cap, scale=0.5)
    other = replace(seen, logits=(seen.logits.detach() + 1).requires_grad_(), reference_logits=None)
    seen = replace(seen, alternate=other, reference_logits=None)
    inputs = [seen.logits, other.logits, head.weight, head.bias]
    whole = [head.traced(part.logits) for part in (seen, other)]
    plain = replace(seen, logits=whole[0], alternate=replace(other, logits=whole[1]))
    slopes = torch.autograd.grad(value(plain, 0), inputs, allow_unused=True)
    loss = chunked_loss([RowGroup("a", seen, value)], head, None, limit=1000, ways=CutRules())
    found = torch.autograd.grad(loss, inputs, allow_unused=True)
    for mine, slope in zip(found, slopes, strict=True):
        if slope is not None or mine is not None:
            torch.testing.assert_close(mine, torch.zeros_like(mine) if slope is None else slope)


def test_who_kept_the_logits_is_told_of_the_gradient_in_their_place():
    """In silence, the hidden states would get a gradient made of gradients."""

    def kept(seen, first):
        factor = seen.hidden.sum() * seen.logits.detach()
        return seen.log_odds.sum() + factor.sum()

    seen, head, before = example(frozen=False, bias=False)
    hidden = torch.ones(len(seen.target), 1).double().requires_grad_()
    seen = replace(seen, hidden=hidden)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        chunked_loss([RowGroup("a", seen, kept)], head, before, limit=100, ways=CutRules())


def test_the_gradient_takes_the_logits_place_only_where_nothing_else_reads_them():
    logits = torch.randn(4, VOCABULARY, dtype=torch.float64)
    other, target = torch.randn(4, VOCABULARY).double(), torch.tensor([1, 2, 3, 4])

    def place(value):
        leaf = logits.clone().requires_grad_()
        expected = torch.autograd.grad(value(leaf), leaf)[0]
        (found,) = spoiling_gradients(value(leaf), [leaf], [])
        torch.testing.assert_close(found, expected)
        return found.data_ptr() == leaf.data_ptr()

    assert place(lambda z: losses.kl_to_reference(z, other).sum())
    assert place(lambda z: losses.token_statistics(z, target).log_odds.sum())
    assert not place(lambda z: z.square().sum() + losses.kl_to_reference(z, other).sum())


def test_chunks_go_by_bytes():
    def rows(vocabulary, device):
        return chunk_rows(Head(torch.empty(vocabulary, 1)), torch.device(device))

    assert rows(128_256, "cpu") == 130
    assert rows(61, "cpu") > 100_000
    assert rows(262_144, "cpu") == 64
    assert rows(128_256, "cuda") == 1569
    assert all(a >= b for a, b in pairwise(rows(v, "cuda") for v in (1000, 32_000, 10**7)))
