"""What became of single answers: those that lost most, and those that are no language any more."""

from dataclasses import dataclass
from typing import NamedTuple

from unteach.metrics._values import shown
from unteach.metrics.fluency import fluent, usual
from unteach.metrics.given import FORGOTTEN, SAID
from unteach.metrics.rows import Groups, MissingRows
from unteach.types import SHORT, Row

LOST = 2 / 3  # of the probability per token that an answer had: with less it has lost much
LEAST = 0.1  # a fall by less is small, whatever share it is
CHANGED = 0.5  # of the wording that was said before
BROKEN = 0.5  # a fluency of so little is no language
LONGER, MORE = 1.5, 8  # times as many tokens, and so many more: it does not find its end


class ScoreDrop(NamedTuple):
    """An answer, and a number of it before and after."""

    id: str
    before: float
    after: float


@dataclass(frozen=True, kw_only=True)
class Harm:
    """What became of the answers of one group.

    Attributes:
        asked: how many were scored before and after.
        lost: those whose probability per token fell by more than a third, and by more than 0.1; the
            greatest fall first. Answers of fewer than four tokens are left out. Empty for what
            should be forgotten.
        changed: those that the model said nearly word for word, and of which it says less than
            half now, by the share of words said; likewise.
        broken: ids of those that are answered in circles or by noise, and were not before.
        silent: ids of those that are answered by nothing, and were not before.
        endless: ids of those that are answered at half as much again, or more, as before.
    """

    asked: int
    lost: tuple[ScoreDrop, ...] = ()
    changed: tuple[ScoreDrop, ...] = ()
    broken: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    endless: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How much is told of it."""
        kinds = (self.lost, self.changed, self.broken, self.silent, self.endless)
        return sum(map(len, kinds))


def harms(rows: Groups, before: Groups) -> dict[str, Harm]:
    """What became of the answers of each group.

    Args:
        rows: of the model.
        before: of the original.

    Returns:
        By the name of the group, of those that both have answers of.

    Example:
        >>> then = [Row(id=f"retain-{k}", tokens=9, logp=-0.1) for k in range(2)]
        >>> now = [Row(id=f"retain-{k}", tokens=9, logp=x) for k, x in enumerate((-2.3, -0.2))]
        >>> harms({"retain": now}, {"retain": then})["retain"].lost[0].id
        'retain-0'
    """
    try:
        bound = usual(before)
    except MissingRows:
        return {}
    both = {group: (rows[group], before.get(group, [])) for group in rows}
    found = {group: _of_group(group, *pair, bound) for group, pair in both.items()}
    return {group: harm for group, harm in found.items() if harm.asked}


def _of_group(group: str, rows: list[Row], before: list[Row], bound: float) -> Harm:
    now, then = _answers(rows), _answers(before)
    ids = [id for id in now if id in then]
    pairs = {id: (now[id], then[id]) for id in ids}
    broken = {id for id, (ours, was) in pairs.items() if _broken(ours, was, bound)}
    silent = {id for id, (ours, was) in pairs.items() if _silent(ours) and not _silent(was)}
    kept = group not in FORGOTTEN
    # Of shorter answers the probability is too coarse in a row: a step of it is no loss.
    long = [row for row in rows if row.tokens >= SHORT]
    falls = _falls(long, before, "probability") if kept else []
    worded = _falls(rows, before, "rouge_l_recall") if kept else []
    gone = silent | broken
    return Harm(
        asked=len(ids),
        lost=tuple(f for f in falls if f.after < LOST * f.before and f.before - f.after > LEAST),
        changed=tuple(f for f in worded if f.before >= SAID and f.after < CHANGED * f.before),
        broken=tuple(id for id in ids if id in broken and id not in silent),
        silent=tuple(id for id in ids if id in silent),
        endless=tuple(id for id in ids if kept and id not in gone and _endless(*pairs[id])),
    )


def _answers(rows: list[Row]) -> dict[str, Row]:
    return {row.id: row for row in rows if row.kind == "answer"}


def _falls(rows: list[Row], before: list[Row], name: str) -> list[ScoreDrop]:
    """Of a number between 0 and 1, the greatest first."""
    now, then = (shown(each).get(name, {}) for each in (rows, before))
    found = [ScoreDrop(id, then[id], now[id]) for id in now if id in then]
    return sorted(found, key=lambda fall: fall.after - fall.before)


def _silent(row: Row) -> bool:
    return row.said_tokens is not None and row.said_distinct is None


def _broken(now: Row, then: Row, bound: float) -> bool:
    if now.said_tokens is None or then.said_tokens is None:
        return False
    ours, was = fluent(now, bound), fluent(then, bound)
    return ours <= BROKEN and was - ours > BROKEN / 2


def _endless(now: Row, then: Row) -> bool:
    said, was = now.said_tokens, then.said_tokens
    return bool(said and was and said >= LONGER * was and said >= was + MORE)
