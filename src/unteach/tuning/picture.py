"""Draw the trials of a search: forgotten on the x axis, kept on the y axis."""

from html import escape

from unteach.report.table import number
from unteach.tuning.result import DONE, Line

WIDTH, HEIGHT, LEFT, TOP, FOOT, RIGHT = 510, 312, 44, 26, 40, 44  # names stand above dots
TRACK, RISE = WIDTH - LEFT - RIGHT, HEIGHT - TOP - FOOT


def pareto_svg(lines: tuple[Line, ...], best: Line) -> str:
    """Draw the trials that were judged; the front is joined by a line.

    Finished trials are filled, those that were given up are small and pale.
    """
    judged = [line for line in lines if line.forgotten is not None and line.kept is not None]
    front = sorted((line for line in judged if line.front), key=lambda x: x.forgotten or 0.0)
    path = "L".join(f"{_x(x.forgotten)} {_y(x.kept)}" for x in front)
    parts = [_axes()]
    if len(front) > 1:
        parts.append(f'<path class="whisker retrained" d="M{path}"/>')
    parts += [_dot(line, best) for line in sorted(judged, key=lambda x: (x.front, x is best))]
    title = escape(_words(judged, front, best))
    return (
        f'<svg class="wide" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="pareto">'
        f'<title id="pareto">{title}</title>{"".join(parts)}</svg>'
    )


def _dot(line: Line, best: Line) -> str:
    kind = "other" if line is best else "retrained" if line.front else "original"
    size, pale = (5.5, "") if line is best else (4, "") if line.state == DONE else (2.5, "0.45")
    shade = f' opacity="{pale}"' if pale else ""
    said = escape(f"trial {line.number}: {line.choice.method}, {line.state}")
    x, y = _x(line.forgotten), _y(line.kept)
    dot = f'<circle class="dot {kind}" cx="{x}" cy="{y}" r="{size}"{shade}>'
    label = f'<text class="name" x="{x}" y="{float(y) - 8:.1f}" text-anchor="middle">'
    named = f"{label}{line.number} {escape(line.choice.method)}</text>" if line.front else ""
    return f"{dot}<title>{said}</title></circle>{named}"


def _axes() -> str:
    parts = []
    for share in (0.0, 0.5, 1.0):
        x, y = _x(share), _y(share)
        parts += [
            f'<line class="grid" x1="{x}" x2="{x}" y1="{TOP}" y2="{TOP + RISE}"/>',
            f'<line class="grid" x1="{LEFT}" x2="{LEFT + TRACK}" y1="{y}" y2="{y}"/>',
            f'<text class="tick" x="{x}" y="{TOP + RISE + 14}" text-anchor="middle">'
            f"{share:g}</text>",
            f'<text class="tick" x="{LEFT - 8}" y="{float(y) + 4:.1f}" text-anchor="end">'
            f"{share:g}</text>",
        ]
    middle, low = LEFT + TRACK / 2, TOP + RISE + 30
    parts.append(f'<text x="{middle}" y="{low}" text-anchor="middle">forgotten</text>')
    turned = f'transform="rotate(-90 12 {TOP + RISE / 2})"'
    parts.append(f'<text x="12" y="{TOP + RISE / 2}" text-anchor="middle" {turned}>kept</text>')
    return "".join(parts)


def _x(share: float | None) -> str:
    return f"{LEFT + TRACK * min(max(share or 0.0, 0.0), 1.0):.1f}"


def _y(share: float | None) -> str:
    return f"{TOP + RISE * (1 - min(max(share or 0.0, 0.0), 1.0)):.1f}"


def _words(judged: list[Line], front: list[Line], best: Line) -> str:
    """Describe the figure in words, for screen readers."""
    points = "; ".join(
        f"trial {x.number}, {x.choice.method}: forgotten {number(x.forgotten)}, kept "
        f"{number(x.kept)}" for x in front
    )  # fmt: skip
    return f"{len(judged)} trials. The best is trial {best.number}. None is better than: {points}"
