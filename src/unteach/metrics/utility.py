"""One number for what the model is still good for."""

from unteach.metrics._base import METRICS, metric
from unteach.metrics.papers import TOFU
from unteach.metrics.rows import Case, Missing, answers
from unteach.nouns import Score

PARTS = ("probability", "rouge_l_recall", "truth_ratio")
GROUPS = ("retain", "world")


@metric(
    "model_utility",
    help="what the model is still good for (0: nothing; low as soon as one part is)",
    direction={"": "high"},
    groups=("retain",),
    paper=TOFU,
)
def model_utility(group: str, case: Case) -> Score:
    """Harmonic mean of probability, ROUGE-L recall and truth ratio, on what is to be kept."""
    kept = answers(case.model, group)
    parts = {
        f"{part} on {name}": METRICS.get(part)(name, case)
        for name in GROUPS
        if case.model.get(name)
        for part in PARTS
    }
    for name, score in parts.items():
        if score.value is None:
            raise Missing(f"{name}: {score.note.removeprefix('not measurable: ')}")
    value = harmonic_mean([score.value or 0.0 for score in parts.values()])
    return Score(value, len(kept), note="harmonic mean of " + ", ".join(parts))


def harmonic_mean(values: list[float]) -> float:
    """0 as soon as one value is.

    Example:
        >>> harmonic_mean([0.5, 1.0])
        0.6666666666666666
    """
    return len(values) / sum(1 / v for v in values) if all(v > 0 for v in values) else 0.0
