"""Find single answers that unlearning harmed: lost, changed, broken, silent or endless."""

from dataclasses import dataclass
from typing import NamedTuple

from unteach.metrics._values import shown
from unteach.metrics.fluency import fluent, usual
from unteach.metrics.given import FORGOTTEN, SAID
from unteach.metrics.rows import Groups, MissingRows
from unteach.types import SHORT, Row

LOST = 2 / 3  # lost: less than this share of the former probability per token is left
LEAST = 0.1  # smaller drops of the probability do not count
CHANGED = 0.5  # changed: less than this share of the former words
BROKEN = 0.5  # broken: a fluency of at most this
LONGER, MORE = 1.5, 8  # endless: at least this many times the tokens, and this many more


class ScoreDrop(NamedTuple):
    """A value of an answer before and after unlearning."""

    id: str
    before: float
    after: float


@dataclass(frozen=True, kw_only=True)
class Harm:
    """Harmed answers of one group.

    Attributes:
        asked: number of answers that both models have.
        lost: answers whose probability per token fell by more than a third and by more than 0.1;
            the largest drop first. Answers that are too short (`SHORT`) are left out. Empty for
            forget groups.
        changed: answers that the original gives nearly word for word and of which the model gives
            less than half of the words; the largest drop first. Empty for forget groups.
        broken: ids of answers that are now repetitive or gibberish and were not before.
        silent: ids of answers that are now empty and were not before.
        endless: ids of answers that are now at least half as long again as before.
    """

    asked: int
    lost: tuple[ScoreDrop, ...] = ()
    changed: tuple[ScoreDrop, ...] = ()
    broken: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    endless: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """Number of all harmed answers, by all kinds of harm."""
        kinds = (self.lost, self.changed, self.broken, self.silent, self.endless)
        return sum(map(len, kinds))


def harms(rows: Groups, before: Groups) -> dict[str, Harm]:
    """The harmed answers of each group.

    Args:
        rows: of the model.
        before: rows of the original.

    Returns:
        Harm by group, for groups in which both models have answers.

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
    # The probability of shorter answers is rounded too coarsely: one step would look like a loss.
    long = [row for row in rows if row.tokens >= SHORT]
    falls = _drops(long, before, "probability") if kept else []
    worded = _drops(rows, before, "rouge_l_recall") if kept else []
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


def _drops(rows: list[Row], before: list[Row], name: str) -> list[ScoreDrop]:
    """Changes of a value between 0 and 1, the largest drop first."""
    now, then = (shown(each).get(name, {}) for each in (rows, before))
    drops = [ScoreDrop(id, then[id], now[id]) for id in now if id in then]
    return sorted(drops, key=lambda drop: drop.after - drop.before)


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
