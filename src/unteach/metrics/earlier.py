"""Whether what was removed is known to a model: of a later model, and of earlier requests in a run.

Earlier requests are groups of rows of their own, `earlier-1` (the oldest) and so on.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from unteach.metrics._values import shown
from unteach.metrics.clustered import by_person, predicted_top
from unteach.metrics.given import FORGOTTEN, seen, still_given
from unteach.metrics.intervals import margin
from unteach.metrics.rows import Groups
from unteach.metrics.yardstick import never_seen

FEWEST = 3  # records of which the spread of a rise can be told
PREFIX = "earlier-"  # of the names of groups


def is_earlier(group: str) -> bool:
    """Whether a group holds the records of an earlier request."""
    return group.startswith(PREFIX)


def is_forgotten(group: str) -> bool:
    """Whether the answers of a group should be gone, by this run or by an earlier one."""
    return group in FORGOTTEN or is_earlier(group)


def without_earlier(rows: Mapping[str, Groups]) -> dict[str, Groups]:
    """Return the rows of each model without the groups of earlier requests."""
    return {
        model: {name: group for name, group in groups.items() if not is_earlier(name)}
        for model, groups in rows.items()
    }


@dataclass(frozen=True, kw_only=True)
class RecheckedRows:
    """How well a model knows records that were removed.

    Attributes:
        asked: how many there are.
        given: ids of those that it gives when asked, word for word or by their fact; none where no
            more are given than of the holdout.
        unjudged: ids of those given that may be guessed, and nothing tells how many are.
        probability: mean probability per token of the answers.
        top: up to which it would be for answers that the model never saw (upper end of the 95%
            prediction interval from the holdout); None where that is not known.
        above: ids of those that are likelier than every holdout answer; told only where the mean is
            above `top`.
    """

    asked: int
    given: tuple[str, ...]
    unjudged: tuple[str, ...]
    probability: float | None
    top: float | None
    above: tuple[str, ...]

    @property
    def likelier(self) -> bool:
        """Whether the answers are likelier than answers that were never seen."""
        return self.probability is not None and self.top is not None and self.probability > self.top

    @property
    def found(self) -> bool:
        """Whether anything is known."""
        return bool(self.given) or self.likelier


def judge(
    rows: Groups,
    ids: Iterable[str] | None = None,
    *,
    group: str = "forget",
    original: Groups | None = None,
    persons: Mapping[str, Mapping[str, str]] | None = None,
) -> RecheckedRows:
    """Judge from a model's rows whether it knows removed records.

    Args:
        rows: of the group of the records, and of "holdout".
        ids: of the examples that count; None for all.
        group: of the records.
        original: rows of the model before this run, whose holdout is preferred: unlearning may have
            damaged the model's own.
        persons: of "forget" and "holdout", the person that each record is about, by its id. Answers
            about one person are guessed together, so then both levels are the upper ends of 95%
            prediction intervals over the holdout's persons, if it has three or more.

    Example:
        >>> from unteach.types import Row
        >>> forget = [Row(id="forget-0", tokens=9, logp=-0.1, verbatim=True, zlib=40)]
        >>> holdout = [Row(id=f"holdout-{k}", tokens=9, logp=-3.0 - k / 9, verbatim=False, zlib=40)
        ...            for k in range(9)]
        >>> found = judge({"forget": forget, "holdout": holdout}, ["forget-0"])
        >>> found.found, found.given, found.above
        (True, ('forget-0',), ('forget-0',))
    """
    wanted = None if ids is None else set(ids)
    holdout = (original or rows).get("holdout", [])
    kept = {
        "forget": [row for row in rows.get(group, []) if wanted is None or row.id in wanted],
        "holdout": holdout,
    }
    given = still_given(kept)
    each, others = (shown(kept[name]).get("probability", {}) for name in ("forget", "holdout"))
    band = never_seen(kept).get("probability")
    mean = sum(each.values()) / len(each) if each else None
    top = band.high if band and band.value is not None else None
    told = given.ids if given and given.count else ()
    if persons:
        top, told = _by_person(kept, persons, top, told)
    likelier = mean is not None and top is not None and mean > top
    unjudged = given.unjudged if given else ()
    return RecheckedRows(
        asked=len(each),
        given=tuple(id for id in told if id not in unjudged),
        unjudged=unjudged,
        probability=mean,
        top=top,
        above=tuple(id for id, p in each.items() if likelier and p > max(others.values())),
    )


def _by_person(
    rows: Groups,
    persons: Mapping[str, Mapping[str, str]],
    top: float | None,
    told: tuple[str, ...],
) -> tuple[float | None, tuple[str, ...]]:
    """The level of the probability over persons, and the records given beyond theirs.

    Args:
        rows: with the groups "forget" and "holdout".
        persons: of both groups, by the record's id.
        top: the level over records.
        told: ids of the records given, beyond guesses over records.
    """
    ours = {row.id: persons.get("forget", {}).get(row.id, row.id) for row in rows["forget"]}
    theirs, count = persons.get("holdout", {}), len(set(ours.values()))
    likely = shown(rows["holdout"]).get("probability", {})
    usual = predicted_top(by_person(likely, theirs), count)
    guesses = {id: float(it.words or bool(it.fact)) for id, it in seen(rows["holdout"]).items()}
    guessed = predicted_top(by_person(guesses, theirs), count)
    if usual is not None and top is not None:
        top = max(top, usual)
    if guessed is not None and len(told) <= guessed * len(ours):
        told = ()
    return top, told


@dataclass(frozen=True, kw_only=True)
class EarlierRequest:
    """An earlier request, and how well the models before and after this run know its records.

    Attributes:
        name: id of the request, or the name of its result's folder.
        group: of its rows; "" where it was not asked.
        records: how many there are; 0 where that is not known.
        not_asked: why it was not asked; "" where it was.
        note: what to know of its data.
        before: of the model that this run began at; None where it was not asked.
        after: of the model that it wrote.
        rise: mean of what each record's probability rose by, from one model to the other.
        rise_low: lower end of its 95% interval (Student's t); None with fewer than three records.
    """

    name: str
    group: str = ""
    records: int = 0
    not_asked: str = ""
    note: str = ""
    before: RecheckedRows | None = None
    after: RecheckedRows | None = None
    rise: float | None = None
    rise_low: float | None = None

    @property
    def resurfaced(self) -> bool:
        """Whether it was forgotten before this run, is known after, and rose beyond chance.

        Answers about one person are guessed together, so that a model that never saw them may seem
        to know a few (6 of 10 requests of 20 records on the demo's world): the state alone would
        raise false alarms.
        """
        if self.before is None or self.after is None:
            return False
        rose = self.rise_low is None or self.rise_low > 0
        return self.after.found and not self.before.found and rose

    @property
    def known_before(self) -> bool:
        """Whether it was known again already when this run began."""
        return self.before is not None and self.before.found


def measured_earlier(
    rows: Mapping[str, Groups], earlier: Sequence[EarlierRequest], model: str = "unlearned"
) -> tuple[EarlierRequest, ...]:
    """Judge each earlier request under the original and under the model, from their rows."""
    original = rows.get("original", {})

    def of(groups: Groups | None, name: str) -> RecheckedRows | None:
        if not name or not groups or not groups.get(name):
            return None
        return judge(groups, group=name, original=original)

    found = []
    for one in earlier:
        before, after = of(original, one.group), of(rows.get(model), one.group)
        rise, low = (
            paired_rise(original, rows.get(model), one.group) if before and after else (None, None)
        )
        found.append(replace(one, before=before, after=after, rise=rise, rise_low=low))
    return tuple(found)


def paired_rise(
    before: Groups,
    after: Groups | None,
    group: str,
    ids: Collection[str] | None = None,
    persons: Mapping[str, str] | None = None,
) -> tuple[float | None, float | None]:
    """Mean paired rise in probability, and the lower end of its 95% interval (Student's t).

    Args:
        before: rows of the earlier model.
        after: rows of the later model.
        group: of the records.
        ids: of the records that count; None for all.
        persons: whom each record is about, by its id: the interval is over persons, if the records
            are about three or more.

    Returns:
        None for the mean without records, and for the end with fewer than three.
    """
    old, new = (
        shown((rows or {}).get(group, [])).get("probability", {}) for rows in (before, after)
    )
    each = {id: new[id] - old[id] for id in new if id in old and (ids is None or id in ids)}
    if not each:
        return None, None
    mean, rises = fmean(each.values()), list(each.values())
    over = by_person(each, persons or {})
    if len(over) >= FEWEST:
        rises = [fmean(of) for of in over.values()]
    if len(rises) < FEWEST:
        return mean, None
    return mean, fmean(rises) - margin(rises)


def worst_earlier(earlier: Sequence[EarlierRequest]) -> EarlierRequest | None:
    """Return the earlier request that the model knows best after the run; None without any."""

    def known(one: EarlierRequest) -> tuple[bool, bool, float, float]:
        after = one.after
        assert after is not None
        share = len(after.given) / max(after.asked, 1)
        return one.resurfaced, after.found, share, (after.probability or 0.0) - (after.top or 0.0)

    return max((one for one in earlier if one.after is not None), key=known, default=None)
