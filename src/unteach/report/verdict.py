"""Write the opening paragraphs of a report: what the scores say, in words."""

from unteach.report.advice import further, more_kept, sooner
from unteach.report.answers import still, still_told
from unteach.report.gatewords import gate_sentence
from unteach.report.judge import (
    NEAR,
    damaged,
    kept_by,
    level,
    not_forgotten,
    over_forgotten,
    recognisable,
    reworded,
    share,
    spoiled,
    staying,
    unseen,
)
from unteach.report.nextstep import next_step, step_of_earlier, told
from unteach.report.overview import overview
from unteach.report.record import Report
from unteach.report.stop import drawn_back, slower, stop
from unteach.report.table import interval, number
from unteach.report.wrong import one_model, what_is_wrong
from unteach.types import Score

UNKNOWN = 0.05  # below this probability per token an answer counts as unknown
GROUPS = {
    "retain": "The answers to keep",
    "world": "Other facts, which unlearning was not shown,",
    "authors": "Those on real authors, among wrong ones,",
    "facts": "Those on world facts, among wrong ones,",
}


def verdict(report: Report) -> list[str]:
    """Paragraphs on what is forgotten, what is kept, and what is wrong."""
    model = one_model(report)
    if model is None:
        first = [text] if "suite" in report.facts and (text := _request(report)) else []
        return [*first, *overview(report)]
    parts = (
        _request,
        _gates,
        _findings,
        _next,
        _closeness,
        _still_given,
        _forgotten,
        _fact_recall,
        slower,
        stop,
        drawn_back,
        _kept,
        _holdout_paragraph,
        _membership,
    )
    return [text for text in (part(report, model) for part in parts) if text]


def _values(report: Report, model: str, group: str, metric: str) -> tuple[float | None, ...]:
    models = ("original", model, "retrained")
    return tuple(report.value(model, group, metric) for model in models)


def _findings(report: Report, model: str) -> str:
    """The lines on what is wrong, the same as in the terminal."""
    lines = "\n".join(f"- {line}" for line in what_is_wrong(report))
    return f"**What is wrong:**\n\n{lines}" if lines else ""


def _next(report: Report, model: str) -> str:
    """What to try next; with gates it stands below their table, and with earlier requests too."""
    step = None if report.gates or step_of_earlier(report) else next_step(report)
    return f"**Next:** {told(step).removeprefix('Next: ')}" if step else ""


def _request(report: Report, model: str = "") -> str:
    counts = report.facts.get("examples")
    if not isinstance(counts, dict) or not counts.get("forget"):
        return ""
    if "suite" in report.facts:
        groups = ", ".join(f"{count} of `{group}`" for group, count in counts.items())
        limit = report.facts.get("limit")
        return f"**Evaluated.** {report.label}: {groups}." + (
            f" Limited to {limit}." if limit else ""
        )
    tokens = report.facts.get("forget_answer_tokens")
    count = counts["forget"]
    what = f"{count} example{'s' * (count != 1)}" + (f" ({tokens} answer tokens)" if tokens else "")
    keep = f", keep {counts['retain']}" if counts.get("retain") else ""
    known = report.facts.get("request_id")
    asked = f"Request {known}: forget" if known else "Forget"
    return f"**Request.** {asked} {what}{keep}, with {report.label}."


def _gates(report: Report, model: str) -> str:
    head, mark, rest = gate_sentence(report.gates).partition(" (")
    return f"**{head}**{mark}{rest}" if report.gates else ""


def _closeness(report: Report, model: str) -> str:
    score = report.compared(model, "closeness")
    if score.value is None:
        return ""
    facets = ("forgetting", "forget"), ("privacy", "privacy"), ("utility", "kept")
    parts = [
        f"{number(report.compared(model, f'closeness_{name}').value)} for {words}"
        for words, name in facets
    ]
    return (
        f"**Closeness to the retrained model: {number(score.value)}**{interval(score)}: "
        f"{', '.join(parts)}. A second retrained model scores near 1, the original and a broken "
        "model near 0."
    ) + (f" **But still given: {still(report, model)}.**" if still(report, model) else "")


def _still_given(report: Report, model: str) -> str:
    given = report.given.get(model)
    return still_told(given) if given else ""


def _forgotten(report: Report, model: str) -> str:
    before, after, never = _values(report, model, "forget", "probability")
    if after is None:
        return ""
    text = f"**Forget.** The answers have a probability of {_short(after)} per token"
    if before is not None:
        text = (
            f"**Forget.** The answers had a probability of {_short(before)} per token before, and "
            f"have {_short(after)} after"
        )
    holdout = report.never_seen.get("probability", Score(None))
    if never is not None:
        text += f"; a model that never saw them gives {_short(never)}."
    elif holdout.value is not None:
        text += (
            f"; had no model seen them, they would have {_short(holdout.value)}"
            f"{interval(holdout)}, as far as the holdout tells."
        )
    else:
        text += ". With neither a retrained model nor a holdout nobody knows how low is low enough."
    return text + _conclusion(report, model, before, after)


def _conclusion(report: Report, model: str, before: float | None, after: float) -> str:
    """Conclusions from the forget probability: too high, too low, or low from the start."""
    top, text = unseen(report), ""
    if before is not None and top is not None and before <= top + NEAR:
        text = " The original hardly knew them better than that: there was little to forget."
    elif before is not None and top is None and before < UNKNOWN:
        text = (
            " The original hardly knew them, at least in this wording: there was little to "
            "forget, or the prompts are not written as it learned them."
        )
    if not_forgotten(report, model):
        return f"{text} **They are not forgotten to that level.** {further(report)}".rstrip()
    low = report.value("retrained", "forget", "probability")
    if low is not None and after < low - NEAR:
        return text + " That is below it: they are less likely than if they had never been learned."
    return text


def _fact_recall(report: Report, model: str) -> str:
    before, after, never = _values(report, model, "forget", "fact_recall")
    if after is None:
        return ""
    text = f"**When asked**, the model gives the right fact in {after:.0%} of cases"
    if before is not None:
        text = (
            f"**When asked**, the model gave the right fact in {before:.0%} of cases before, and "
            f"gives it in {after:.0%} after"
        )
    return text + (f" ({never:.0%} retrained)." if never is not None else ".")


def _kept(report: Report, model: str) -> str:
    parts = [_kept_in_group(report, model, group) for group in staying(report)]
    if report.value(model, "retain", "probability") is None:
        parts = ["**Retain.** No retain set was given, so what else was lost is not known.", *parts]
    text = " ".join(part for part in parts if part)
    if damaged(report, model):
        text += f" **The rest of the model was damaged.** {more_kept(report)}"
    return text.rstrip()


def _holdout_paragraph(report: Report, model: str) -> str:
    if not spoiled(report, model):
        return ""
    before, after = (report.value(m, "holdout", "probability") for m in ("original", model))
    return (
        "**Holdout.** Texts like the forget set that no model saw had a probability of "
        f"{_short(before or 0.0)} per token before, and have {_short(after or 0.0)} after: the "
        "model was changed beyond the forget set."
    )


def _kept_in_group(report: Report, model: str, group: str) -> str:
    before, after, never = _values(report, model, group, kept_by(group))
    if after is None:
        return ""
    what = ("**Retain.** " if group == "retain" else "") + GROUPS.get(
        group, f"The answers of `{group}`"
    )
    if before is None:
        beside = "" if never is None else f" ({_short(never)} retrained)"
        return f"{what} have {_short(after)}{beside}."
    left = share(report, model, group)
    kept = f": {left:.0%} kept" if left is not None and left < 1 else ""
    text = f"{what} had {_short(before)} before and have {_short(after)} after{kept}."
    if reworded(report, model, group):
        was, now = (report.value(m, group, "rouge_l_recall") for m in ("original", model))
        text += (
            f" Generated answers have {number(now)} of their wording, and had {number(was)} before."
        )
    return text


def _membership(report: Report, model: str) -> str:
    auc = report.value(model, "forget", "membership_auc_loss")
    against = "retrained" if "retrained" in report.models else "no difference"
    numbers = f"(membership AUC {number(auc)}; {against} {number(level(report))})"
    if over_forgotten(report, model):
        return (
            "**Over-forgotten.** The model finds the forget answers less likely than texts it "
            f"never saw {numbers}. An attacker can use that to find what was removed. "
            f"{sooner(report)}"
        ).rstrip()
    if recognisable(report, model):
        return (
            f"**Still recognisable.** The forget answers stand out from texts never seen {numbers}."
        )
    return ""


def _short(value: float) -> str:
    return "less than 0.01" if value < 0.005 else number(value)
