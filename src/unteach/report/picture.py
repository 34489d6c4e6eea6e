"""The picture: each model as a row, each question as a panel."""

from pathlib import Path
from typing import Any

from unteach.nouns import Problem, Score, UserError
from unteach.report.record import Report

# Okabe and Ito's palette, which colour-blind readers can tell apart.
COLOURS = {"original": "#D55E00", "retrained": "#0072B2"}
OTHER = "#009E73"
GONE, STAY = "What should be gone", "What should stay"
HEADINGS = {"": "All at once", "forget": GONE, "retain": STAY, "world": STAY}
PANELS = (
    ("", "closeness", "closeness to\nretrained"),
    ("forget", "fact_recall", "right fact\nstill given"),
    ("forget", "probability", "probability of\nforget answers"),
    ("forget", "extraction_strength", "extraction strength\nof forget answers"),
    ("forget", "membership_auc_loss", "membership AUC\n(0.5: unrecognisable)"),
    ("retain", "probability", "probability of\nretain answers"),
    ("world", "probability", "probability of\nother facts"),
    ("retain", "model_utility", "model\nutility"),
)


def draw(report: Report, path: Path) -> None:
    """Draw the models side by side into a PNG, with 95% intervals.

    A dashed line marks the retrained model: that is where an unlearned model should stand.

    Raises:
        UserError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        hint = 'pip install "unteach[plots]"'
        raise UserError(Problem("picture", "needs matplotlib", hint)) from None
    models = list(report.models)
    panels = [p for p in PANELS if any(_score(report, m, *p[:2]).value is not None for m in models)]
    count = max(len(panels), 1)
    figure = Figure(figsize=(2.0 + 1.8 * count, 1.9 + 0.34 * len(models)), layout="constrained")
    figure.get_layout_engine().set(wspace=0.1)  # type: ignore[union-attr]
    axes: Any = figure.subplots(1, count, sharey=True, squeeze=False)[0]
    for axis, (group, metric, title) in zip(axes, panels, strict=False):
        _panel(axis, report, models, group, metric)
        axis.set_title(title, fontsize=9, loc="left", color="#333333")
    _headings(axes, [HEADINGS[group] for group, *_ in panels])
    axes[0].set_yticks(range(len(models)), models, fontsize=9)
    axes[0].set_ylim(len(models) - 0.5, -0.5)
    figure.supxlabel(_caption(report), fontsize=8, color="#666666")
    figure.savefig(path, dpi=150)


def _score(report: Report, model: str, group: str, metric: str) -> Score:
    """Of a group; a comparison where there is none."""
    return report.score(model, group, metric) if group else report.compared(model, metric)


def _headings(axes: Any, headings: list[str]) -> None:
    """What a run of panels is about, above its first one."""
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


def _caption(report: Report) -> str:
    bars = "Bars: 95% intervals."
    return f"Dashed: the retrained model. {bars}" if "retrained" in report.models else bars


def _panel(axis: Any, report: Report, models: list[str], group: str, metric: str) -> None:
    level = report.value("retrained", group, metric)
    if level is not None:
        axis.axvline(level, color=COLOURS["retrained"], linewidth=1, linestyle=(0, (4, 3)))
    for row, model in enumerate(models):
        score = _score(report, model, group, metric)
        if score.value is not None:
            _point(axis, score, score.value, row, COLOURS.get(model.split("-")[0], OTHER))
    axis.set_xlim(-0.06, 1.06)
    axis.set_xticks([0, 0.5, 1], ["0", "0.5", "1"], fontsize=8)
    axis.grid(axis="x", color="#e6e6e6", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.tick_params(length=0)
    for side in axis.spines.values():
        side.set_visible(False)


def _point(axis: Any, score: Score, value: float, row: int, colour: str) -> None:
    low = value if score.low is None else score.low
    high = value if score.high is None else score.high
    axis.plot([low, high], [row, row], color=colour, linewidth=2.5, alpha=0.35)
    axis.plot([value], [row], "o", color=colour, markersize=7)
    right = high < 0.75
    axis.annotate(
        f"{value:.2f}",
        (high if right else low, row),
        textcoords="offset points",
        xytext=(8 if right else -8, 0),
        ha="left" if right else "right",
        va="center",
        fontsize=8,
        color="#333333",
        # A white rim keeps the number readable where it crosses an interval or the line.
        path_effects=_rim(),
    )


def _rim() -> list[Any]:
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2.5, foreground="white")]
