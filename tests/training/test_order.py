"""Which examples stand in which step."""

from collections import Counter

import pytest
import torch
from support import sequences

from unteach.rowengine.batch import Pair, Pairs
from unteach.rowengine.rows import count
from unteach.training.order import PairOrder, permutation


def epochs(order: PairOrder, count: int) -> list[Pair]:
    pairs = []
    for epoch in range(count):
        order.set_epoch(epoch)
        pairs += list(order)
    return pairs


def test_every_forget_example_once_an_epoch():
    order = PairOrder(7, 3, seed=0)
    order.set_epoch(4)
    assert sorted(p.forget for p in order) == list(range(7))


@pytest.mark.parametrize(("forget", "retain"), [(4, 10), (10, 4), (5, 5), (3, 1)])
def test_retain_examples_are_used_equally_often(forget, retain):
    used = Counter(p.retain for p in epochs(PairOrder(forget, retain, seed=1), retain))
    assert set(used) == set(range(retain))
    assert set(used.values()) == {forget}


def test_an_epoch_depends_on_seed_and_number_alone():
    late = PairOrder(6, 4, seed=3)
    late.set_epoch(5)
    assert list(late) == epochs(PairOrder(6, 4, seed=3), 6)[-6:]
    assert list(PairOrder(6, 4, seed=3)) != list(PairOrder(6, 4, seed=4))


def test_orders_differ_between_epochs_and_groups():
    assert (
        len({tuple(permutation(20, seed=0, round=r, stream=s)) for r in range(5) for s in (0, 1)})
        == 10
    )


def test_without_retain_there_is_none():
    assert {p.retain for p in PairOrder(3, 0, seed=0)} == {None}


LENGTHS = [10, 200, 30] * 9, [50, 20, 180, 90] * 4  # 27 to forget, 16 to keep


def alike(seed=0, batch=4, lengths=LENGTHS):
    return PairOrder(len(lengths[0]), len(lengths[1]), seed=seed, lengths=lengths, batch=batch)


def padding(order: PairOrder, lengths=LENGTHS, batch=4) -> tuple[int, int]:
    """Tokens of a batch's padding and of its texts, summed over an epoch."""
    pairs, empty, full = list(order), 0, 0
    for k in range(0, len(pairs), batch):
        texts = [lengths[0][p.forget] for p in pairs[k : k + batch]]
        texts += [lengths[1][p.retain] for p in pairs[k : k + batch] if p.retain is not None]
        empty += max(texts) * len(texts) - sum(texts)
        full += sum(texts)
    return empty, full


def test_grouping_by_length_leaves_who_is_seen_and_how_often():
    """Nearly: what a window of batches holds is what it held."""
    plain, grouped = PairOrder(27, 16, seed=0), alike()
    for epoch in range(16):
        plain.set_epoch(epoch)
        grouped.set_epoch(epoch)
        assert sorted(p.forget for p in grouped) == list(range(27))
        assert Counter(p.retain for p in grouped) == Counter(p.retain for p in plain)
    used = Counter(p.retain for p in epochs(alike(), 16))
    assert set(used.values()) == {27}


def test_grouping_needs_nothing_but_seed_and_epoch():
    late = alike(seed=3)
    late.set_epoch(5)
    assert list(late) == epochs(alike(seed=3), 6)[-27:]
    assert list(alike(seed=3)) != list(alike(seed=4))
    assert list(late) != list(alike(seed=3))


def test_both_groups_are_cut_by_rank_and_the_batch_that_is_not_full_comes_last():
    """Batches are cut in order: a short one in between would shift all that follow."""
    lengths = list(range(100, 119)), list(range(30, 7, -1))  # 19 and 23, all unequal
    order = list(alike(lengths=lengths))
    for group, name in enumerate(("forget", "retain")):
        tokens = [lengths[group][getattr(pair, name)] for pair in order]
        window = sorted(tokens[:16])
        batches = [tokens[k : k + 4] for k in range(0, 16, 4)]
        assert sorted(batches) == [window[k : k + 4] for k in range(0, 16, 4)]
        assert batches != sorted(batches)  # shuffled
        assert len(tokens[16:]) == 3


def test_processes_share_out_what_is_alike():
    """Two processes of 4 take batches in turn: both come from the same 8 that are alike."""
    order = list(alike(batch=8))
    for k in range(0, 24, 8):
        lengths = {LENGTHS[0][p.forget] for p in order[k : k + 8]}
        assert len(lengths) <= 2


def test_grouping_without_retain():
    order = alike(lengths=(LENGTHS[0], []))
    assert sorted(p.forget for p in order) == list(range(27))
    assert {p.retain for p in order} == {None}
    assert padding(order, (LENGTHS[0], []))[0] < padding(PairOrder(27, 0, seed=0))[0] / 2


def tofu_like(count: int, seed: int) -> list[int]:
    """Lengths spread as TOFU's are: 105 tokens, one in ten below 60 or above 153."""
    generator = torch.Generator().manual_seed(seed)
    return torch.normal(105, 28, (count,), generator=generator).clamp(36, 250).int().tolist()


@pytest.mark.parametrize(("forget", "at_most"), [(40, 0.21), (400, 0.10)])
def test_padding_that_grouping_saves(forget, at_most):
    """In batches of 8 and 8, a third of what is computed is padding; less is left among more."""
    lengths = tofu_like(forget, 0), tofu_like(3600, 1)
    shares = []
    for given in (None, lengths):
        order = PairOrder(forget, 3600, seed=0, lengths=given, batch=8)
        empty, full = padding(order, lengths, 8)
        shares.append(empty / (empty + full))
    assert shares[0] > 0.3
    assert shares[1] < at_most


def test_what_fills_the_last_step_counts_for_nothing():
    """Nine pairs for processes that take four a time: the tenth to twelfth are spare."""
    order = list(PairOrder(9, 5, seed=0, fill=4))
    assert len(order) == len(PairOrder(9, 5, seed=0, fill=4)) == 12
    assert order[:9] == list(PairOrder(9, 5, seed=0))
    assert [pair.spare for pair in order] == [False] * 9 + [True] * 3
    pairs = Pairs(sequences(9, "forget"), sequences(5, "retain"))
    mixed, idle = pairs.collate(order[8:10]), pairs.collate(order[10:])
    assert mixed["index"].tolist() == list(order[8][:2])
    assert not mixed["spare"].any()
    assert idle["spare"].all()
    assert torch.equal(count([mixed, idle]), count([mixed]))
    assert not count([idle]).any()
