"""TOFU's model utility: a harmonic mean of metrics on the groups to keep."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from unteach.metrics._base import metric
from unteach.metrics.choice import choices
from unteach.metrics.intervals import UNSEEN, outermost
from unteach.metrics.papers import TOFU
from unteach.metrics.rows import Groups, MissingRows, ModelCase, answers, needed, probability
from unteach.metrics.truth_ratio import told, truth_ratios
from unteach.types import Row, Score

DRAWS = 1000
Values = dict[str, float]  # one number for each example
Ratios = Callable[[list[Row]], Values]


@metric(
    "model_utility",
    help="what the model is still good for (0: nothing; low as soon as one part is)",
    direction={"": "high"},
    groups=("retain",),
    retrained="as the original's, or a little above or below",
    gaming="the original has the best there is; rewards knowing, not answering well",
    paper=TOFU,
)
def model_utility(group: str, case: ModelCase) -> Score:
    """Harmonic mean of probability, ROUGE-L recall and truth ratio on each group to keep.

    With groups `authors` and `facts` besides `retain`, these are TOFU's nine numbers
    (section 2.2.1), and the probability on authors and facts is `choice_probability`. Otherwise the
    groups are `retain`, and `world` where there is one. The truth ratio here is max(0, 1 - R).

    The interval is a Bayesian bootstrap (seed 0) with random weights of examples and one unseen
    example, as in `mean_score`.

    Example:
        >>> rows = [Row(id="a", tokens=1, logp=0.0, rouge_l_recall=0.5, truth_ratio=0.0)]
        >>> round(model_utility("retain", ModelCase({"retain": rows})).value, 4)  # 3 / (1 + 2 + 1)
        0.75
    """
    return utility(case.model, truth_ratios)


def utility(groups: Groups, ratios: Ratios) -> Score:
    """The harmonic mean of `model_utility`.

    Args:
        groups: rows of all groups.
        ratios: from the rows of a group to R of each example.

    Raises:
        MissingRows: one of the values is not measurable; names it.
    """
    answers(groups, "retain")
    whole = all(groups.get(name) for name in ("authors", "facts"))
    kept = ("retain", "authors", "facts") if whole else ("retain", "world")
    found = {name: _numbers(name, groups, ratios) for name in kept if groups.get(name)}
    note = "harmonic mean of " + ", ".join(
        f"{part} on {name}" for name, parts in found.items() for part in parts
    )
    tables = [Table.of(parts) for parts in found.values()]
    value = harmonic_mean([mean for table in tables for mean in table.means()])
    n = sum(table.size for table in tables)
    low, high = _bootstrap(tables)
    if not low < high:
        return Score(value, n, note=note)
    return Score(value, n, min(low, value), max(high, value), note)


def harmonic_mean(values: list[float]) -> float:
    """Harmonic mean; 0 if one value is 0.

    Example:
        >>> harmonic_mean([0.5, 1.0])
        0.6666666666666666
    """
    return len(values) / sum(1 / v for v in values) if all(v > 0 for v in values) else 0.0


@dataclass(frozen=True)
class Table:
    """Values of a group: a row for each metric, a column for each example.

    Attributes:
        values: the values; 0 where an example has none.
        known: 1 where an example has a value, else 0.
    """

    values: Any
    known: Any

    @classmethod
    def of(cls, parts: dict[str, Values]) -> "Table":
        """Build a table, with examples sorted by id."""
        import numpy

        ids = sorted({id for values in parts.values() for id in values})
        lines = [[values.get(id, 0.0) for id in ids] for values in parts.values()]
        known = [[id in values for id in ids] for values in parts.values()]
        return cls(numpy.array(lines), numpy.array(known, dtype=float))

    @property
    def size(self) -> int:
        """Number of examples."""
        return self.values.shape[1]

    def means(self) -> list[float]:
        """Mean of each metric, over the examples that have a value."""
        return (self.values.sum(1) / self.known.sum(1)).tolist()

    def drawn(self, random: Any) -> tuple[Any, Any]:
        """Means under random weights, a row per draw: with a low and with a high unseen example."""
        import numpy

        counts = random.exponential(size=(DRAWS, self.size))
        unseen = random.gamma(UNSEEN, size=(DRAWS, 1))
        lines = [numpy.sort(v[k > 0]) for v, k in zip(self.values, self.known, strict=True)]
        tops = numpy.array([outermost(x, 1.0) for x in lines])
        bottoms = numpy.array([-outermost(-x[::-1], 0.0) for x in lines])
        sums, weights = counts @ self.values.T, counts @ self.known.T + unseen
        return (sums + unseen * bottoms) / weights, (sums + unseen * tops) / weights


def _bootstrap(tables: list[Table]) -> tuple[float, float]:
    import numpy

    random = numpy.random.default_rng(0)
    sides = zip(*(table.drawn(random) for table in tables), strict=True)
    ends = []
    for means, share in zip(sides, (0.025, 0.975), strict=True):
        means = numpy.concatenate(means, axis=1)
        with numpy.errstate(divide="ignore"):
            found = means.shape[1] / (1 / means).sum(1)
        ends.append(float(numpy.quantile(found, share)))
    return ends[0], ends[1]


def _numbers(group: str, groups: Groups, ratios: Ratios) -> dict[str, Values]:
    """The three values of each example of a group, by metric."""
    rows = groups[group]
    likely = (
        ("choice_probability", lambda: needed(choices(rows)))
        if group in ("authors", "facts")
        else ("probability", lambda: {r.id: probability(r) for r in answers(groups, group)})
    )
    said = ("rouge_l_recall", lambda: _recalls(answers(groups, group)))
    truth = ("truth_ratio", lambda: needed(told(group, ratios(rows))))
    found = {}
    for name, read in (likely, said, truth):
        try:
            found[name] = read()
        except MissingRows as why:
            raise MissingRows(f"{name} on {group}: {why}") from None
    return found


def _recalls(rows: list[Row]) -> Values:
    found = {row.id: row.rouge_l_recall for row in rows if row.rouge_l_recall is not None}
    if not found:
        raise MissingRows("no answer was generated (raw texts have no question to ask)")
    return found
