"""Draw the training curve: the forget answers' mean probability, pass by pass."""

from typing import NamedTuple

from unteach.report.record import Report
from unteach.report.svg import figure
from unteach.report.table import number

BY_PASS = "forget_probability_by_pass"
WIDE, HIGH = 480, 170
LEFT, RIGHT, TOP, FOOT = 28, 16, 8, 20


class Curve(NamedTuple):
    """The data of the figure.

    Attributes:
        values: mean probability per token of the forget answers, after each pass over them.
        level: that of forget answers that no model saw; None where it is not known.
        written: that of the final model; None where it is not known.
    """

    values: list[float]
    level: float | None
    written: float | None


def curve_of(report: Report) -> Curve | None:
    """The training curve of a run; None where its facts have no two points."""
    found = report.facts.get(BY_PASS)
    if not isinstance(found, list) or len(found) < 2:
        return None
    values = [float(p) for p in found if isinstance(p, (int, float))]
    if len(values) < len(found) or not all(0 <= p <= 1 for p in values):
        return None
    expected = report.never_seen.get("probability")
    level = expected.value if expected else report.value("retrained", "forget", "probability")
    return Curve(values, level, report.value("unlearned", "forget", "probability"))


def curve_svg(curve: Curve, name: str) -> str:
    """Draw the curve from the first pass to the last, and the final model behind it.

    Args:
        curve: its values.
        name: id of this figure, unique on the page.
    """
    places = [(_x(k, curve), _y(p)) for k, p in enumerate(curve.values)]
    parts = _axes(curve)
    if curve.level is not None:
        y = _y(curve.level)
        parts.append(f'<line class="level" x1="{LEFT}" x2="{WIDE - RIGHT}" y1="{y}" y2="{y}"/>')
    line = "L".join(f"{x} {y}" for x, y in places)
    parts.append(f'<path class="whisker other" d="M{line}"/>')
    parts += [f'<circle class="dot other" cx="{x}" cy="{y}" r="2.5"/>' for x, y in places]
    if curve.written is not None:
        x, y = _x(len(places), curve), _y(curve.written)
        parts.append(f'<circle class="dot other" cx="{x}" cy="{y}" r="5"/>')
    return figure(name, _text(curve), WIDE, HIGH, parts, ' class="wide"')


def caption(curve: Curve) -> str:
    """What the figure shows, in a sentence or two."""
    said = (
        "Mean probability per token of the forget answers, pass by pass over them; each answer as "
        "it was before the step that trained on it."
    )
    if curve.written is not None:
        said += f" Large dot: the final model, {number(curve.written)}."
    if curve.level is not None:
        said += f" Dashed: forget answers that no model saw, {number(curve.level)}."
    return said


def _axes(curve: Curve) -> list[str]:
    parts = []
    for share in (0, 0.5, 1):
        y = _y(share)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDE - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(
            f'<text class="tick" x="{LEFT - 6}" y="{y + 4:g}" text-anchor="end">{share:g}</text>'
        )
    first, last = _x(0, curve), _x(len(curve.values) - 1, curve)
    base = HIGH - 5
    parts.append(f'<text class="tick" x="{first}" y="{base}">first pass</text>')
    parts.append(f'<text class="tick" x="{last}" y="{base}" text-anchor="end">last pass</text>')
    return parts


def _x(place: int, curve: Curve) -> float:
    width = WIDE - LEFT - RIGHT - 8
    return round(LEFT + 8 + width * place / len(curve.values), 1)


def _y(p: float) -> float:
    return round(TOP + (HIGH - TOP - FOOT) * (1 - min(max(p, 0.0), 1.0)), 1)


def _text(curve: Curve) -> str:
    """The figure in words, for screen readers."""
    numbers = ", ".join(number(p) for p in curve.values)
    return f"Probability of the forget answers by pass: {numbers}. {caption(curve)}"
