"""Escape the names in a report (models, facts, tables) for Markdown and HTML."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from unteach.escaping import markdown, prose
from unteach.report.attacked import shown
from unteach.report.earlier import shown as shown_earlier
from unteach.report.record import Report

BESIDE = "_vs_retrained"  # suffix of the name of a comparison


def harmless(report: Report) -> Report:
    r"""Escape all names in a report for Markdown and HTML, but not the request.

    Example:
        >>> harmless(Report(models={"<b>": {}}, notes=("see `a.md`",))).models
        {'\\x3cb\\x3e': {}}
    """
    return replace(
        report,
        models={
            markdown(name): {markdown(group): scores for group, scores in groups.items()}
            for name, groups in report.models.items()
        },
        comparisons={
            markdown(name.removesuffix(BESIDE)) + BESIDE: found
            for name, found in report.comparisons.items()
        },
        gates=tuple(replace(gate, measure=prose(gate.measure)) for gate in report.gates),
        earlier=shown_earlier(report.earlier),
        tables={
            markdown(title): [[_cell(cell) for cell in row] for row in rows]
            for title, rows in report.tables.items()
        },
        label=markdown(report.label),
        facts=_value(report.facts),
        notes=tuple(prose(" ".join(note.split())) for note in report.notes),
        attacks=shown(report.attacks) if report.attacks else None,
    )


def _cell(cell: str) -> str:
    """Escape a cell, but keep the mark `~` before a number."""
    return f"~{markdown(cell[1:])}" if cell.startswith("~") else markdown(cell)


def _value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {markdown(name): _value(found) for name, found in value.items()}
    if isinstance(value, (list, tuple)):
        return [_value(found) for found in value]
    return markdown(" ".join(value.split())) if isinstance(value, str) else value
