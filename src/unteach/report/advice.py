"""Suggest settings for another run, without repeating what this run has set already."""

from typing import Any

from unteach.report.record import Report
from unteach.report.stop import aim, harmed, why
from unteach.report.table import number


def train_settings(report: Report) -> dict[str, Any]:
    """The `train` section of the request; empty if the report is not of a training run."""
    train = report.request.get("train")
    return train if isinstance(train, dict) else {}


def sooner(report: Report) -> str:
    """Advice to forget less: stop earlier, or use a smaller learning rate."""
    train = train_settings(report)
    if not train:
        return ""
    stop, smaller = train.get("stop_at"), _rate(train, "below", "a smaller")
    if aim(report) is not None:
        return (
            f"With {smaller} the steps past the level of train.stop_at={stop} are smaller, and "
            f"{_above(stop)}."
        )
    if report.request.get("holdout") and train.get("draw_back") == "never":
        return "With train.draw_back=holdout a model that goes too far is drawn back."
    if stop or not report.request.get("holdout") or train.get("draw_back"):
        return f"With {smaller} or fewer train.epochs{_now(train, 'epochs')} a run ends sooner."
    return (
        f"A run with train.stop_at=holdout ends sooner; with {smaller} it leaps less far past that "
        "level."
    )


def further(report: Report) -> str:
    """Advice to forget more: stop later, train longer, or use a larger learning rate."""
    train = train_settings(report)
    if not train:
        return ""
    if (level := aim(report)) is not None:
        return f"Training ended by train.stop_at={level:g}; below {number(level)} it continues."
    if harmed(report):
        smaller = _rate(train, "below", "a smaller")
        return f"Training ended by train.min_kept={train.get('min_kept')}: {smaller} harms less."
    if "the teacher's is" in why(report):
        return "Training ended at its teacher's level: more of it is no help."
    if why(report) and train.get("stop_at") == "holdout":
        return "Training ended by train.stop_at=holdout; without it, training continues."
    larger = _rate(train, "above", "a larger")
    return f"More train.epochs{_now(train, 'epochs')} or {larger} forgets more, as a rule."


def more_kept(report: Report) -> str:
    """Advice to keep more: a larger retain weight, or a smaller learning rate."""
    train = train_settings(report)
    if not train:
        return ""
    if not report.request.get("retain"):
        return "Give --retain a file of what the model should keep: this run had none."
    if train.get("retain") == "none" or not train.get("retain_weight"):
        return "This run had no retain term: train.retain=nll or kl holds what should stay."
    weight, smaller = train["retain_weight"], _rate(train, "below", "a smaller")
    return f"A train.retain_weight above {weight:g} or {smaller} keeps more, as a rule."


def _above(stop: Any) -> str:
    return f"train.stop_at above {stop} ends sooner" if stop else "train.stop_at ends sooner"


def _rate(train: dict[str, Any], than: str, without: str) -> str:
    rate = train.get("learning_rate")
    return f"a train.learning_rate {than} {rate:g}" if rate else f"{without} train.learning_rate"


def _now(train: dict[str, Any], name: str) -> str:
    return f" (now {train[name]:g})" if train.get(name) else ""
