"""Draw SVG figures for report.html: models side by side, and single forget answers."""

from collections.abc import Iterable
from html import escape

from unteach.report.answerwise import Strip
from unteach.report.labels import lines_of
from unteach.report.picture import Panel
from unteach.report.table import interval, number
from unteach.types import Score

WIDTH, LEFT, RIGHT = 320, 8, 52  # of a panel; its right margin holds the number
TRACK = WIDTH - LEFT - RIGHT
ROW, TOP, FOOT = 34, 6, 18
LETTERS = 40  # maximum number of characters of a name above its row
BINS = 50  # bins of a strip from 0 to 1
STRIP, WIDE = 58, 480
DOT, STACK = 3.1, 9  # radius of a dot; maximum height of a stack, above which bars are drawn


def panel_svg(panel: Panel, name: str) -> str:
    """Draw one metric: a row for each model with its 95% interval, and the level of a good model.

    Args:
        panel: values between 0 and 1.
        name: id of this figure, unique on the page.
    """
    rows = list(panel.scores.items())
    height = TOP + ROW * len(rows) + FOOT
    parts = [_axis(LEFT, TRACK, TOP, height - FOOT)]
    if panel.level is not None:
        x = _x(panel.level)
        parts.append(f'<line class="level" x1="{x}" x2="{x}" y1="{TOP}" y2="{height - FOOT}"/>')
    for k, (model, score) in enumerate(rows):
        parts.append(_row(model, score, TOP + ROW * k))
    return figure(name, _panel_text(panel), WIDTH, height, parts)


def strips_svg(strips: Iterable[Strip], band: tuple[float, float] | None, name: str) -> str:
    """Draw each answer as a dot at its probability, from 0 at the left to 1 at the right.

    Args:
        strips: the groups of answers, drawn one below the other.
        band: range of most unseen answers.
        name: id of this figure, unique on the page.
    """
    strips = list(strips)
    height, track = TOP + STRIP * len(strips) + FOOT, WIDE - 2 * LEFT
    parts = []
    if band:
        low, high = (LEFT + track * end for end in band)
        wide = max(high - low, 2)
        size = f'x="{low:.1f}" width="{wide:.1f}" y="{TOP}" height="{height - FOOT - TOP}"'
        parts.append(f'<rect class="band" {size}/>')
    parts.append(_axis(LEFT, track, TOP, height - FOOT))
    for k, strip in enumerate(strips):
        base = TOP + STRIP * (k + 1) - 4
        parts.append(_name(strip.name, base - STRIP + 14, 90))
        parts.append(
            f'<line class="base" x1="{LEFT}" x2="{LEFT + track}" y1="{base}" y2="{base}"/>'
        )
        parts += _dots(strip, base, track)
    return figure(name, _strips_text(strips, band), WIDE, height, parts, ' class="wide"')


def figure(
    name: str, text: str, width: int, height: float, parts: list[str], more: str = ""
) -> str:
    """Wrap the parts of a figure; `text` says it in words, for screen readers."""
    return (
        f'<svg{more} viewBox="0 0 {width} {height:g}" role="img" aria-labelledby="{name}">'
        f'<title id="{name}">{escape(text)}</title>{"".join(parts)}</svg>'
    )


def kind_of(model: str) -> str:
    """The CSS class that gives a model its colour."""
    kind = model.split("-")[0]
    return kind if kind in ("original", "retrained") else "other"


def _dots(strip: Strip, base: float, track: float) -> list[str]:
    counts: dict[int, int] = {}
    for value in strip.values:
        place = min(int(value * BINS), BINS - 1)
        counts[place] = counts.get(place, 0) + 1
    tallest = max(counts.values(), default=0)
    step = 2 * DOT if tallest <= 6 else (STRIP - 28) / tallest
    found = []
    for place, count in sorted(counts.items()):
        x = LEFT + track * (place + 0.5) / BINS
        if tallest <= STACK:
            found += [
                f'<circle class="dot {strip.kind}" cx="{x:.1f}" '
                f'cy="{base - DOT - 1 - step * k:.1f}" r="{DOT}"/>'
                for k in range(count)
            ]
        else:  # too many dots: a bar with a height proportional to their number
            high = max(count * (STRIP - 24) / tallest, 1.5)
            size = f'x="{x - 3.6:.1f}" width="7.2" y="{base - high:.1f}" height="{high:.1f}"'
            found.append(f'<rect class="dot {strip.kind}" {size}/>')
    return found


def _row(model: str, score: Score, top: float) -> str:
    parts = [_name(model, top + 12, LETTERS)]
    y = top + 22
    if score.value is None:
        return parts[0] + f'<text class="num" x="{WIDTH - RIGHT + 8}" y="{y + 4}">-</text>'
    if score.low is not None and score.high is not None:
        low, high = _x(score.low), _x(score.high)
        parts.append(
            f'<path class="whisker {kind_of(model)}" d="M{low} {y}H{high}M{low} {y - 4}v8'
            f'M{high} {y - 4}v8"/>'
        )
    parts.append(f'<circle class="dot {kind_of(model)}" cx="{_x(score.value)}" cy="{y}" r="4.5"/>')
    value = escape(number(score.value))
    parts.append(f'<text class="num" x="{WIDTH - RIGHT + 10}" y="{y + 4}">{value}</text>')
    return "".join(parts)


def _name(model: str, y: float, letters: int) -> str:
    (line,) = lines_of(model, letters, 1)
    return f'<text class="name" x="{LEFT}" y="{y}">{escape(line)}</text>'


def _axis(left: float, track: float, top: float, bottom: float) -> str:
    parts = []
    for share, at in ((0, "start"), (0.5, "middle"), (1, "end")):
        x = left + track * share
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{top}" y2="{bottom}"/>')
        label = f'<text class="tick" x="{x}" y="{bottom + 13}" text-anchor="{at}">{share:g}</text>'
        parts.append(label)
    return "".join(parts)


def _x(value: float) -> str:
    return f"{LEFT + TRACK * min(max(value, 0.0), 1.0):.1f}"


def _panel_text(panel: Panel) -> str:
    """The figure in words, for screen readers."""
    scores = [f"{model} {_numbers(score)}" for model, score in panel.scores.items()]
    level = "" if panel.level is None else f"; it should stand at {number(panel.level)}"
    return f"{' '.join(panel.title.split())}: {', '.join(scores)}{level}"


def _numbers(score: Score) -> str:
    if score.value is None:
        return "without a number"
    return number(score.value) + interval(score)


def _strips_text(strips: list[Strip], band: tuple[float, float] | None) -> str:
    parts = [f"{s.name}: {len(s.values)} answers, half of them above {_half(s)}" for s in strips]
    level = f"; never seen: {number(band[0])} to {number(band[1])}" if band else ""
    return f"Probability per token of single answers. {'; '.join(parts)}{level}"


def _half(strip: Strip) -> str:
    from statistics import median

    return number(median(strip.values))
