"""List what is wrong with the one model of a report, one line for each finding."""

from unteach.report.answers import harmed, still
from unteach.report.comeback import comes_back
from unteach.report.earlier import earlier_lines
from unteach.report.judge import (
    KEPT,
    NEAR,
    damaged,
    kept_parts,
    not_forgotten,
    others,
    over_forgotten,
    recognisable,
    spoiled,
    told_apart,
)
from unteach.report.record import Report
from unteach.report.stop import aim, seen
from unteach.report.table import number

SAID = (
    (not_forgotten, "not forgotten: the answers are likelier than had the model never seen them"),
    (recognisable, "still recognisable: the forget answers stand out from texts never seen"),
    (over_forgotten, "over-forgotten: the forget answers are less likely than texts never seen"),
)


def one_model(report: Report) -> str | None:
    """The model that a report is about; None if it compares several."""
    names = others(report)
    return "unlearned" if "unlearned" in names else names[0] if len(names) == 1 else None


def what_is_wrong(report: Report) -> list[str]:
    """Lines for the terminal on what is wrong; empty if nothing is.

    Example:
        >>> from unteach.types import Score
        >>> models = {"original": {"retain": {"probability": Score(0.9)}},
        ...           "unlearned": {"retain": {"probability": Score(0.4)}}}
        >>> what_is_wrong(Report(models=models))
        ['damaged: less than 80% is kept of what should stay (retain: 44% of the probability)']
    """
    model = one_model(report)
    if not model:
        return []
    given = still(report, model)
    lines = [f"still given: {given}"] if given else []
    findings = [text for holds, text in SAID if holds(report, model)]
    lines += findings or _other_attack(report, model)
    back = comes_back(report.attacks)
    lines += [f"comes back under attack: {back}"] if back else []
    lines += earlier_lines(report.earlier)
    if damaged(report, model):
        kept = ", ".join(kept_parts(report, model))
        lines.append(f"damaged: less than {KEPT:.0%} is kept of what should stay ({kept})")
    lines += [f"harmed: {line}" for line in harmed(report, model)]
    if spoiled(report, model):
        lines.append(f"holdout harmed: {_holdout_line(report, model)}")
    return [*lines, *_past_stop(report, model)]


def _other_attack(report: Report, model: str) -> list[str]:
    """The attack with the clearest result, for use if the loss attack finds nothing."""
    attacks = told_apart(report, model)
    if not attacks:
        return []
    name = max(attacks, key=lambda name: abs(attacks[name][0] - attacks[name][1]))
    auc, at = attacks[name]
    against = "retrained" if "retrained" in report.models else "no difference"
    return [
        f"still distinguishable: another attack (`{name}`) distinguishes the forget answers from "
        f"unseen texts: AUC {number(auc)}; {against} {number(at)}"
    ]


def _holdout_line(report: Report, model: str) -> str:
    was, now = (number(report.value(m, "holdout", "probability")) for m in ("original", model))
    return f"texts like the forget set that no model saw had a probability of {was}, and have {now}"


def _past_stop(report: Report, model: str) -> list[str]:
    """A line if the model went far past the level of `train.stop_at`, from above it."""
    at, saw = aim(report), seen(report)
    written = report.value(model, "forget", "probability")
    before = report.value("original", "forget", "probability")
    if at is None or saw is None or written is None or written > at - NEAR or (before or 1) <= at:
        return []
    return [
        f"went past its stop: training was to end at {number(at)} and measured {number(saw)} "
        f"there; the final model has {number(written)}"
    ]
