"""Judge a model: not forgotten, over-forgotten, recognisable, damaged; None where not known."""

from unteach.metrics import METRICS
from unteach.report.record import Report

NEAR = 0.1  # values at most this far apart count as equal
KEPT = 0.8  # below this share of the original's value, a group counts as damaged
YARDSTICKS = ("original", "retrained")
OTHER_ATTACKS = tuple(f"membership_auc_{name}" for name in ("zlib", "min_k", "min_k_plus_plus"))
CHOSEN = ("authors", "facts")  # TOFU scores these by choice; the plain probability says little


def others(report: Report) -> list[str]:
    """The models that are judged: all but the original and the retrained ones."""
    return [name for name in report.models if name.split("-")[0] not in YARDSTICKS]


def staying(report: Report) -> list[str]:
    """Groups whose answers should stay, retain first."""
    groups = dict.fromkeys(group for scores in report.models.values() for group in scores)
    wanted = METRICS.get("probability").should_be
    return [g for g in sorted(groups, key=lambda g: g != "retain") if wanted(g) == "high"]


def kept_by(group: str) -> str:
    """The metric that measures how much of a group is kept."""
    return "choice_probability" if group in CHOSEN else "probability"


def share(report: Report, model: str, group: str) -> float | None:
    """The model's value in a group to keep, as a share of the original's."""
    before, after = (report.value(m, group, kept_by(group)) for m in ("original", model))
    return None if not before or after is None else after / before


def unseen(report: Report) -> float | None:
    """Forget probability of a model that never saw the answers: retrained, or from the holdout."""
    retrained = report.value("retrained", "forget", "probability")
    expected = report.never_seen.get("probability")
    if retrained is not None or expected is None:
        return retrained
    return expected.value if expected.high is None else expected.high


def not_forgotten(report: Report, model: str) -> bool | None:
    """Whether the forget answers are clearly more likely than unseen ones."""
    ours, never = report.value(model, "forget", "probability"), unseen(report)
    return None if ours is None or never is None else ours > never + NEAR


def damaged(report: Report, model: str) -> bool | None:
    """Whether a group to keep lost much of its probability, or of its wording in generation."""
    groups = staying(report)
    shares = [share(report, model, group) for group in groups]
    known = [share < KEPT for share in shares if share is not None]
    known += [True for group in groups if reworded(report, model, group)]
    return any(known) if known else None


def reworded(report: Report, model: str, group: str) -> bool:
    """Whether the model generates much less of the answers' wording than the original."""
    before, after = (report.value(m, group, "rouge_l_recall") for m in ("original", model))
    if before is None or after is None:
        return False
    return after < KEPT * before and after < before - NEAR  # small drops are chance


def spoiled(report: Report, model: str) -> bool | None:
    """Whether holdout answers are much less likely than under the original.

    Unlearning the forget set alone should not change them.
    """
    left = share(report, model, "holdout")
    return None if left is None else left < KEPT


def kept_parts(report: Report, model: str) -> list[str]:
    """How much is kept of each damaged group, in words."""
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
    """Attacks other than the loss attack that tell the forget answers from unseen texts.

    Returns:
        By metric: the AUC of the model, and that of a model that never saw the answers.
    """
    found = {}
    for name in OTHER_ATTACKS:
        score = report.score(model, "forget", name)
        retrained = report.value("retrained", "forget", name)
        at = 0.5 if retrained is None else retrained
        if score.value is None or abs(score.value - at) <= NEAR:
            continue
        low, high = score.low, score.high
        if low is None or high is None or not low <= at <= high:
            found[name] = (score.value, at)
    return found


def level(report: Report) -> float:
    """Expected membership AUC of a model that never saw the forget set."""
    auc = report.value("retrained", "forget", "membership_auc_loss")
    return 0.5 if auc is None else auc


def over_forgotten(report: Report, model: str) -> bool | None:
    """Whether the forget answers are significantly less likely than unseen ones."""
    score = report.score(model, "forget", "membership_auc_loss")
    if score.value is None:
        return None
    edge = score.value if score.high is None else score.high
    return score.value < level(report) - NEAR and edge < level(report)


def recognisable(report: Report, model: str) -> bool | None:
    """Whether the forget answers are significantly more likely than unseen ones."""
    score = report.score(model, "forget", "membership_auc_loss")
    if score.value is None:
        return None
    edge = score.value if score.low is None else score.low
    return score.value > level(report) + NEAR and edge > level(report)
