"""Compute scores from rows and write both with the report; needs no model and no torch."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from unteach.evaluation.gates import measured
from unteach.files.rows import Groups, write_rows
from unteach.metrics import compare, score_model
from unteach.metrics.aggregate import AGGREGATE_VERSION
from unteach.metrics.closeness import CLOSENESS_VERSION
from unteach.metrics.earlier import EarlierRequest, measured_earlier, without_earlier
from unteach.metrics.given import still_given
from unteach.metrics.harm import harms
from unteach.metrics.yardstick import never_seen
from unteach.report import Report, draw, to_html, to_json, to_markdown
from unteach.settings.gates import Gates
from unteach.types import Score

ROWS = "rows"
PICTURE = "before-after.png"


def judge(
    rows: Mapping[str, Groups],
    *,
    compat: str = "",
    gates: Gates | None = None,
    earlier: Sequence[EarlierRequest] = (),
) -> dict[str, Any]:
    """Score each model, and compare each with the retrained one where there is one.

    Args:
        rows: of each model by its label; others are compared with "original" and "retrained".
        compat: a project whose variants of metrics are computed too.
        gates: what was declared to hold.
        earlier: requests that were answered before, which are judged by themselves.

    Returns:
        The fields of a `Report` that are computed from rows.
    """
    measured_again = measured_earlier(rows, earlier)
    rows = without_earlier(rows)
    original, retrained = rows.get("original"), rows.get("retrained")
    others = [name for name in rows if name != "retrained"] if retrained else []
    found: dict[str, Any] = {
        "models": {
            name: score_model(found, original=original, compat=compat)
            for name, found in rows.items()
        },
        "comparisons": {
            f"{name}_vs_retrained": compare(rows[name], retrained, original=original, compat=compat)
            for name in others
        },
        "never_seen": {} if retrained else _never_seen(rows),
        "given": {
            name: given
            for name, found in rows.items()
            if (given := still_given(found, original=original, retrained=retrained))
        },
        "harm": {
            name: harms(found, original)
            for name, found in rows.items()
            if original and name != "original"
        },
        "earlier": measured_again,
    }
    return {**found, "gates": measured(Report(**found), rows, gates) if gates else ()}


def declared(report: Report) -> Gates | None:
    """The gates that a report's request declares; None where it has none."""
    told = report.request.get("gates")
    return Gates(**told) if isinstance(told, dict) and told else None


def _never_seen(rows: Mapping[str, Groups]) -> dict[str, Score]:
    """Expected scores of unseen texts, by the holdout of the original, else of the first model."""
    first = next(iter(rows.values()), {})
    return never_seen(first, original=rows.get("original")) if first.get("holdout") else {}


def write(
    report: Report,
    rows: Mapping[str, Groups],
    folder: Path,
    *,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Write rows, scores, figure, and the report as Markdown and HTML.

    Args:
        report: the report.
        rows: of each model by its label.
        folder: to write into.
        about: metadata for the row files, such as the suite and its version.
    """
    for name, groups in rows.items():
        write_rows(folder / ROWS / f"{name}.jsonl", groups, about)
    (folder / "scores.json").write_text(to_json(report), encoding="utf-8")
    picture = PICTURE if can_draw() else None
    if picture:
        draw(report, folder / picture)
    (folder / "report.md").write_text(to_markdown(report, picture=picture), encoding="utf-8")
    (folder / "report.html").write_text(to_html(report, rows), encoding="utf-8", newline="\n")


def can_draw() -> bool:
    """Whether matplotlib is installed (the `plots` extra)."""
    from importlib.util import find_spec

    return find_spec("matplotlib") is not None


def versions() -> dict[str, Any]:
    """Versions of the libraries that the numbers depend on, and of our own metric definitions."""
    libraries = ("unteach", "torch", "transformers", "peft")
    ours = {"closeness": CLOSENESS_VERSION, "aggregate": AGGREGATE_VERSION}
    return {**{name: version(name) for name in libraries}, "definitions": ours}
