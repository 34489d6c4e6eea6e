"""The opening of a report: what the numbers say, in plain words, and no more."""

from collections.abc import Callable

from unteach.report.record import Report
from unteach.report.table import number

NEAR = 0.1  # values this close are called alike
UNKNOWN = 0.05  # a probability per token below this is no memory of an answer
KEPT = 0.8  # below this share of the retain probability, the rest is called damaged


def verdict(report: Report) -> list[str]:
    """Paragraphs on what is forgotten, what is kept, and what looks wrong."""
    model = one_model(report)
    if model is None:
        return _overview(report)
    parts = (_wanted, _near, _forgotten, _asked, _kept, _warning)
    return [said for part in parts if (said := part(report, model))]


def one_model(report: Report) -> str | None:
    """The model that a report is about; None where it compares several."""
    names = [m for m in report.models if m.split("-")[0] not in ("original", "retrained")]
    return "unlearned" if "unlearned" in names else names[0] if len(names) == 1 else None


def not_forgotten(report: Report, model: str) -> bool:
    """Whether the forget answers are likelier than under the retrained model, by far."""
    ours, never = (report.value(m, "forget", "probability") for m in (model, "retrained"))
    return ours is not None and never is not None and ours > never + NEAR


def damaged(report: Report, model: str) -> bool:
    """Whether much of the probability of answers that should stay is gone."""
    shares = [_share(report, model, group) for group in ("retain", *_others(report))]
    return any(share is not None and share < KEPT for share in shares)


def over_forgotten(report: Report, model: str) -> bool:
    """Whether the forget answers stand out by being unlikely, beyond their interval."""
    score = report.score(model, "forget", "membership_auc_loss")
    if score.value is None:
        return False
    edge = score.value if score.high is None else score.high
    return score.value < _level(report) - NEAR and edge < _level(report)


def recognisable(report: Report, model: str) -> bool:
    """Whether the forget answers stand out by being likely, beyond their interval."""
    score = report.score(model, "forget", "membership_auc_loss")
    if score.value is None:
        return False
    edge = score.value if score.low is None else score.low
    return score.value > _level(report) + NEAR and edge > _level(report)


LISTED: tuple[tuple[str, Callable[[Report, str], bool]], ...] = (
    (f"Not forgotten (probability more than {NEAR} above the retrained model's)", not_forgotten),
    ("Still recognisable (the forget answers stand out from texts never seen)", recognisable),
    ("Over-forgotten (they stand out by being less likely than texts never seen)", over_forgotten),
    (f"Damaged (less than {KEPT:.0%} of the probability kept of what should stay)", damaged),
)


def _overview(report: Report) -> list[str]:
    names = [m for m in report.models if m.split("-")[0] not in ("original", "retrained")]
    if not names:
        return []
    opening = "Each line of the table is a model. `original` was trained on the forget set"
    if "retrained" in report.models:
        opening += (
            "; `retrained` never saw it. A method has done its work where its numbers are near "
            "those of `retrained`, in every column at once"
        )
    lines = []
    for what, holds in LISTED:
        found = [f"`{name}`" for name in names if holds(report, name)]
        lines.append(f"- {what}: {', '.join(found) or 'none'}")
    rest = [f"`{n}`" for n in names if not any(holds(report, n) for _, holds in LISTED)]
    lines.append(f"- None of these: {', '.join(rest) or 'no method'}")
    return [f"{opening}.", "\n".join(lines)]


def _others(report: Report) -> list[str]:
    """Groups that should stay as they are, beside retain."""
    groups = [group for scores in report.models.values() for group in scores]
    return [g for g in dict.fromkeys(groups) if g not in ("forget", "retain", "holdout")]


def _share(report: Report, model: str, group: str) -> float | None:
    """How much of the original's probability is left."""
    before, after = (report.value(m, group, "probability") for m in ("original", model))
    return None if not before or after is None else after / before


def _level(report: Report) -> float:
    """The membership AUC to be expected of a model that never saw the forget set."""
    level = report.value("retrained", "forget", "membership_auc_loss")
    return 0.5 if level is None else level


def _three(report: Report, model: str, group: str, metric: str) -> tuple[float | None, ...]:
    models = ("original", model, "retrained")
    return tuple(report.value(model, group, metric) for model in models)


def _wanted(report: Report, model: str) -> str:
    counts = report.facts.get("examples")
    if not isinstance(counts, dict) or not counts.get("forget"):
        return ""
    if "suite" in report.facts:
        groups = ", ".join(f"{count} of {group}" for group, count in counts.items())
        return f"**Asked.** {report.label}: {groups}."
    tokens = report.facts.get("forget_answer_tokens")
    what = f"{counts['forget']} examples" + (f" ({tokens} answer tokens)" if tokens else "")
    keep = f", keep {counts['retain']}" if counts.get("retain") else ""
    return f"**Wanted.** Forget {what}{keep}, with {report.label}."


def _near(report: Report, model: str) -> str:
    score = report.compared(model, "closeness")
    if score.value is None:
        return ""
    facets = ("forgotten", "forget"), ("given away", "privacy"), ("kept", "kept")
    parts = [
        f"{number(report.compared(model, f'closeness_{name}').value)} in what is {said}"
        for said, name in facets
    ]
    ends = "" if score.low is None else f" ({number(score.low)} to {number(score.high)})"
    return (
        f"**Closeness to the retrained model: {number(score.value)}**{ends}: {', '.join(parts)}. "
        "A second retrained model scores near 1, the original and a broken model near 0."
    )


def _forgotten(report: Report, model: str) -> str:
    before, after, never = _three(report, model, "forget", "probability")
    if before is None or after is None:
        return ""
    text = (
        f"**Forget.** The answers had a probability of {_plain(before)} per token before, and have "
        f"{_plain(after)} after"
    )
    if never is None:
        text += ". No retrained model was given, so how low is low enough is not known."
        if before < UNKNOWN:
            text += (
                " The original hardly knew them, at least in this wording: there was little to "
                "forget, or the prompts are not written as it learned them."
            )
        return text
    text += f"; a model that never saw them gives {_plain(never)}."
    if before <= never + NEAR:
        text += " The original hardly knew them better than that: there was little to forget."
    if not_forgotten(report, model):
        return text + " **They are not forgotten to that level.**"
    if after < never - NEAR:
        return text + " That is below it: forgotten further than never learned."
    return text


def _asked(report: Report, model: str) -> str:
    before, after, never = _three(report, model, "forget", "fact_recall")
    if before is None or after is None:
        return ""
    text = (
        f"**When asked**, the model gave the right fact in {before:.0%} of cases before, and gives "
        f"it in {after:.0%} after"
    )
    return text + (f" ({never:.0%} retrained)." if never is not None else ".")


def _kept(report: Report, model: str) -> str:
    told = [_kept_of(report, model, group) for group in ("retain", *_others(report))]
    if report.value(model, "retain", "probability") is None:
        told[0] = "**Retain.** No retain set was given, so what else was lost is not known."
    text = " ".join(part for part in told if part)
    broken = damaged(report, model)
    return text + (" **The rest of the model was damaged.**" if broken else "")


def _kept_of(report: Report, model: str, group: str) -> str:
    before, after, _ = _three(report, model, group, "probability")
    share = _share(report, model, group)
    if before is None or after is None:
        return ""
    what = {
        "retain": "**Retain.** The answers to keep",
        "world": "Other facts, which unlearning was not shown,",
        "authors": "Those on real authors",
        "facts": "Those on world facts",
    }.get(group, f"The answers of `{group}`")
    left = f": {share:.0%} kept" if share is not None and share < 1 else ""
    return f"{what} had {_plain(before)} before and have {_plain(after)} after{left}."


def _warning(report: Report, model: str) -> str:
    auc, level = report.value(model, "forget", "membership_auc_loss"), _level(report)
    against = "retrained" if "retrained" in report.models else "no difference"
    numbers = f"(membership AUC {number(auc)}; {against} {number(level)})"
    if over_forgotten(report, model):
        return (
            "**Over-forgotten.** The model finds the forget answers less likely than texts it "
            f"never saw {numbers}. Who looks for that can tell what was removed. A run with "
            "train.stop_at=holdout ends sooner."
        )
    if recognisable(report, model):
        return (
            f"**Still recognisable.** The forget answers stand out from texts never seen {numbers}."
        )
    return ""


def _plain(value: float) -> str:
    return "less than 0.01" if value < 0.005 else number(value)
