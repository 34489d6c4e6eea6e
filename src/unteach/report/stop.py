"""Write paragraphs on early stopping, a lowered learning rate, and a model that was drawn back."""

from unteach.report.record import Report
from unteach.report.table import number


def aim(report: Report) -> float | None:
    """The value of `train.stop_at` at which training ended early; None if it did not.

    A run towards a teacher also ends early, but not by a set level.
    """
    train = report.request.get("train")
    set_ = train.get("stop_at") if isinstance(train, dict) else None
    ended = why(report) and isinstance(set_, (int, float)) and not harmed(report)
    return float(set_) if ended and set_ else None


def why(report: Report) -> str:
    """Why training ended before its last step; empty if it did not."""
    return report.facts.get("stopped_because") or ""


def harmed(report: Report) -> bool:
    """Whether training ended because of `train.min_kept`."""
    return "train.min_kept" in why(report)


def seen(report: Report) -> float | None:
    """Mean forget probability in training: of each answer, before the last step it was part of."""
    found = report.facts.get("forget_probability_in_training")
    return float(found) if isinstance(found, (int, float)) else None


def stop(report: Report, model: str) -> str:
    """A paragraph on early stopping; empty if training ran to its end."""
    at, saw = aim(report), seen(report)
    written = report.value(model, "forget", "probability")
    ended = f"Training ended{_after(report)}"
    if at is None and why(report):
        return f"**End.** {ended}: {why(report)}."
    if at is None or saw is None or written is None:
        return ""
    level = f"train.stop_at={at:g}"
    return (
        f"**Stop.** {ended}, once the forget answers had a probability of at most {level}. "
        f"Training measured {number(saw)}, each answer before the last step that it was part of; "
        f"the final model has {number(written)}."
    )


def slower(report: Report, model: str) -> str:
    """A paragraph on a lowered learning rate; empty if it was not lowered."""
    lower = report.facts.get("learning_rate_lowered_to")
    train = report.request.get("train")
    if not isinstance(lower, (int, float)) or not isinstance(train, dict):
        return ""
    return (
        f"**Learning rate.** The automatic rate of {train['learning_rate']:g} destroyed the model "
        f"in its first steps, so training began again from the original with {lower:g}."
    )


def drawn_back(report: Report, model: str) -> str:
    """A paragraph on weights that were drawn back towards the original; empty if they were not."""
    facts = report.facts
    share, before, after = (
        facts.get(name) for name in ("drawn_back_to", "auc_where_training_ended", "auc_drawn_back")
    )
    if not isinstance(share, (int, float)) or share >= 1:
        return ""
    return (
        f"**Drawn back.** Where training ended, the forget answers were less likely than answers "
        f"that were never seen (AUC {number(before)} against the holdout answers that set levels): "
        f"that would reveal what was removed. The final model is at {share:.0%} of the way "
        f"along its trained weights, where the AUC is {number(after)}."
    )


def _after(report: Report) -> str:
    steps, planned = report.facts.get("steps"), report.facts.get("steps_planned")
    return f" after step {steps} of {planned}" if steps and planned else ""
