"""Which examples stand in which step."""

from collections import Counter

import pytest

from unteach.engine.batch import Pair
from unteach.engine.order import PairOrder, permutation


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
