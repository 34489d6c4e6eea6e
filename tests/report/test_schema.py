"""The JSON Schema of scores.json: what is written fits it, and what does not fit is found."""

import copy
import json
from dataclasses import replace

import pytest
from report.schemas import faults
from typer.testing import CliRunner
from worlds import world

from unteach.cli import app
from unteach.evaluation.results import judge
from unteach.metrics.earlier import EarlierRequest
from unteach.report import Report, from_json, to_json
from unteach.report.attacked import Attacked, Worst
from unteach.report.files import scores_schema
from unteach.settings.gates import DEFAULT, Gates
from unteach.types import Paper, Score

PAPER = Paper(title="T", authors="A", year=2026, arxiv="2601.00001", where="equation 1")
EARLIER = [
    EarlierRequest(name="R-1", group="earlier-1", records=12),
    EarlierRequest(name="R-2", not_asked="its file is gone"),
]


def made():
    """A report with something in every field."""
    groups = ("forget", "retain", "holdout", "earlier-1")
    rows = {name: world(seed=k, groups=groups)
            for k, name in enumerate(("original", "unlearned", "retrained"))}  # fmt: skip
    found = judge(rows, gates=Gates(**DEFAULT, earlier=0), earlier=EARLIER)
    worst = Worst(variant="4 bits", recovery=Score(0.5, 9))
    attacked = Attacked(
        headline="worst", worst="int4", of={"int4": worst}, under="int4", cells=[["a"]],
        closeness=Score(0.5, 9, 0.4, 0.6), papers=(PAPER,),
    )  # fmt: skip
    return Report(
        **found, label="npo", papers=(PAPER,), request={"model": "m"}, facts={"steps": 3},
        notes=("a note",), tables={"T": [["a", "b"]]}, attacks=attacked,
    )  # fmt: skip


@pytest.mark.parametrize(
    "report",
    [made(), replace(made(), attacks=None, gates=(), earlier=()), Report(models={})],
    ids=["full", "without what is optional", "empty"],
)
def test_what_is_written_fits_and_is_read_again(report):
    text = to_json(report)
    assert faults(json.loads(text), scores_schema(), scores_schema()) == []
    assert from_json(text).earlier == report.earlier


@pytest.mark.parametrize(
    "spoil",
    [
        lambda r: r.pop("models"),
        lambda r: r.update(more=1),
        lambda r: r.update(schema=2),
        lambda r: r["models"]["unlearned"]["forget"]["probability"].update(value="0.5"),
        lambda r: r["given"]["unlearned"].pop("count"),
        lambda r: r["gates"][0].update(outcome="fine"),
        lambda r: r["earlier"][0].update(outcome="gone"),
        lambda r: r["earlier"][0]["after"].pop("given"),
        lambda r: r["harm"]["unlearned"]["retain"].update(asked=-1),
        lambda r: r["attacks"]["of"]["int4"].pop("recovery"),
    ],
)
def test_what_does_not_fit_is_found(spoil):
    record = json.loads(to_json(made()))
    spoil(record)
    assert faults(record, scores_schema(), scores_schema())


def test_every_field_is_described_and_the_command_prints_it():
    schema = scores_schema()
    record = json.loads(to_json(made()))
    assert set(record) == set(schema["properties"])
    bare = {"method"}
    assert {n for n, s in schema["properties"].items() if not s.get("description")} == bare
    printed = CliRunner().invoke(app, ["settings", "--scores-schema"], catch_exceptions=False)
    assert json.loads(printed.stdout) == schema


def test_another_reader_of_schemas_agrees():
    jsonschema = pytest.importorskip("jsonschema")
    schema = scores_schema()
    jsonschema.Draft202012Validator.check_schema(copy.deepcopy(schema))
    jsonschema.Draft202012Validator(schema).validate(json.loads(to_json(made())))
