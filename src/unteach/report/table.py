"""The summary table of a report: one line for each model, with the main scores."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from unteach.metrics.difference import alike
from unteach.report.record import Report
from unteach.types import Score

Reader = Callable[[Report, str], Score]
ALIKE = "~"
LEGEND = f"{ALIKE}: chance may set it apart from retrained (inside the difference's 95% interval)"

UNSEEN = "never seen"
UNSEEN_LEGEND = (
    f"{UNSEEN}: what the forget answers would score had no model seen them, by the holdout"
)


class TableColumn(NamedTuple):
    """One column of the table.

    Attributes:
        name: heading.
        short: heading in tables of many models; empty if the column is left out there.
        read: function from a report and a model's name to a score.
        shown: function from the score to its text.
    """

    name: str
    short: str
    read: Reader
    shown: Callable[[Score], str] = lambda score: number(score.value)


def _of(group: str, metric: str) -> Reader:
    return lambda report, model: report.score(model, group, metric)


def _beside(name: str) -> Reader:
    return lambda report, model: report.compared(model, name)


def _given(report: Report, model: str) -> Score:
    given = report.given.get(model)
    return Score(None) if given is None else Score(given.count, given.asked)


def _of_all(score: Score) -> str:
    return "-" if score.value is None else f"{score.value:.0f} of {score.n}"


# Forget quality is shown only together with utility: a broken model can have a good one.
COLUMNS = (
    TableColumn("closeness to retrained", "close", _beside("closeness")),
    TableColumn("answers still given", "given", _given, _of_all),
    TableColumn("right fact still given", "fact given", _of("forget", "fact_recall")),
    TableColumn("forget probability", "forget p", _of("forget", "probability")),
    TableColumn("forget ROUGE-L", "", _of("forget", "rouge_l_recall")),
    TableColumn("extraction strength", "extract", _of("forget", "extraction_strength")),
    TableColumn("membership AUC", "member AUC", _of("forget", "membership_auc_loss")),
    TableColumn("retain probability", "retain p", _of("retain", "probability")),
    TableColumn("retain ROUGE-L", "", _of("retain", "rouge_l_recall")),
    TableColumn("world probability", "world p", _of("world", "probability")),
    TableColumn("real authors", "authors", _of("authors", "choice_probability")),
    TableColumn("world facts", "facts", _of("facts", "choice_probability")),
    TableColumn("verbatim memorization", "verbmem", _of("verbmem", "verbatim_memorization")),
    TableColumn("knowledge of forget", "knowmem f", _of("knowmem", "knowledge_memorization")),
    TableColumn(
        "knowledge of retain", "knowmem r", _of("knowmem_retain", "knowledge_memorization")
    ),
    TableColumn("privacy leakage, %", "", _beside("privleak")),
    TableColumn("utility", "utility", _of("retain", "model_utility")),
    TableColumn("forget quality", "forget quality", _beside("forget_quality")),
)


def table(report: Report, *, short: bool = False) -> list[list[str]]:
    """A header and one line for each model; columns without any value are left out.

    A number marked with `ALIKE` does not differ significantly from the retrained model's. Without a
    retrained model, the last line has the expected scores of an unseen forget set.

    Example:
        >>> from unteach.types import Score
        >>> scores = {"forget": {"probability": Score(0.5)}}
        >>> table(Report(models={"original": scores}))
        [['model', 'forget probability'], ['original', '0.50']]
    """
    if any(score.value is not None for score in report.never_seen.values()):
        report = replace(report, models={**report.models, UNSEEN: {"forget": report.never_seen}})
    offered = [c for c in COLUMNS if c.short or not short]
    kept = [c for c in offered if any(c.read(report, m).value is not None for m in report.models)]
    header = ["model", *(c.short if short else c.name for c in kept)]
    return [header, *([m, *(_cell(c, report, m) for c in kept)] for m in report.models)]


def legend(rows: list[list[str]]) -> list[str]:
    """Explanations of the marks that occur in a table.

    Example:
        >>> legend([["model", "forget p"], ["a", "0.50"]])
        []
    """
    marked = any(cell.startswith(ALIKE) for row in rows for cell in row)
    unseen = any(UNSEEN in (row[0], *rows[0]) for row in rows)
    return [*([LEGEND] if marked else []), *([UNSEEN_LEGEND] if unseen else [])]


def _cell(column: TableColumn, report: Report, model: str) -> str:
    score = column.read(report, model)
    retrained = column.read(report, "retrained")
    same = model != "retrained" and alike(score, retrained)
    return (ALIKE if same else "") + column.shown(score)


def number(value: float | None) -> str:
    """A number with two decimals, more precise or in powers of ten if needed; "-" for None.

    Example:
        >>> number(0.514), number(0.004), number(2.6e-9), number(0.0), number(None)
        ('0.51', '0.004', '3e-09', '0.00', '-')
        >>> number(1234.5), number(7.8e14)
        ('1234', '8e+14')
    """
    if value is None:
        return "-"
    size = abs(value)
    if size >= 1e6 or 0 < size < 0.0005:
        return f"{value:.0e}"
    if size >= 1000:
        return f"{value:.0f}"
    return f"{value:.3f}" if 0 < size < 0.005 else f"{value:.2f}"


def interval(score: Score, shown: Callable[[float | None], str] = number, unknown: str = "") -> str:
    """The interval of a score in brackets, after a blank; empty if an end is not known.

    Args:
        score: the score.
        shown: function from an end to its text.
        unknown: stands for an end that is not known, if the other end is.

    Example:
        >>> interval(Score(0.5, 9, 0.4, 0.6)), interval(Score(0.5, 9, 0.4)), interval(Score(0.5))
        (' (0.40 to 0.60)', '', '')
    """
    ends = (score.low, score.high)
    if ends == (None, None) or (None in ends and not unknown):
        return ""
    low, high = (unknown if end is None else shown(end) for end in ends)
    return f" ({low} to {high})"
