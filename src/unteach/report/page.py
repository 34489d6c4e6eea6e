"""Write report.html: the report as one self-contained page, for screen and print."""

from collections.abc import Mapping
from html import escape

from unteach.metrics.rows import Groups
from unteach.report.answerwise import Answers, answerwise
from unteach.report.comeback import TITLE as ATTACKS
from unteach.report.comeback import Picture, recoveries
from unteach.report.curve import Curve, curve_of, curve_svg
from unteach.report.curve import caption as curve_caption
from unteach.report.earlier import TITLE as EARLIER
from unteach.report.grid import FEW, grid
from unteach.report.headline import Headline, headline
from unteach.report.markdown import (
    GATES,
    GLANCE,
    NO_PROOF_TITLE,
    FoldedMarkdown,
    ReportSection,
    gate_parts,
    glance,
    sections,
    title_of,
)
from unteach.report.names import harmless
from unteach.report.picture import Panel, caption, panels
from unteach.report.record import Report
from unteach.report.rendered import rendered
from unteach.report.style import style
from unteach.report.svg import panel_svg, strips_svg
from unteach.report.verdict import verdict

NOTHING = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""Content security policy: the page may load and send nothing."""
OPEN = (EARLIER, ATTACKS, NO_PROOF_TITLE)


def to_html(report: Report, rows: Mapping[str, Groups] | None = None) -> str:
    """The report as one HTML file without scripts that needs no network.

    Args:
        report: the report.
        rows: of each model by its label, for the figure of single answers; without rows it is left
            out. Only the probability of a row is used.

    Example:
        >>> to_html(Report(models={}, label="<b>")).count("<b>")
        0
    """
    report = harmless(report)
    kind, summary = title_of(report), headline(report)
    tables, marks = glance(report)
    label = escape(report.label or "-")
    parts = [
        f'<header><p class="kind">{escape(_asked(kind, report))}</p><h1>{label}</h1></header>',
        _verdict(summary, report),
        _gates(report),
        *(_table(name, cells, marks) for name, cells in tables.items()),
        _models(report),
        _answers(answerwise(rows or {})),
        _training(curve_of(report)),
        _words(summary, report),
        *(_section(section, _recovery(report)) for section in sections(report)),
    ]
    return page(f"{kind}: {report.label}", parts)


def page(title: str, parts: list[str]) -> str:
    """Return an HTML page in the report's style that loads and sends nothing."""
    head = (
        '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{NOTHING}">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style()}</style>"
    )
    body = "\n".join(filter(None, parts))
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n<main>\n{body}\n'
        "</main>\n</body>\n</html>\n"
    )


def _asked(kind: str, report: Report) -> str:
    """The kind of report, the request's id and the operator, where they are known."""
    known = {"request": "request_id", "run by": "operator"}
    named = [f"{word} {report.facts[name]}" for word, name in known.items() if name in report.facts]
    return ", ".join([kind, *named])


def _verdict(summary: Headline, report: Report) -> str:
    lines = "".join(f"<li>{escape(line)}</li>" for line in summary.lines)
    listed = f"<ul>{lines}</ul>" if lines else ""
    more = "".join(map(rendered, verdict(report))) if summary.kind == "none" else ""
    no_proof = (
        '<p class="soft">This is what was measured, and no proof that the texts are gone: see '
        f"“{NO_PROOF_TITLE}”.</p>"
    )
    return (
        f'<section class="verdict {summary.kind}" aria-label="Verdict"><p class="said">'
        f"{escape(summary.text)}</p>{listed}{more}{no_proof}</section>"
    )


def _gates(report: Report) -> str:
    inner = "".join(map(rendered, gate_parts(report)))
    return f"<section><h2>{GATES}</h2>{inner}</section>" if inner else ""


def _table(title: str, cells: list[list[str]], marks: list[str]) -> str:
    """A table; the summary table is transposed, as in a terminal, if that keeps it narrow."""
    if title == GLANCE and len(cells) <= FEW + 2:
        cells = [list(column) for column in zip(*cells, strict=True)]
        cells[0][0] = "measure"
    legend = "".join(f'<p class="soft">{escape(mark)}</p>' for mark in marks)
    return f"<section><h2>{escape(title)}</h2>{rendered(grid(cells))}{legend}</section>"


def _models(report: Report) -> str:
    drawn = panels(report)
    if not drawn:
        return ""
    figures = []
    for k, panel in enumerate(drawn):
        title = escape(" ".join(panel.title.split()))
        above = f"<figcaption><span>{escape(panel.heading)}</span>{title}</figcaption>"
        figures.append(f"<figure>{above}{panel_svg(panel, f'm{k}')}</figure>")
    marks = f'<p class="soft">{escape(caption(report))}</p>'
    grid = f'<div class="panels">{"".join(figures)}</div>'
    return f"<section><h2>Models side by side</h2>{marks}{grid}</section>"


def _answers(found: Answers | None) -> str:
    if not found:
        return ""
    said = (
        "Each dot is an answer, at its probability per token: at 1 the model knows it by heart. "
        "Columns stand for as many answers as dots would have no room for."
    )
    if found.band:
        said += f" Shaded: where nine in ten of those never seen lie ({found.never})."
    picture = strips_svg(found.strips, found.band, "a0")
    return (
        f'<section><h2>Answer by answer</h2><figure class="strips">{picture}'
        f'<figcaption class="soft">{escape(said)}</figcaption></figure></section>'
    )


def _training(curve: Curve | None) -> str:
    if not curve:
        return ""
    said = escape(curve_caption(curve))
    return (
        f'<section><h2>Training</h2><figure class="strips">{curve_svg(curve, "t0")}'
        f'<figcaption class="soft">{said}</figcaption></figure></section>'
    )


def _words(summary: Headline, report: Report) -> str:
    """The paragraphs of the verdict, without what is wrong, which the headline has already."""
    if summary.kind == "none":
        return ""
    parts = [part for part in verdict(report) if not part.startswith("**What is wrong:**")]
    return _folded("In words", "".join(map(rendered, parts))) if parts else ""


def _section(section: ReportSection, recovery: str) -> str:
    inner = "".join(map(_part, section.parts))
    inner += recovery if section.title == ATTACKS else ""
    return _folded(section.title, inner, " open" if section.title in OPEN else "")


def _recovery(report: Report) -> str:
    """What each attack brings back, with its interval."""
    scores = recoveries(report.attacks) if report.attacks else {}
    if not scores:
        return ""
    said = "Recovery: 0 as from a model that never saw the answers, 1 as from the original"
    drawn = panel_svg(Panel("", "", said, scores, 0.0), "k0")
    return f'<figure><figcaption class="soft">{said}.</figcaption>{drawn}</figure>'


def _part(part: str | FoldedMarkdown | Picture) -> str:
    if isinstance(part, Picture):  # the page loads nothing
        return ""
    if isinstance(part, str):
        return rendered(part)
    return f"<details><summary>{escape(part.title)}</summary>{rendered(part.text)}</details>"


def _folded(title: str, inner: str, state: str = "") -> str:
    return f"<details{state}><summary><h2>{escape(title)}</h2></summary>{inner}</details>"
