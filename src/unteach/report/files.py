"""Read and write scores.json: the report as data, schema 1."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from typing import Any

from unteach.escaping import json_text
from unteach.report import attacked
from unteach.report.earlier import outcome
from unteach.report.record import Report
from unteach.types import Score

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
        "given": {m: {"count": given.count, **asdict(given)} for m, given in report.given.items()},
        "harm": {
            model: {group: asdict(harm) for group, harm in groups.items()}
            for model, groups in report.harm.items()
        },
        "earlier": [{"outcome": outcome(one), **asdict(one)} for one in report.earlier],
        "gates": [asdict(gate) for gate in report.gates],
        "tables": dict(report.tables),
        "method": {"label": report.label, "papers": [asdict(p) for p in report.papers]},
        "request": report.request,
        "facts": report.facts,
        "notes": list(report.notes),
    }
    if report.attacks:
        record["attacks"] = attacked.written(report.attacks)
    return json_text(record)


def from_json(text: str) -> Report:
    """Read a report that `to_json` wrote. Raises ValueError for anything else."""
    from pydantic import ValidationError

    record = json.loads(text)
    if record.get("schema") != SCHEMA:
        raise ValueError(f"schema {record.get('schema')!r}; this release reads {SCHEMA}")
    attacks = attacked.read(record.get("attacks"))
    try:
        return _reader().validate_python({**record, **record["method"], "attacks": attacks})
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


@cache
def _reader() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(Report)


def _written(scores: Mapping[str, Score]) -> dict[str, dict[str, Any]]:
    return {name: written_score(score) for name, score in scores.items()}


def written_score(score: Score) -> dict[str, Any]:
    """Return a score for JSON; ends and a note only if there are any."""
    value, note = score.value, score.note
    if value is not None and not math.isfinite(value):
        value, note = None, f"not measurable: the value is {value}"
    ends = {"low": score.low, "high": score.high} if value is not None else {}
    kept = {name: end for name, end in ends.items() if end is not None and math.isfinite(end)}
    return {"value": value, "n": score.n, **kept, **({"note": note} if note else {})}
