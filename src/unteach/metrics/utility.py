"""One number for what the model is still good for."""

from unteach.metrics._base import METRICS, Groups, metric, missing
from unteach.metrics.generation import ROUGE as TOFU
from unteach.nouns import Row, Score

PARTS = ("probability", "rouge_l_recall", "truth_ratio")
GROUPS = ("retain", "world")


@metric(
    "model_utility",
    help="what the model is still good for (0 nothing; low as soon as one part is)",
    groups=("retain",),
    paper=TOFU,
)
def model_utility(rows: list[Row], groups: Groups) -> Score:
    """Harmonic mean of probability, ROUGE-L recall and truth ratio, on what is to be kept."""
    parts = {
        f"{part} on {group}": METRICS.get(part)(groups[group], groups)
        for group in GROUPS
        if groups.get(group)
        for part in PARTS
    }
    for name, score in parts.items():
        if score.value is None:
            return missing(f"{name} is not ({score.note.removeprefix('not measurable: ')})")
    value = harmonic_mean([score.value or 0.0 for score in parts.values()])
    return Score(value, len(rows), note="harmonic mean of " + ", ".join(parts))


def harmonic_mean(values: list[float]) -> float:
    """0 as soon as one value is.

    Example:
        >>> harmonic_mean([0.5, 1.0])
        0.6666666666666666
    """
    return len(values) / sum(1 / v for v in values) if all(v > 0 for v in values) else 0.0
