"""Whether a model forgot, too little or too much, and lost more; None where it is not known."""

from unteach.metrics import METRICS
from unteach.report.record import Report

NEAR = 0.1  # values this close are called alike
KEPT = 0.8  # below this share of what the original had, the rest is called damaged
YARDSTICKS = ("original", "retrained")
OTHER_ATTACKS = tuple(f"membership_auc_{name}" for name in ("zlib", "min_k", "min_k_plus_plus"))
CHOSEN = ("authors", "facts")  # TOFU asks these by choice: the probability alone says little there


def others(report: Report) -> list[str]:
    """The models that are judged: all but the original and the retrained ones."""
    return [name for name in report.models if name.split("-")[0] not in YARDSTICKS]


def staying(report: Report) -> list[str]:
    """Groups whose answers should stay, retain first."""
    groups = dict.fromkeys(group for scores in report.models.values() for group in scores)
    wanted = METRICS.get("probability").should_be
    return [g for g in sorted(groups, key=lambda g: g != "retain") if wanted(g) == "high"]


def kept_by(group: str) -> str:
    """The metric by which a group is kept or lost."""
    return "choice_probability" if group in CHOSEN else "probability"


def share(report: Report, model: str, group: str) -> float | None:
    """How much is left of what the original had."""
    before, after = (report.value(m, group, kept_by(group)) for m in ("original", model))
    return None if not before or after is None else after / before


def unseen(report: Report) -> float | None:
    """The forget probability of who never saw them: the retrained model's, or by the holdout."""
    never = report.value("retrained", "forget", "probability")
    found = report.never_seen.get("probability")
    if never is not None or found is None:
        return never
    return found.value if found.high is None else found.high


def not_forgotten(report: Report, model: str) -> bool | None:
    """Whether the forget answers are likelier than they would be unseen, by far."""
    ours, never = report.value(model, "forget", "probability"), unseen(report)
    return None if ours is None or never is None else ours > never + NEAR


def damaged(report: Report, model: str) -> bool | None:
    """Whether much is gone of what should stay: its probability, or how it is worded when asked."""
    groups = staying(report)
    shares = [share(report, model, group) for group in groups]
    known = [share < KEPT for share in shares if share is not None]
    known += [True for group in groups if reworded(report, model, group)]
    return any(known) if known else None


def reworded(report: Report, model: str, group: str) -> bool:
    """Whether the model says much less of the answers' wording than the original did."""
    before, after = (report.value(m, group, "rouge_l_recall") for m in ("original", model))
    if before is None or after is None:
        return False
    return after < KEPT * before and after < before - NEAR  # a little of little is chance


def spoiled(report: Report, model: str) -> bool | None:
    """Whether answers that no model saw are much less likely than the original finds them.

    A model that was only made to forget the forget set has no reason to find them so.
    """
    left = share(report, model, "holdout")
    return None if left is None else left < KEPT


def kept_parts(report: Report, model: str) -> list[str]:
    """What is kept of each group that was damaged, in words."""
    parts = []
    for group in staying(report):
        left = share(report, model, group)
        if left is not None and left < KEPT:
            parts.append(f"{group}: {left:.0%} of the probability")
        if reworded(report, model, group):
            was, now = (report.value(m, group, "rouge_l_recall") for m in ("original", model))
            parts.append(f"{group}: {(now or 0.0) / (was or 1.0):.0%} of the wording")
    return parts


def told_apart(report: Report, model: str) -> dict[str, tuple[float, float]]:
    """Other attacks than by the loss that tell the forget answers from texts never seen.

    Returns:
        By the name of the metric the model's AUC, and that of a model that never saw them.
    """
    found = {}
    for name in OTHER_ATTACKS:
        score = report.score(model, "forget", name)
        never = report.value("retrained", "forget", name)
        at = 0.5 if never is None else never
        if score.value is None or abs(score.value - at) <= NEAR:
            continue
        low, high = score.low, score.high
        if low is None or high is None or not low <= at <= high:
            found[name] = (score.value, at)
    return found


def level(report: Report) -> float:
    """The membership AUC to be expected of a model that never saw the forget set."""
    found = report.value("retrained", "forget", "membership_auc_loss")
    return 0.5 if found is None else found


def over_forgotten(report: Report, model: str) -> bool | None:
    """Whether the forget answers stand out by being unlikely, beyond their interval."""
    score = report.score(model, "forget", "membership_auc_loss")
    if score.value is None:
        return None
    edge = score.value if score.high is None else score.high
    return score.value < level(report) - NEAR and edge < level(report)


def recognisable(report: Report, model: str) -> bool | None:
    """Whether the forget answers stand out by being likely, beyond their interval."""
    score = report.score(model, "forget", "membership_auc_loss")
    if score.value is None:
        return None
    edge = score.value if score.low is None else score.low
    return score.value > level(report) + NEAR and edge > level(report)
