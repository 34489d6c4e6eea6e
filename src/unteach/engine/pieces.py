"""The rows of a group, cut where nothing is lost: between answers, and within those too long."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import torch

from unteach.losses.seen import Seen

PER_ROW = (
    "logits",
    "target",
    "reference_logits",
    "chosen",
    "ignored",
    "place",
    "refusal",
    "hidden",
    "reference_hidden",
)


class Piece(NamedTuple):
    """Some rows of a group.

    Attributes:
        seen: the rows, with those of alternates and prompts hanging at them.
        first: number of the first answer in its group.
        rows: where they stand among the group's answer rows, alternates' rows and prompts' rows.
    """

    seen: Seen
    first: int
    rows: tuple[slice, ...]

    def __len__(self) -> int:
        """Rows of all kinds."""
        return sum(part.stop - part.start for part in self.rows)


def kinds(seen: Seen) -> tuple[Seen | None, ...]:
    """The answers' rows, the alternates' and the prompts'."""
    return seen, seen.alternate, seen.prompt


def pieces(seen: Seen, limit: int) -> Iterator[Piece]:
    """Whole answers, with their alternates and prompts, of at most `limit` rows together.

    An answer that has more rows than that comes alone.
    """
    ends = [_ends(kind, seen.answers) for kind in kinds(seen)]
    first = 0
    for last in range(1, seen.answers + 1):
        if last < seen.answers and sum(end[last + 1] - end[first] for end in ends) <= limit:
            continue
        rows = tuple(slice(end[first], end[last]) for end in ends)
        yield Piece(_taken(seen, rows, first, last), first, rows)
        first = last


def cut(piece: Piece, limit: int) -> Iterator[Piece]:
    """The rows of one long answer in parts of at most `limit`, none of them whole."""
    for kind, rows in enumerate(piece.rows):
        for start in range(rows.start, rows.stop, limit):
            here = [slice(part.start, part.start) for part in piece.rows]
            here[kind] = slice(start, min(start + limit, rows.stop))
            shifted = (
                slice(h.start - part.start, h.stop - part.start)
                for h, part in zip(here, piece.rows, strict=True)
            )
            part = _taken(piece.seen, tuple(shifted), 0, 1, whole=False)
            yield Piece(part, piece.first, tuple(here))


def _ends(seen: Seen | None, answers: int) -> list[int]:
    """How many rows stand before each answer, and in all."""
    if seen is None:
        return [0] * (answers + 1)
    return [0, *torch.bincount(seen.answer, minlength=answers).cumsum(0).tolist()]


def _taken(seen: Seen, rows: tuple[slice, ...], first: int, last: int, whole: bool = True) -> Seen:
    own, *others = (
        None if kind is None else _sliced(kind, part, first, last, whole)
        for kind, part in zip(kinds(seen), rows, strict=True)
    )
    assert own is not None
    return replace(own, alternate=others[0], prompt=others[1])


def _sliced(seen: Seen, rows: slice, first: int, last: int, whole: bool) -> Seen:
    changed = {
        name: None if getattr(seen, name) is None else getattr(seen, name)[rows] for name in PER_ROW
    }
    if seen.reference_logps is not None:
        changed["reference_logps"] = seen.reference_logps[first:last]
    answer = seen.answer[rows] - first
    return replace(seen, **changed, answer=answer, answers=last - first, whole=whole)
