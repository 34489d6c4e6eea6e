"""Split the rows of a group into chunks, with complete answers or without regard to them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import torch

from unteach.losses.answer_rows import PER_ROW, AnswerRows


class Chunk(NamedTuple):
    """Some rows of a group.

    Attributes:
        seen: the rows, with those of their alternates and prompts.
        first: index of the first answer in the group.
        rows: slices of the group's answer rows, alternate rows and prompt rows.
    """

    seen: AnswerRows
    first: int
    rows: tuple[slice, ...]

    def __len__(self) -> int:
        """Rows of all kinds."""
        return sum(part.stop - part.start for part in self.rows)


def kinds(seen: AnswerRows) -> tuple[AnswerRows | None, ...]:
    """Return the rows of the answers, of the alternates and of the prompts."""
    return seen, seen.alternate, seen.prompt


def pieces(seen: AnswerRows, limit: int) -> Iterator[Chunk]:
    """Yield chunks of complete answers, with alternates and prompts, of at most `limit` rows.

    An answer with more rows than that is a chunk of its own.
    """
    ends = [_ends(kind, seen.num_answers) for kind in kinds(seen)]
    first = 0
    for last in range(1, seen.num_answers + 1):
        if last < seen.num_answers and sum(end[last + 1] - end[first] for end in ends) <= limit:
            continue
        rows = tuple(slice(end[first], end[last]) for end in ends)
        yield Chunk(_taken(seen, rows, first, last), first, rows)
        first = last


def cut(seen: AnswerRows, limit: int) -> Iterator[Chunk]:
    """Yield chunks of `limit` rows that may split answers; all are marked as incomplete."""
    for kind, rows in enumerate(kinds(seen)):
        count = 0 if rows is None else len(rows.target)
        for start in range(0, count, limit):
            here = [slice(0, 0)] * len(kinds(seen))
            here[kind] = slice(start, min(start + limit, count))
            part = _taken(seen, tuple(here), 0, seen.num_answers, whole=False)
            yield Chunk(part, 0, tuple(here))


def _ends(seen: AnswerRows | None, answers: int) -> list[int]:
    """Return how many rows precede each answer, then the total."""
    if seen is None:
        return [0] * (answers + 1)
    return [0, *torch.bincount(seen.answer_index, minlength=answers).cumsum(0).tolist()]


def _taken(
    seen: AnswerRows, rows: tuple[slice, ...], first: int, last: int, whole: bool = True
) -> AnswerRows:
    own, *others = (
        None if kind is None else _sliced(kind, part, first, last, whole)
        for kind, part in zip(kinds(seen), rows, strict=True)
    )
    assert own is not None
    return replace(own, alternate=others[0], prompt=others[1])


def _sliced(seen: AnswerRows, rows: slice, first: int, last: int, whole: bool) -> AnswerRows:
    changed = {
        name: None if getattr(seen, name) is None else getattr(seen, name)[rows] for name in PER_ROW
    }
    if seen.reference_logps is not None:
        changed["reference_logps"] = seen.reference_logps[first:last]
    answer = seen.answer_index[rows] - first
    return replace(seen, **changed, answer_index=answer, num_answers=last - first, whole=whole)
