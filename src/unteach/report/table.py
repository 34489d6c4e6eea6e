"""The numbers that a layman understands, one line for each model."""

from collections.abc import Callable

from unteach.report.record import Report

Column = tuple[str, Callable[[Report, str], float | None]]


def _of(group: str, metric: str) -> Callable[[Report, str], float | None]:
    return lambda report, model: report.value(model, group, metric)


# Forget quality never stands without utility beside it: a broken model can have a good one.
COLUMNS: tuple[Column, ...] = (
    ("right fact still given", _of("forget", "fact_recall")),
    ("forget probability", _of("forget", "probability")),
    ("forget ROUGE-L", _of("forget", "rouge_l_recall")),
    ("extraction strength", _of("forget", "extraction_strength")),
    ("membership AUC", _of("forget", "membership_auc_loss")),
    ("retain probability", _of("retain", "probability")),
    ("retain ROUGE-L", _of("retain", "rouge_l_recall")),
    ("utility", _of("retain", "model_utility")),
    ("forget quality", lambda report, model: report.compared(model, "forget_quality")),
)


def table(report: Report) -> list[list[str]]:
    """A header and one line for each model; columns without any number are left out.

    Example:
        >>> from unteach.nouns import Score
        >>> scores = {"forget": {"probability": Score(0.5)}}
        >>> table(Report(models={"original": scores}))
        [['model', 'forget probability'], ['original', '0.50']]
    """
    kept = [c for c in COLUMNS if any(c[1](report, m) is not None for m in report.models)]
    header = ["model", *(name for name, _ in kept)]
    lines = [[m, *(number(read(report, m)) for _, read in kept)] for m in report.models]
    return [header, *lines]


def number(value: float | None) -> str:
    """Two decimals, a power of ten for what that would hide, a dash for nothing.

    Example:
        >>> number(0.514), number(2.6e-9), number(0.0), number(None)
        ('0.51', '3e-09', '0.00', '-')
    """
    if value is None:
        return "-"
    if value != 0 and abs(value) < 0.005:
        return f"{value:.0e}"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.2f}"
