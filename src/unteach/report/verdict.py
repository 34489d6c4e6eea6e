"""The opening of a report: what the numbers say, in plain words, and no more."""

from unteach.report.record import Report
from unteach.report.table import number

NEAR = 0.1  # probabilities this close are called alike


def verdict(report: Report) -> list[str]:
    """Paragraphs on what is forgotten, what is kept, and what looks wrong.

    Reports on several methods have no single verdict, and get none.
    """
    if "unlearned" not in report.models:
        return []
    found = [_forgotten(report), _asked(report), _kept(report), *_warnings(report)]
    return [paragraph for paragraph in found if paragraph]


def _three(report: Report, group: str, metric: str) -> tuple[float | None, ...]:
    return tuple(
        report.value(model, group, metric) for model in ("original", "unlearned", "retrained")
    )


def _forgotten(report: Report) -> str:
    before, after, never = _three(report, "forget", "probability")
    if before is None or after is None:
        return ""
    text = (
        f"**Forget.** The answers had a probability of {number(before)} per token before, and have "
        f"{number(after)} after"
    )
    if never is None:
        return text + ". No retrained model was given, so how low is low enough is not known."
    text += f"; a model that never saw them gives {number(never)}."
    if after > never + NEAR:
        return text + " **They are not forgotten to that level.**"
    if after < never - NEAR:
        return text + " That is below it: forgotten further than never learned."
    return text


def _asked(report: Report) -> str:
    before, after, never = _three(report, "forget", "fact_recall")
    if before is None or after is None:
        return ""
    text = (
        f"**Asked**, the model gave the right fact in {before:.0%} of cases before, and gives it "
        f"in {after:.0%} after"
    )
    return text + (f" ({never:.0%} retrained)." if never is not None else ".")


def _kept(report: Report) -> str:
    before, after, _ = _three(report, "retain", "probability")
    if before is None or after is None:
        return "**Retain.** No retain set was given, so what else was lost is not known."
    share = after / before if before else 0.0
    text = (
        f"**Retain.** The answers to keep had {number(before)} before and have {number(after)} "
        f"after{f': {share:.0%} kept' if share < 1 else ''}."
    )
    return text + (" **The rest of the model was damaged.**" if share < 0.8 else "")


def _warnings(report: Report) -> list[str]:
    _, after, never = _three(report, "forget", "membership_auc_loss")
    found = []
    level = 0.5 if never is None else never
    if after is not None and after < level - NEAR:
        found.append(
            f"**Over-forgotten.** The model finds the forget answers less likely than texts it "
            f"never saw (membership AUC {number(after)}, where {number(level)} is "
            f"{'the retrained model' if never is not None else 'no difference'}). Who looks for "
            "that can tell what was removed."
        )
    if after is not None and after > level + NEAR:
        found.append(
            f"**Still recognisable.** The forget answers stand out from texts never seen "
            f"(membership AUC {number(after)} against {number(level)})."
        )
    return found
