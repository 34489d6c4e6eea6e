"""scores.json: the report as data, schema 1."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from unteach.nouns import Paper, Score
from unteach.report.record import Report

SCHEMA = 1


def to_json(report: Report) -> str:
    """The report as JSON; a number that is not measurable is null, with a note why."""
    models = {
        model: {group: _written(scores) for group, scores in groups.items()}
        for model, groups in report.models.items()
    }
    record = {
        "schema": SCHEMA,
        "models": models,
        "comparisons": {name: _written(scores) for name, scores in report.comparisons.items()},
        "method": {"label": report.label, "papers": [asdict(p) for p in report.papers]},
        "request": report.request,
        "facts": report.facts,
        "notes": list(report.notes),
    }
    return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def from_json(text: str) -> Report:
    """The report that `to_json` wrote. Raises ValueError for another schema."""
    record = json.loads(text)
    if record.get("schema") != SCHEMA:
        raise ValueError(f"schema {record.get('schema')!r}; this release reads {SCHEMA}")
    return Report(
        models={
            model: {group: _read(scores) for group, scores in groups.items()}
            for model, groups in record["models"].items()
        },
        comparisons={name: _read(scores) for name, scores in record["comparisons"].items()},
        label=record["method"]["label"],
        papers=tuple(Paper(**paper) for paper in record["method"]["papers"]),
        request=record["request"],
        facts=record["facts"],
        notes=tuple(record["notes"]),
    )


def _written(scores: Mapping[str, Score]) -> dict[str, dict[str, Any]]:
    return {name: _score(score) for name, score in scores.items()}


def _score(score: Score) -> dict[str, Any]:
    more = {"low": score.low, "high": score.high, "note": score.note or None}
    return {
        "value": score.value,
        "n": score.n,
        **{name: value for name, value in more.items() if value is not None},
    }


def _read(scores: Mapping[str, Any]) -> dict[str, Score]:
    return {name: Score(**score) for name, score in scores.items()}
