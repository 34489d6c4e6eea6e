"""Shared work with one process; tests/distributed has more."""

import pytest

from unteach.processes.share import by_batches, share, together


def test_one_process_does_all_and_its_errors_are_its_own():
    assert together(lambda: 3) == [3]
    assert share([1, 2, 3]) == [1, 2, 3]
    with pytest.raises(ZeroDivisionError):
        together(lambda: 1 // 0)


@pytest.mark.parametrize("shared", [True, False])
def test_things_come_back_by_number_and_progress_is_told(shared):
    told = []
    found = by_batches(
        [[3], [1, 0], [2]], lambda members: [f"{i}" for i in members], shared=shared,
        progress=lambda *now: told.append(now),
    )  # fmt: skip
    assert found == ["0", "1", "2", "3"]
    assert told[:3] == [(1, 4), (3, 4), (4, 4)]
    assert by_batches([], lambda members: [], shared=shared) == []


def test_work_that_leaves_one_out_is_a_fault():
    with pytest.raises(ValueError, match="zip"):
        by_batches([[0, 1]], lambda members: ["only one"])
