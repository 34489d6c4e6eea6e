"""Where training stopped: what it saw there is not yet what the written model has."""

from unteach.report.record import Report
from unteach.report.table import number


def aim(report: Report) -> float | None:
    """The mean probability of the forget answers at which training ended; None where it did not."""
    train = report.request.get("train")
    set_ = train.get("stop_at") if isinstance(train, dict) else None
    level = report.facts.get("stop_at", set_)
    ended = report.facts.get("stopped_because") and isinstance(level, (int, float))
    return float(level) if ended else None


def seen(report: Report) -> float | None:
    """What training last saw of it: of each answer, before the step that it was part of."""
    found = report.facts.get("forget_probability_in_training")
    return float(found) if isinstance(found, (int, float)) else None


def stop(report: Report, model: str) -> str:
    """A paragraph on it; nothing where training went on to its end."""
    at, saw = aim(report), seen(report)
    written = report.value(model, "forget", "probability")
    if at is None or saw is None or written is None:
        return ""
    asked = report.request["train"].get("stop_at")
    steps, planned = report.facts.get("steps"), report.facts.get("steps_planned")
    of = f" after step {steps} of {planned}" if steps and planned else ""
    level = f"{number(at)}, by train.stop_at={asked}" if asked != at else f"train.stop_at={at:g}"
    return (
        f"**Stop.** Training ended{of}, once it saw the forget answers at a probability of at most "
        f"{level}. It saw {number(saw)} there, each answer as it was before the last step that it "
        f"was part of; the model as written has {number(written)}."
    )


def drawn_back(report: Report, model: str) -> str:
    """A paragraph on a model that had gone too far; nothing where it had not."""
    facts = report.facts
    share, before, after = (
        facts.get(name) for name in ("drawn_back_to", "auc_where_training_ended", "auc_drawn_back")
    )
    if not isinstance(share, (int, float)) or share >= 1:
        return ""
    return (
        f"**Drawn back.** Where training ended, the forget answers were less likely than answers "
        f"that were never seen (AUC {number(before)} against the first half of the holdout, which "
        f"judges nothing here): that gives away what was removed. The model as written stands at "
        f"{share:.0%} of the way along its trained weights, where the AUC is {number(after)}."
    )
