"""Write the table as Markdown, CSV, LaTeX, HTML and JSON; needs no model."""

import csv
import io
import re
from html import escape
from typing import Any

from unteach.benchmark.table import OTHERS, READERS, BenchResult, Mean, missing, table
from unteach.escaping import json_text, markdown, prose
from unteach.files import write_text
from unteach.report.grid import grid
from unteach.report.page import page
from unteach.report.rendered import rendered
from unteach.report.table import number

NAMES = ("bench.md", "bench.csv", "cells.csv", "bench.tex", "bench.html", "bench.json")
SAID = (
    "Means over seeds with 95% intervals (Student's t over the seeds of the method; the examples "
    "are the same for all, so their own uncertainty is not in it). Each cell is a whole "
    "`unteach run`; its report is in `cells/`."
)
SCHEMA = 1


def write(result: BenchResult) -> None:
    """Write all tables into the folder of the benchmark."""
    texts = (
        to_markdown(result), to_csv(result), cells_csv(result), to_latex(result), to_html(result),
        to_json(result),
    )  # fmt: skip
    for name, text in zip(NAMES, texts, strict=True):
        write_text(result.folder / name, text)
        (result.folder / name).chmod(0o644)  # no text of the data is in them


def to_markdown(result: BenchResult) -> str:
    """Return the table as Markdown."""
    parts = ["# Benchmark", prose(f"Budget: {result.about}."), _grid(result), prose(SAID)]
    if lines := missing(result):
        parts += ["## What is missing", "\n".join(f"- {markdown(line)}" for line in lines)]
    parts += ["## Facts", _facts(result), f"Next: `{markdown(result.next)}`"]
    return "\n\n".join(parts) + "\n"


def to_html(result: BenchResult) -> str:
    """Return the table as a self-contained HTML page."""
    lines = "".join(f"<li>{escape(line)}</li>" for line in missing(result))
    parts = [
        '<header><p class="kind">Benchmark</p><h1>Methods side by side</h1></header>',
        f"<section><p>{escape(f'Budget: {result.about}.')}</p>{rendered(_grid(result))}"
        f"{rendered(prose(SAID))}</section>",
        f"<section><h2>What is missing</h2><ul>{lines}</ul></section>" if lines else "",
        f"<section><h2>Facts</h2>{rendered(_facts(result))}"
        f"<p><code>{escape(result.next)}</code></p></section>",
    ]
    return page("Benchmark", parts)


def to_csv(result: BenchResult) -> str:
    """One line for each model: every number, then the ends of its interval."""
    ends = [(f"{name}", f"{name} low", f"{name} high") for name in result.columns]
    head = ["model", "seeds", *(name for three in ends for name in three), "not run because"]
    rows = [
        [line.name, line.seeds]
        + [x for name in result.columns for x in _three(line.means.get(name))]
        + [line.why]
        for line in result.lines
    ]
    return _csv([head, *rows])


def cells_csv(result: BenchResult) -> str:
    """One line for each cell, for a statistic of your own."""
    head = ["method", "seed", "state", *READERS, "seconds", "peak bytes", "why"]
    rows = []
    for cell in result.cells:
        report = cell.report
        read = [of(report, "unlearned").value if report else None for of in READERS.values()]
        plain = ["" if value is None else repr(value) for value in read]
        start = [cell.method, cell.seed, cell.state]
        rows.append([*start, *plain, cell.seconds, cell.peak or "", cell.why])
    return _csv([head, *rows])


def to_latex(result: BenchResult) -> str:
    r"""Return the table as a LaTeX `tabular` without packages; `\input{bench.tex}` it."""
    head, *rows = table(result)
    lines = [" & ".join(map(_latex, row)) + r" \\" for row in rows]
    columns = "l" + "r" * (len(head) - 1)
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{columns}}}", r"\hline", " & ".join(map(_latex, head)) + r" \\",
            r"\hline", *lines, r"\hline", r"\end{tabular}", "",
        ]
    )  # fmt: skip


def to_json(result: BenchResult) -> str:
    """Return the table as JSON."""
    record: dict[str, Any] = {
        "schema": SCHEMA,
        "about": result.about,
        "columns": list(result.columns),
        "lines": [
            {
                "model": line.name,
                "seeds": line.seeds,
                "means": {n: _mean(m) for n, m in line.means.items() if m.value is not None},
                "why": line.why,
            }
            for line in result.lines
        ],
        "facts": result.facts,
        "next": result.next,
    }
    return json_text(record)


def _mean(mean: Mean) -> dict[str, Any]:
    ends = {} if mean.half is None else {"low": _three(mean)[1], "high": _three(mean)[2]}
    return {"value": mean.value, "n": mean.n, **ends}


def _three(mean: Mean | None) -> tuple[Any, Any, Any]:
    if mean is None or mean.value is None:
        return "", "", ""
    if mean.half is None:
        return mean.value, "", ""
    return mean.value, mean.value - mean.half, mean.value + mean.half


def _grid(result: BenchResult) -> str:
    return grid([[markdown(cell) for cell in row] for row in table(result)])


def _facts(result: BenchResult) -> str:
    told = (
        f"{name.replace('_', ' ')} {number(v) if isinstance(v, float) else v}"
        for name, v in result.facts.items()
    )
    return markdown(", ".join(told)) + "."


def _csv(rows: list[list[Any]]) -> str:
    made = io.StringIO()
    csv.writer(made, lineterminator="\n").writerows(rows)
    return made.getvalue()


def _latex(cell: str) -> str:
    r"""Escape a cell, and set an interval as mathematics.

    Example:
        >>> _latex("0.50 ± 0.02"), _latex("a_b, 5%")
        ('$0.50 \\pm 0.02$', 'a\\_b, 5\\%')
    """
    if "±" in cell:
        return f"${cell.replace('±', chr(92) + 'pm')}$"
    return re.sub(r"([&%$#_{}])", r"\\\1", cell.replace("\\", "/"))


__all__ = ["NAMES", "OTHERS", "to_json", "write"]
