"""From the rows of all models under an attack to lines of a table; no model, no torch."""

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
from unteach.types import Score

NAMES = {
    "fact_recall": "facts given",
    "rouge_l_recall": "ROUGE-L",
    "probability": "probability",
    "extraction_strength": "extraction strength",
}
"""The numbers that fall when something is forgotten, the first that there is being the main one."""

HOLDS = 0.95  # of the retain score: an original that keeps less is broken by the attack
ENOUGH = 0.5  # of what the original gives without attack; one that gets less tells little
NEVER = "never seen"
MODELS = ("original", "unlearned", "retrained")
PLAIN = "no attack"
UNKNOWN = Score(None)
Models = Mapping[str, Groups]  # the rows of each model


@dataclass(frozen=True, kw_only=True)
class RecoveryLine:
    """One variant of an attack, beside what it gets from the other models.

    Attributes:
        attack: its name.
        variant: which of its variants.
        main: the number that the recovery is of.
        scores: number -> model -> score, all under the attack; "never seen" is the holdout's under
            the original where there is no retrained model.
        recovery: of the main number, with its interval.
        recoveries: of each number, without.
        kept: model -> its retain score under attack over the original's without.
        closeness: to the retrained model, both under the attack; without its interval.
        facts: model -> further numbers.
        proves: why it proves nothing, or how to read it; empty where there is nothing to say.
        counts: whether it may be the worst case.
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
        """The main number of a model under the attack."""
        score = self.scores.get(self.main, {}).get(model)
        return score.value if score else None


def judged(
    attack: Attack | None,
    variant: str,
    rows: Models,
    plain: Models,
    facts: Mapping[str, Mapping[str, float]] | None = None,
) -> RecoveryLine:
    """The line of one variant.

    Args:
        attack: what it is a variant of; None for no attack.
        variant: its name.
        rows: of each model under the attack.
        plain: of each model without.
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
        recovery=found.get(main, Score(None, note="no forget answer was asked")),
        recoveries={name: score.value for name, score in found.items()},
        kept=kept,
        closeness=_closeness(rows) if attack is None or attack.compares else None,
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
        return "tells little: it gets less than half from the original of what is there"
    if attack and attack.must_hold and "original" not in kept:
        return "without --original and --retain it is not known whether the attack breaks the model"
    if control:
        return "a control: it should change nothing"
    return ""


def _gets(name: str, rows: Models, plain: Models) -> float:
    """The original's main number under the attack over that without, on the same examples."""
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
    """What each model keeps of the original's retain score; of its own where that is not known."""
    found = {}
    for model in rows:
        before = retain_score(plain.get("original", plain[model]))
        now = retain_score(rows[model])
        if before and now is not None:
            found[model] = now / before
    return found


def retain_score(groups: Groups) -> float | None:
    """Mean ROUGE-L recall of the answers to keep, or their probability where none was asked.

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
    """The three models under one attack."""
    return ModelCase(
        rows["unlearned"], original=rows.get("original"), retrained=rows.get("retrained")
    )


def _closeness(rows: Models) -> float | None:
    """The value alone: its interval takes a hundred times as long, and is made for the worst."""
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
    """Closeness to the retrained model, all three models under the attack, with its interval."""
    return COMPARISONS.get("closeness")(case_of(rows))


def worst(lines: list[RecoveryLine]) -> RecoveryLine | None:
    """The line of which most is surely back: the greatest lower end of its recovery.

    The greatest value itself would be that of the noisiest of many variants.
    """
    known = [line for line in lines if line.counts and line.recovery.value is not None]
    return max(known, key=_surely, default=None)


def furthest(lines: list[RecoveryLine]) -> RecoveryLine | None:
    """The line that is furthest from the retrained model.

    An attack that gets nothing from the original either has no unit to measure by.
    """
    known = [line for line in lines if line.counts and line.recovery.value is not None]
    known = [line for line in known if line.closeness is not None]
    return min(known, key=lambda line: line.closeness or 0.0, default=None)


def _surely(line: RecoveryLine) -> tuple[float, float]:
    score = line.recovery
    value = score.value or 0.0
    low = -100.0 if score.low is None else score.low
    return min(low, value), value
