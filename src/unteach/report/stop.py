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
