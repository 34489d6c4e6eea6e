"""Batches of like length."""

import pytest

from unteach.inference import batches_by_length

LENGTHS = [5, 1, 9, 9, 3, 2, 30]
MORE = [1, 20, 3, 2, 2, 8, 1]


def test_every_text_stands_in_one_batch():
    batches = list(batches_by_length(LENGTHS, 18))
    assert sorted(i for batch in batches for i in batch) == list(range(len(LENGTHS)))
    assert all(len(b) == 1 or max(LENGTHS[i] for i in b) * len(b) <= 18 for b in batches)


@pytest.mark.parametrize("size", [1, 40, 64, 1000])
def test_what_follows_is_counted_at_its_widest(size):
    batches = list(batches_by_length(LENGTHS, size, more=MORE))
    assert sorted(i for batch in batches for i in batch) == list(range(len(LENGTHS)))
    for b in batches:
        wide = max(LENGTHS[i] for i in b) + max(MORE[i] for i in b)
        assert len(b) == 1 or wide * len(b) <= size


def test_nothing_makes_no_batch():
    assert list(batches_by_length([], 18)) == []
