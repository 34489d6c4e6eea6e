"""Write a search as best.yaml, search.json, search.md and search.html."""

from dataclasses import asdict
from html import escape
from typing import Any

from unteach.escaping import json_text, markdown, prose
from unteach.files import write_text
from unteach.report import table as scores_table
from unteach.report.grid import grid
from unteach.report.page import page
from unteach.report.rendered import rendered
from unteach.tuning.picture import pareto_svg
from unteach.tuning.result import (
    LEGEND,
    Line,
    SearchResult,
    confirmed_sentence,
    sentence,
    table,
)

SCHEMA = 1
YAML, RESULT, MARKDOWN, HTML = "best.yaml", "search.json", "search.md", "search.html"
HALVES = (
    "Trials read the first half of every file (whole subjects), for training and for judging. "
    "The winner was then trained on whole files and measured on the second halves, which no trial "
    "read: those numbers are below, and nothing was chosen by them."
)
HALVES_LATER = (
    "Trials read the first half of every file (whole subjects), for training and for judging. "
    "best.yaml trains on whole files and measures on the second halves, which no trial read."
)


def write(result: SearchResult) -> None:
    """Write the pages of a search; best.yaml is written by the search itself."""
    texts = {RESULT: to_json(result), MARKDOWN: to_markdown(result), HTML: to_html(result)}
    for name, text in texts.items():
        write_text(result.folder / name, text)
        (result.folder / name).chmod(0o644)  # no text of the data is in them


def to_json(result: SearchResult) -> str:
    """Return the result as JSON."""
    record = {
        "schema": SCHEMA,
        "sentence": sentence(result),
        "judged_by": result.judged,
        "best": _line(result.best),
        "trials": [_line(line) for line in sorted(result.lines, key=lambda line: line.number)],
        "skipped": dict(result.skipped),
        "facts": dict(result.facts),
        "confirmed": _confirmed(result),
        "confirmed_marks": asdict(result.marks) if result.marks else None,
        "next": result.next,
    }
    return json_text(record)


def _line(line: Line) -> dict[str, Any]:
    found = asdict(line)
    del found["choice"]
    return {"method": line.choice.method, **found}


def _confirmed(result: SearchResult) -> list[dict[str, str]] | None:
    """Return the main scores of the confirming report, one mapping for each model."""
    if result.confirmed is None:
        return None
    head, *rows = scores_table(result.confirmed)
    return [dict(zip(["model", *head[1:]], row, strict=True)) for row in rows]


def to_markdown(result: SearchResult) -> str:
    """Return the result as Markdown."""
    parts = [
        "# Search",
        f"**{markdown(sentence(result))}**",
        *([f"**{markdown(said)}**"] if (said := confirmed_sentence(result)) else []),
        prose(HALVES if result.confirmed else HALVES_LATER),
        f"Trials were judged by {markdown(result.judged)}.",
        _grid(table(result)),
        prose(LEGEND),
        *_confirming(result),
        *_skipped(result),
        f"Next: `{markdown(result.next)}`",
    ]
    return "\n\n".join(parts) + "\n"


def to_html(result: SearchResult) -> str:
    """Return the result as a self-contained HTML page with a figure of the trials."""
    title = escape(sentence(result))
    figure = f'<figure class="strips">{pareto_svg(result.lines, result.best)}</figure>'
    said = (
        "To the right the forget answers are as likely as answers that were never seen; upwards "
        "the rest is kept. Small and pale: stopped early. The line joins the Pareto front."
    )
    halves = HALVES if result.confirmed else HALVES_LATER
    said_of = confirmed_sentence(result)
    told = f'<p class="said">{escape(said_of)}</p>' if said_of else ""
    trials = rendered(_grid(table(result)))
    parts = [
        f'<header><p class="kind">Search</p><h1>{escape(result.best.choice.method)}</h1></header>',
        f'<section class="verdict"><p class="said">{title}</p>{told}<p>{escape(halves)}</p>'
        f"<p>Trials were judged by {escape(result.judged)}.</p></section>",
        f'<section><h2>Forgotten and kept</h2>{figure}<p class="soft">{said}</p></section>',
        *(f"<section>{rendered(part)}</section>" for part in _confirming(result)[1:]),
        f'<section><h2>Trials</h2>{trials}<p class="soft">{LEGEND}</p></section>',
        *(f"<section>{rendered(part)}</section>" for part in _skipped(result)[1:]),
        f"<section><h2>Next</h2><p><code>{escape(result.next)}</code></p></section>",
    ]
    return page("Search", parts)


def _confirming(result: SearchResult) -> list[str]:
    if result.confirmed is None:
        return []
    columns = [list(column) for column in zip(*scores_table(result.confirmed), strict=True)]
    columns[0][0] = "on the second half"
    return ["## Confirmed on data that the search never read", _grid(columns)]


def _skipped(result: SearchResult) -> list[str]:
    lines = [f"- {markdown(name)}: {markdown(why)}" for name, why in result.skipped.items()]
    return ["## Not tried", "\n".join(lines)] if lines else []


def _grid(cells: list[list[str]]) -> str:
    plain = [[markdown(cell) for cell in row] for row in cells]
    return grid(plain, left=(0, 1, 2, 3) if len(plain[0]) > 6 else (0,))
