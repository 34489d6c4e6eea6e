"""Read and write scores.json: the report as data, schema 1."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from importlib.resources import files
from typing import Any

from unteach.escaping import finite, in_json
from unteach.metrics.given import GivenAnswers
from unteach.metrics.harm import Harm, ScoreDrop
from unteach.report import attacked
from unteach.report.earlier import read_earlier, written_earlier
from unteach.report.gates import read_gates, written_gates
from unteach.report.record import Report
from unteach.types import Paper, Score

SCHEMA = 1
DESCRIBED = "scores.schema.json"  # the JSON Schema of what `to_json` writes, beside this file


def scores_schema() -> dict[str, Any]:
    """The JSON Schema of scores.json."""
    return json.loads(files("unteach.report").joinpath(DESCRIBED).read_text(encoding="utf-8"))


def to_json(report: Report) -> str:
    """The report as JSON; a score that is not measurable is null, with the reason as its note.

    JSON has no nan and no infinity: they become null too, so that writing never fails.

    Example:
        >>> json.loads(to_json(Report(models={})))["schema"]
        1
    """
    models = {
        model: {group: _written(scores) for group, scores in groups.items()}
        for model, groups in report.models.items()
    }
    record = {
        "schema": SCHEMA,
        "models": models,
        "comparisons": {name: _written(scores) for name, scores in report.comparisons.items()},
        "never_seen": _written(report.never_seen),
        "given": {model: _of_given(given) for model, given in report.given.items()},
        "harm": {
            model: {group: asdict(harm) for group, harm in groups.items()}
            for model, groups in report.harm.items()
        },
        "earlier": finite(written_earlier(report.earlier)),
        "gates": finite(written_gates(report.gates)),
        "tables": dict(report.tables),
        "method": {"label": report.label, "papers": [asdict(p) for p in report.papers]},
        "request": finite(report.request),
        "facts": finite(report.facts),
        "notes": list(report.notes),
    }
    if report.attacks:
        record["attacks"] = finite(attacked.written(report.attacks))
    return in_json(json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)) + "\n"


def from_json(text: str) -> Report:
    """Read a report that `to_json` wrote. Raises ValueError for another schema."""
    record = json.loads(text)
    if record.get("schema") != SCHEMA:
        raise ValueError(f"schema {record.get('schema')!r}; this release reads {SCHEMA}")
    return Report(
        models={
            model: {group: _read(scores) for group, scores in groups.items()}
            for model, groups in record["models"].items()
        },
        comparisons={name: _read(scores) for name, scores in record["comparisons"].items()},
        never_seen=_read(record.get("never_seen", {})),
        given={model: _read_given(given) for model, given in record.get("given", {}).items()},
        harm={
            model: {group: _read_harm(harm) for group, harm in groups.items()}
            for model, groups in record.get("harm", {}).items()
        },
        earlier=read_earlier(record.get("earlier", ())),
        gates=read_gates(record.get("gates", ())),
        tables=record.get("tables", {}),
        label=record["method"]["label"],
        papers=tuple(Paper(**paper) for paper in record["method"]["papers"]),
        request=record["request"],
        facts=record["facts"],
        notes=tuple(record["notes"]),
        attacks=attacked.read(record.get("attacks")),
    )


def _written(scores: Mapping[str, Score]) -> dict[str, dict[str, Any]]:
    return {name: _score(score) for name, score in scores.items()}


def _score(score: Score) -> dict[str, Any]:
    value, note = score.value, score.note
    if value is not None and not math.isfinite(value):
        value, note = None, f"not measurable: the value is {value}"
    ends = {"low": score.low, "high": score.high} if value is not None else {}
    kept = {name: end for name, end in ends.items() if end is not None and math.isfinite(end)}
    return {"value": value, "n": score.n, **kept, **({"note": note} if note else {})}


def _of_given(given: GivenAnswers) -> dict[str, Any]:
    """The record of given answers, with their count first."""
    return {"count": given.count, **asdict(given)}


def _read_given(record: Mapping[str, Any]) -> GivenAnswers:
    ids: dict[str, Any] = {n: tuple(record[n]) for n in ("words", "facts", "unjudged")}
    numbers: dict[str, Any] = {
        name: record[name] for name in ("asked", "named", "beside", "expected")
    }
    return GivenAnswers(**numbers, **ids)


def _read_harm(record: Mapping[str, Any]) -> Harm:
    falls = {k: tuple(ScoreDrop(*each) for each in record[k]) for k in ("lost", "changed")}
    ids = {k: tuple(record[k]) for k in ("broken", "silent", "endless")}
    return Harm(asked=record["asked"], **falls, **ids)


def _read(scores: Mapping[str, Any]) -> dict[str, Score]:
    return {name: _read_score(Score(**score)) for name, score in scores.items()}


def _read_score(score: Score) -> Score:
    numbers = (score.value, score.n, score.low, score.high)
    if not all(number is None or isinstance(number, (int, float)) for number in numbers):
        raise TypeError("a score is no number")
    return score
