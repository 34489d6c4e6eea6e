"""Draw the figure of a report: each model as a row, each metric as a panel."""

from pathlib import Path
from typing import Any, NamedTuple

from unteach.errors import Problem, UserError
from unteach.metrics import METRICS
from unteach.report.labels import apart
from unteach.report.record import Report
from unteach.report.table import number
from unteach.types import Score

# Okabe and Ito's palette, which colour-blind readers can distinguish.
COLOURS = {"original": "#D55E00", "retrained": "#0072B2"}
OTHER = "#009E73"
WIDTH = 32  # characters of a line of a label
MANY = 6  # with more rows, horizontal grid lines are drawn
LETTER = 0.085  # average width of a character in inches
SCRIPTS = (  # fonts of many systems, for characters that DejaVu lacks
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Droid Sans Fallback", "WenQuanYi Zen Hei",
    "Microsoft YaHei", "PingFang SC", "Hiragino Sans", "Arial Unicode MS", "Noto Sans Devanagari",
    "Noto Emoji",
)  # fmt: skip
GONE, STAY = "What should be gone", "What should stay"
PANELS = (
    ("", "closeness", "closeness to\nretrained"),
    ("forget", "fact_recall", "right fact\nstill given"),
    ("forget", "probability", "probability of\nforget answers"),
    ("forget", "extraction_strength", "extraction strength\nof forget answers"),
    ("forget", "membership_auc_loss", "membership AUC\n(0.5: unrecognisable)"),
    ("verbmem", "verbatim_memorization", "passages\ncontinued verbatim"),
    ("knowmem", "knowledge_memorization", "knowledge of\nwhat to forget"),
    ("knowmem_retain", "knowledge_memorization", "knowledge of\nwhat to keep"),
    ("retain", "probability", "probability of\nretain answers"),
    ("world", "probability", "probability of\nother facts"),
    ("authors", "choice_probability", "right choice on\nreal authors"),
    ("facts", "choice_probability", "right choice on\nworld facts"),
    ("retain", "model_utility", "model\nutility"),
)


class Panel(NamedTuple):
    """One metric: group, heading, title, scores by model, and the level of a good model."""

    group: str
    heading: str
    title: str
    scores: dict[str, Score]
    level: float | None


def panels(report: Report) -> list[Panel]:
    """The panels for which some model has a value."""
    found = []
    for group, metric, title in PANELS:
        scores = {model: _score(report, model, group, metric) for model in report.models}
        if any(score.value is not None for score in scores.values()):
            level = _level(report, group, metric)
            found.append(Panel(group, _heading(group), title, scores, level))
    return found


def draw(report: Report, path: Path) -> None:
    """Draw the models side by side into a PNG, with 95% intervals.

    A dashed line marks the level that an unlearned model should have: that of the retrained model,
    or the expected one of unseen texts from the holdout.

    Raises:
        UserError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        hint = 'pip install "unteach[plots]"'
        raise UserError(Problem("picture", "needs matplotlib", hint)) from None
    labels, drawn = labels_of(list(report.models)), panels(report)
    count, height = max(len(drawn), 1), _row(labels)
    wide = max(len(line) for label in labels for line in label.split("\n"))
    size = (1.0 + LETTER * wide + 1.8 * count, 1.9 + height * len(labels))
    figure = Figure(figsize=size, layout="constrained")
    figure.get_layout_engine().set(wspace=0.1)  # type: ignore[union-attr]
    axes: Any = figure.subplots(1, count, sharey=True, squeeze=False)[0]
    for axis, panel in zip(axes, drawn, strict=False):
        _draw_panel(axis, panel)
        axis.set_title(panel.title, fontsize=9, loc="left", color="#333333")
    _headings(axes, [panel.heading for panel in drawn])
    # Names are not formulas, even with dollar signs in them.
    axes[0].set_yticks(range(len(labels)), labels, fontsize=9, parse_math=False, family=_fonts())
    axes[0].set_ylim(len(labels) - 0.5, -0.5)
    figure.supxlabel(caption(report), fontsize=8, color="#666666")
    figure.savefig(path, dpi=150)


def labels_of(models: list[str]) -> list[str]:
    """Row labels, broken into lines and made distinct."""
    known = _letters() if not all(map(str.isascii, models)) else set()
    drawn = ["".join(c if c.isascii() or c in known else _code(c) for c in m) for m in models]
    return ["\n".join(lines) for lines in apart(drawn, WIDTH)]


def _code(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def _letters() -> set[str]:
    """Characters that the fonts have; others would be drawn as empty boxes with a warning."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    files = [findfont(FontProperties(family=[name])) for name in _fonts()]
    return {chr(code) for file in files for code in get_font(file).get_charmap()}


def _row(labels: list[str]) -> float:
    """Height of a row in inches, for the label with most lines."""
    return max(0.34, 0.06 + 0.155 * max((label.count("\n") + 1 for label in labels), default=1))


def _fonts() -> list[str]:
    """Matplotlib's own font, then installed fonts with characters of other scripts."""
    from matplotlib import font_manager

    here = {font.name for font in font_manager.fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in SCRIPTS if name in here)]


def _score(report: Report, model: str, group: str, metric: str) -> Score:
    """The score of a group, or of a comparison if the group is empty."""
    return report.score(model, group, metric) if group else report.compared(model, metric)


def _heading(group: str) -> str:
    if not group:
        return "All at once"
    return STAY if METRICS.get("probability").should_be(group) == "high" else GONE


def _headings(axes: Any, headings: list[str]) -> None:
    """Write each heading above the first of its panels."""
    for k, heading in enumerate(headings):
        if k == 0 or heading != headings[k - 1]:
            axes[k].annotate(
                heading,
                (0, 1),
                xycoords="axes fraction",
                xytext=(0, 38),
                textcoords="offset points",
                fontsize=10.5,
                fontweight="bold",
            )


def caption(report: Report) -> str:
    """Explanation of the dashed line and the bars."""
    bars = "Bars: 95% intervals."
    if "retrained" in report.models:
        return f"Dashed: the retrained model. {bars}"
    if report.never_seen:
        return f"Dashed: a forget set that no model saw, by the holdout. {bars}"
    return bars


def _level(report: Report, group: str, metric: str) -> float | None:
    """The value that an unlearned model should have."""
    if group == "forget" and metric in report.never_seen:
        return report.never_seen[metric].value
    return report.value("retrained", group, metric)


def _draw_panel(axis: Any, panel: Panel) -> None:
    if panel.level is not None:
        axis.axvline(panel.level, color=COLOURS["retrained"], linewidth=1, linestyle=(0, (4, 3)))
    for row, (model, score) in enumerate(panel.scores.items()):
        if score.value is not None:
            _point(axis, score, score.value, row, COLOURS.get(model.split("-")[0], OTHER))
    axis.set_xlim(-0.06, 1.06)
    axis.set_xticks([0, 0.5, 1], ["0", "0.5", "1"], fontsize=8)
    axis.grid(axis="both" if len(panel.scores) > MANY else "x", color="#e6e6e6", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.tick_params(length=0)
    for side in axis.spines.values():
        side.set_visible(False)


def _point(axis: Any, score: Score, value: float, row: int, colour: str) -> None:
    low = value if score.low is None else score.low
    high = value if score.high is None else score.high
    axis.plot([low, high], [row, row], color=colour, linewidth=2.5, alpha=0.35)
    axis.plot([value], [row], "o", color=colour, markersize=7)
    right, left = high < 0.75, low > 0.25
    at, offset, side = (high, (8, 0), "left") if right else (low, (-8, 0), "right")
    if not right and not left:  # the interval leaves no room on either side: above the point
        at, offset, side = value, (0, 9), "center"
    axis.annotate(
        number(value),
        (at, row),
        textcoords="offset points",
        xytext=offset,
        ha=side,
        va="center",
        fontsize=8,
        color="#333333",
        # A white outline keeps the number readable where it crosses an interval or the line.
        path_effects=_rim(),
    )


def _rim() -> list[Any]:
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2.5, foreground="white")]
