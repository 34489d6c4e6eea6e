"""Compute recovery, utility and closeness under an attack from rows, without model or torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean

from unteach.attacks._base import CONTROL, Attack
from unteach.files.rows import Groups
from unteach.metrics._base import COMPARISONS, measured
from unteach.metrics._values import shown
from unteach.metrics.closeness import forget_part, kept_part, privacy_part
from unteach.metrics.intervals import mean_score
from unteach.metrics.recovery import recovery
from unteach.metrics.rows import MissingRows, ModelCase
from unteach.types import Row, Score

NAMES = {
    "fact_recall": "facts given",
    "rouge_l_recall": "ROUGE-L",
    "probability": "probability",
    "extraction_strength": "extraction strength",
}
"""Metrics that fall when data are forgotten; the first one that is available is the main one."""

HOLDS = 0.95  # share of its retain score below which the attack breaks the original
ENOUGH = 0.5  # share of the original's main metric that a meaningful attack must get from it, and
# of the answers that must have numbers under it
NEVER = "never seen"
MODELS = ("original", "unlearned", "retrained")
PLAIN = "no attack"
UNKNOWN = Score(None)
Models = Mapping[str, Groups]  # model -> its rows by group


@dataclass(frozen=True, kw_only=True)
class RecoveryLine:
    """The scores of all models under one variant of an attack.

    Attributes:
        attack: name of the attack.
        variant: name of the variant.
        main: the metric of `recovery`.
        scores: metric -> model -> score under the attack. Without a retrained model, the model
            "never seen" has the original's scores on the holdout.
        recovery: recovery of the main metric, with its interval: 0 is the retrained model (or the
            holdout), 1 the original.
        recoveries: metric -> recovery, without intervals.
        kept: model -> its retain score under attack, divided by the original's without attack.
        closeness: closeness to the retrained model, both under the attack; without an interval.
            None where the attack leaves fewer than half of the answers their numbers.
        facts: model -> further numbers.
        proves: why the line tells little, or how to read it; often empty.
        counts: whether the line can be the worst case.
    """

    attack: str
    variant: str
    main: str
    scores: Mapping[str, Mapping[str, Score]] = field(default_factory=dict)
    recovery: Score = UNKNOWN
    recoveries: Mapping[str, float | None] = field(default_factory=dict)
    kept: Mapping[str, float] = field(default_factory=dict)
    closeness: float | None = None
    facts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    proves: str = ""
    counts: bool = False

    def value(self, model: str) -> float | None:
        """Return the main metric of a model under the attack."""
        score = self.scores.get(self.main, {}).get(model)
        return score.value if score else None


def judged(
    attack: Attack | None,
    variant: str,
    rows: Models,
    plain: Models,
    facts: Mapping[str, Mapping[str, float]] | None = None,
) -> RecoveryLine:
    """Return the line of one variant.

    Args:
        attack: the attack; None for the models without attack.
        variant: name of the variant.
        rows: rows of each model under the attack.
        plain: rows of each model without attack.
        facts: further numbers of each model.
    """
    values = {model: shown(found.get("forget", [])) for model, found in rows.items()}
    unseen = shown(rows.get("original", {}).get("holdout", []))
    there = [n for n in NAMES if all(n in of for of in values.values())]
    main = there[0] if there else "probability"
    scores = {n: _scores(n, values, unseen if "retrained" not in rows else {}) for n in there}
    found = {n: measured(lambda n=n: _recovered(n, values, unseen)) for n in there}
    kept = _kept(rows, plain)
    broken = bool(attack and attack.must_hold and kept.get("original", 1.0) < HOLDS)
    control = variant.endswith(CONTROL)
    weak = _gets(main, rows, plain) < ENOUGH
    return RecoveryLine(
        attack=attack.name if attack else PLAIN,
        variant=variant,
        main=main,
        scores=scores,
        recovery=found.get(main, Score(None, note="no forget answer was evaluated")),
        recoveries={name: score.value for name, score in found.items()},
        kept=kept,
        closeness=_closeness(rows) if _compares(attack, rows, plain) else None,
        facts=facts or {},
        proves=_proves(attack, kept, broken=broken, control=control, weak=weak),
        counts=not broken and not control and not weak,
    )


def _proves(
    attack: Attack | None,
    kept: Mapping[str, float],
    *,
    broken: bool,
    control: bool,
    weak: bool,
) -> str:
    if broken:
        return (
            f"proves nothing: the original itself keeps {kept['original']:.0%} of its retain score"
        )
    if weak:
        return "tells little: from the original it gets less than half of what no attack gets"
    if attack and attack.must_hold and "original" not in kept:
        return "without --original and --retain it is not known whether the attack breaks the model"
    if control:
        return "a control: it should change nothing"
    return ""


def _gets(name: str, rows: Models, plain: Models) -> float:
    """Return the original's main metric under the attack, divided by that without attack."""
    found = [shown(of.get("original", {}).get("forget", [])).get(name, {}) for of in (rows, plain)]
    ids = found[0].keys() & found[1].keys()
    there = sum(found[1][id] for id in ids)
    return sum(found[0][id] for id in ids) / there if there else 1.0


def _scores(name: str, values: Mapping[str, dict], unseen: dict) -> dict[str, Score]:
    found = {model: _mean(of[name]) for model, of in values.items()}
    if unseen.get(name):
        found[NEVER] = _mean(unseen[name])
    return found


def _mean(values: Mapping[str, float]) -> Score:
    return mean_score([values[id] for id in sorted(values)])


def _recovered(name: str, values: Mapping[str, dict], unseen: dict) -> Score:
    if "original" not in values:
        raise MissingRows("no original model is given")
    never = values["retrained"][name] if "retrained" in values else None
    return recovery(
        values["unlearned"][name],
        values["original"][name],
        retrained=never,
        holdout=unseen.get(name),
    )


def _kept(rows: Models, plain: Models) -> dict[str, float]:
    """Return each model's retain score under attack as a share of the original's, or of its own."""
    found = {}
    for model in rows:
        before = retain_score(plain.get("original", plain[model]))
        now = retain_score(rows[model])
        if before and now is not None:
            found[model] = now / before
    return found


def retain_score(groups: Groups) -> float | None:
    """Mean ROUGE-L recall of the retain answers; their probability if none were generated.

    Example:
        >>> from unteach.types import Row
        >>> retain_score({"retain": [Row(id="a", rouge_l_recall=0.5)]}), retain_score({})
        (0.5, None)
    """
    values = shown(groups.get("retain", []))
    for name in ("rouge_l_recall", "probability"):
        if name in values:
            return fmean(values[name].values())
    return None


def case_of(rows: Models) -> ModelCase:
    """Return the three models under one attack as a case for metrics."""
    return ModelCase(
        rows["unlearned"], original=rows.get("original"), retrained=rows.get("retrained")
    )


def _compares(attack: Attack | None, rows: Models, plain: Models) -> bool:
    """Whether closeness can be computed: most answers have numbers under the attack.

    An answer that was begun for the model, up to its fact, leaves too few tokens (`bare`), and a
    few answers would speak for all.
    """
    if attack is None:
        return True
    return attack.compares and all(
        _numbered(found.get(role, []), plain[model].get(role, [])) >= ENOUGH
        for model, found in rows.items()
        for role in ("forget", "holdout")
    )


def _numbered(rows: list[Row], plain: list[Row]) -> float:
    """Return the share of the answers with numbers without attack that have them under it."""
    before = {row.id for row in plain if row.tokens}
    asked = [row for row in rows if row.id in before]
    return sum(row.tokens > 0 for row in asked) / len(asked) if asked else 1.0


def _closeness(rows: Models) -> float | None:
    """Return closeness without its interval, which takes a hundred times as long."""
    import numpy

    if not {"original", "retrained"} <= rows.keys():
        return None
    case = case_of(rows)

    def bare() -> Score:
        from unteach.metrics._draws import harmonic

        parts = [part(case) for part in (forget_part, privacy_part, kept_part)]
        found = [
            part.of({group: numpy.arange(n)[None] for group, n in part.sizes.items()})
            for part in parts
        ]
        return Score(float(harmonic(found)[0]))

    return measured(bare).value


def closeness_under_attack(rows: Models) -> Score:
    """Closeness to the retrained model with its interval, all models under the attack."""
    return COMPARISONS.get("closeness")(case_of(rows))


def worst(lines: list[RecoveryLine]) -> RecoveryLine | None:
    """Return the line with the greatest lower end of its recovery's interval; None if unknown.

    The greatest value itself would be that of the noisiest of many variants.
    """
    known = [line for line in lines if line.counts and line.recovery.value is not None]
    return max(known, key=_surely, default=None)


def furthest(lines: list[RecoveryLine]) -> RecoveryLine | None:
    """Return the line with the least closeness to the retrained model; None if unknown.

    Lines without a recovery are left out: the attack gets nothing from the original either.
    """
    known = [line for line in lines if line.counts and line.recovery.value is not None]
    known = [line for line in known if line.closeness is not None]
    return min(known, key=lambda line: line.closeness or 0.0, default=None)


def _surely(line: RecoveryLine) -> tuple[float, float]:
    score = line.recovery
    value = score.value or 0.0
    low = -100.0 if score.low is None else score.low
    return min(low, value), value
