"""Draw the curves of relearning: the main metric of each model over training steps."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from unteach.attacks._judge import MODELS, NAMES, NEVER, PLAIN, RecoveryLine
from unteach.report.picture import COLOURS, OTHER
from unteach.types import Score

CURVES = "relearn.png"
WIDE = 3.0  # width of a panel in inches


def draw(lines: Iterable[RecoveryLine], path: Path) -> bool:
    """Draw the main metric over steps, a panel for each training; return False if there is none.

    The points at 0 steps are those without attack.
    """
    from matplotlib.figure import Figure

    found = list(lines)
    own = [line for line in found if line.attack == "relearn"]
    if not own:
        return False
    courses: dict[tuple[str, str], list[RecoveryLine]] = {}
    for line in own:
        arm, kind, rate, _ = line.variant.rsplit(", ", 3)
        courses.setdefault((arm, f"{kind}, {rate}"), []).append(line)
    arms, kinds = (list(dict.fromkeys(key[k] for key in courses)) for k in (0, 1))
    size = (0.8 + WIDE * len(kinds), 1.1 + 2.1 * len(arms))
    figure = Figure(figsize=size, layout="constrained")
    axes: Any = figure.subplots(len(arms), len(kinds), sharex=True, sharey=True, squeeze=False)
    start = next((line for line in found if line.attack == PLAIN), None)
    for row, arm in enumerate(arms):
        for column, kind in enumerate(kinds):
            _panel(axes[row][column], courses.get((arm, kind), []), start)
            if row == 0:
                axes[row][column].set_title(kind, fontsize=9, loc="left", color="#333333")
        axes[row][0].set_ylabel(arm.replace(", ", ",\n"), fontsize=9)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), fontsize=8,
                  frameon=False)  # fmt: skip
    name = NAMES.get(own[0].main, own[0].main)
    figure.supxlabel(
        f"training steps; vertical: {name} on forget answers\nthat were not trained on; bands: 95%",
        fontsize=8, color="#666666",
    )  # fmt: skip
    figure.savefig(path, dpi=150)
    return True


def _panel(axis: Any, lines: list[RecoveryLine], start: RecoveryLine | None) -> None:
    steps = [0, *(next(iter(line.facts.values()))["steps"] for line in lines)]
    for model in (*MODELS, NEVER):
        scores = [_of(line, model, lines) for line in ([start] if start else []) + lines]
        points = [(x, s) for x, s in zip(steps[-len(scores) :], scores, strict=True) if s]
        if not points:
            continue
        places, values = [x for x, _ in points], [s.value or 0.0 for _, s in points]
        colour = COLOURS.get("retrained" if model == NEVER else model, OTHER)
        axis.plot(places, values, "o-", color=colour, markersize=3.5, linewidth=1.4, label=model)
        low = [v if s.low is None else s.low for v, (_, s) in zip(values, points, strict=True)]
        high = [v if s.high is None else s.high for v, (_, s) in zip(values, points, strict=True)]
        axis.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
    axis.set_ylim(-0.04, 1.04)
    axis.set_xscale("symlog", base=2, linthresh=1)
    if lines:
        axis.set_xticks(steps, [f"{step:g}" for step in steps], fontsize=8)
        axis.minorticks_off()
    axis.tick_params(length=0, labelsize=8)
    axis.grid(color="#e6e6e6", linewidth=0.8)
    for side in axis.spines.values():
        side.set_visible(False)


def _of(line: RecoveryLine, model: str, lines: list[RecoveryLine]) -> Score | None:
    """Return the score of one model that the panel shows."""
    main = lines[0].main if lines else line.main
    score = line.scores.get(main, {}).get(model)
    return score if score and score.value is not None else None
