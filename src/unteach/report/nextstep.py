"""Suggest what to try next where a gate failed or a run shows what is wrong: settings, files."""

from dataclasses import dataclass, field
from typing import Any

from unteach.report.advice import train_settings
from unteach.report.gates import Gate, Outcome, outcome_of
from unteach.report.judge import damaged, not_forgotten, over_forgotten, recognisable, spoiled
from unteach.report.record import Report
from unteach.report.stop import aim, harmed, why
from unteach.report.table import number
from unteach.report.wrong import one_model

UNBOUNDED = ("ascent", "graddiff", "kl-min")  # only a small learning rate limits these
HEAVY = 9  # weight of the replay term, above which more of it is no help
NEAR = 0.1  # an AUC at most this much below one half is at the holdout's level
MANY = 40  # epochs, above which a higher learning rate is suggested instead


@dataclass(frozen=True)
class Step:
    """Suggested changes for another run.

    Attributes:
        why: the reason, in a sentence.
        sets: new values of settings, by name.
        flags: new values of flags; in capitals if only the user knows them.
    """

    why: str
    sets: dict[str, str] = field(default_factory=dict)
    flags: dict[str, str] = field(default_factory=dict)


def next_step(report: Report) -> Step | None:
    """Return the change to try first; None if all gates passed, or if nothing is wrong.

    Without gates it is by what is wrong with the model of a run.

    Example:
        >>> from unteach.types import Score
        >>> gate = Gate(name="membership", measure="membership AUC", low=0.4, high=0.6,
        ...             score=Score(0.2, 60, 0.1, 0.3), outcome="over-forgotten")
        >>> train = {"learning_rate": 0.001, "draw_back": "never"}
        >>> next_step(Report(models={}, gates=(gate,), request={"train": train})).sets
        {'train.learning_rate': '0.0003'}
    """
    outcome = outcome_of(report.gates) if report.gates else _found(report)
    failed = [gate for gate in report.gates if gate.outcome == outcome]
    if outcome == "done":
        return None
    if outcome == "cannot tell":
        return _more(report, failed[0])
    if not train_settings(report):
        return Step("unlearning starts from the model before, with these files")
    further = {"still recognisable": _further, "over-forgotten": _sooner, "resurfaced": _held}
    return further.get(outcome, _gentler)(report)


def _found(report: Report) -> Outcome:
    """The outcome of a run without gates, by what its report says is wrong."""
    model = one_model(report)
    if model is None or not train_settings(report).get("learning_rate"):  # as of a run
        return "done"
    given = report.given.get(model)
    if (given and given.count) or not_forgotten(report, model) or recognisable(report, model):
        return "still recognisable"
    if over_forgotten(report, model):
        return "over-forgotten"
    return "others damaged" if _others_damaged(report) else "done"


def _others_damaged(report: Report) -> bool:
    if report.gates:
        return any(gate.outcome == "others damaged" for gate in report.gates)
    model = one_model(report)
    return model is not None and bool(damaged(report, model) or spoiled(report, model))


def step_of_earlier(report: Report) -> Step | None:
    """What to try where an earlier request came back, whether gates were declared or not."""
    back = any(one.resurfaced for one in report.earlier)
    return _held(report) if back and train_settings(report) else None


def _held(report: Report) -> Step:
    train = train_settings(report)
    if not train.get("replay"):
        return Step("earlier requests are held where they were", {"train.replay": "true"})
    weight = float(train.get("replay_weight") or 1.0)
    if weight < HEAVY:
        told = "earlier requests are held more"
        return Step(told, {"train.replay_weight": f"{3 * weight:g}"})
    return _slower(report, "a lower rate moves earlier requests less")


def _more(report: Report, gate: Gate) -> Step:
    evaluate = report.request.get("evaluate")
    most = evaluate.get("max_examples") if isinstance(evaluate, dict) else None
    if most and gate.score.n >= most and gate.name in ("retain", "fluency"):
        more = {"evaluate.max_examples": str(4 * most)}
        return Step("with more examples, the intervals become narrower", more)
    role = "retain" if gate.name == "retain" else "holdout"
    return Step(
        f"with more {role} examples the outcome can be decided",
        flags={f"--{role}": f"MORE_{role.upper()}.jsonl"},
    )


def _further(report: Report) -> Step:
    train = train_settings(report)
    if _others_damaged(report) and _name(report) != "unseen":
        return _default()
    if "the teacher's is" in why(report):
        return _nearer(report)
    if harmed(report):
        return _slower(
            report, "training ended because it harmed too much; a lower learning rate harms less"
        )
    if (level := aim(report)) is not None:
        lower = {"train.stop_at": f"{level / 2:.2g}"}
        return Step(
            "training ended at the level of train.stop_at; a lower one lets it continue", lower
        )
    if train.get("stop_at") == "holdout" and why(report):
        return Step(
            "training ended at the holdout's level; without train.stop_at it continues",
            {"train.stop_at": "0"},
        )
    epochs = train.get("epochs")
    if epochs and epochs < MANY:
        return Step("more epochs forget more", {"train.epochs": f"{2 * epochs:g}"})
    return _rate(report, 2.0, "a higher learning rate forgets more")


def _nearer(report: Report) -> Step:
    """Suggest other models for a run that reached its teacher, so that more training is no use."""
    if not report.request.get("base"):
        told = "the run reached its teacher; the model before fine-tuning would be a better one"
        return Step(told, flags={"--base": "BASE_MODEL"})
    told = "the run reached its teacher; a model trained without the forget set tells more"
    return Step(told, flags={"--retrained": "RETRAINED_MODEL"})


def _sooner(report: Report) -> Step:
    train, request = train_settings(report), report.request
    if request.get("holdout") and (other := _easier_holdout(report)):
        return other
    if request.get("holdout") and train.get("draw_back") == "never":
        told = (
            "train.draw_back interpolates a model that forgot too much back to the holdout's level"
        )
        if "drawn_back_to" not in report.facts:
            return Step(told, {"train.draw_back": "holdout"})
    if _name(report) in UNBOUNDED:
        return _default()
    return _slower(report, "a lower learning rate overshoots that level less")


def _easier_holdout(report: Report) -> Step | None:
    """Suggest another holdout where the model is at its level, and the retrained one above it."""
    ours, theirs = (
        report.value(model, "forget", "membership_auc_loss") for model in ("unlearned", "retrained")
    )
    if ours is None or theirs is None or ours < 0.5 - NEAR or theirs <= ours:
        return None
    told = (
        f"the model is at the holdout's level (membership AUC {number(ours)}), and a model that "
        f"never saw the forget set is above it ({number(theirs)}): a holdout that is as easy to "
        "guess as the forget set sets a better level"
    )
    return Step(told, flags={"--holdout": "OTHER_HOLDOUT.jsonl"})


def _gentler(report: Report) -> Step:
    train, request = train_settings(report), report.request
    if not request.get("retain"):
        return Step(
            "with a retain set, training also keeps what should stay",
            flags={"--retain": "RETAIN.jsonl"},
        )
    if _name(report) in UNBOUNDED:
        return _default()
    if train.get("retain") == "none" or not train.get("retain_weight"):
        return Step("a retain term keeps what should stay", {"train.retain": "kl"})
    return _slower(report, "a lower learning rate harms less")


def _default() -> Step:
    return Step(
        "the default method ends where a model stands that never saw them, and keeps more",
        flags={"--method": "auto"},
    )


def _slower(report: Report, told: str) -> Step:
    return _rate(report, 1 / 3, told)


def _rate(report: Report, times: float, told: str) -> Step:
    lowered = report.facts.get("learning_rate_lowered_to")
    rate = lowered if isinstance(lowered, (int, float)) else train_settings(report)["learning_rate"]
    return Step(told, {"train.learning_rate": f"{rate * times:.1g}"})


def _name(report: Report) -> Any:
    method = report.request.get("method")
    return method.get("name") if isinstance(method, dict) else None


def told(step: Step) -> str:
    """Format a step as a sentence for the report.

    Example:
        >>> told(Step("more epochs forget more", {"train.epochs": "40"}))
        'Next: more epochs forget more (`--set train.epochs=40`).'
    """
    changes = [f"`--set {name}={value}`" for name, value in step.sets.items()]
    changes += [f"`{flag} {value}`" for flag, value in step.flags.items()]
    return f"Next: {step.why}" + (f" ({', '.join(changes)})." if changes else ".")
