"""Every setting can be found: listed, in a file to fill in, and in a schema for editors."""

import json
import re

import pytest
from typer.testing import CliRunner

from unteach.cli import app
from unteach.errors import UserError
from unteach.files.yaml import read_yaml
from unteach.settings.listing import commented, schema, settings
from unteach.settings.request import Request, load

ALL = {setting.name: setting for setting in settings()}


def shown(*arguments):
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def plain(request) -> dict:
    """By name with dots; methods and mappings as they are."""
    found = {}
    for name, value in request.model_dump(mode="json").items():
        if name in ("adapter", "train", "data", "evaluate", "gates", "attack"):
            found |= {f"{name}.{key}": each for key, each in value.items()}
        else:
            found[name] = value
    return found


def test_there_is_every_setting_with_its_default_and_its_meaning():
    usual = plain(Request.model_validate({"model": "m", "forget": "f", "out": "o"}))
    assert ALL.keys() == usual.keys()
    assert {n: s.default for n, s in ALL.items() if not s.required} == {
        n: value for n, value in usual.items() if not ALL[n].required
    }
    assert [n for n, s in ALL.items() if s.required] == ["model", "forget", "out"]
    assert all(len(s.meaning) > 10 and s.kind for s in ALL.values())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("train.learning_rate", "number > 0"),
        ("train.seed", "integer >= 0 and < 4294967296"),
        ("train.stop_at", "number >= 0 and <= 1 or holdout"),
        ("adapter.kind", "full or lora"),
        ("adapter.targets", "all-linear or a list"),
        ("keep_text", "true or false"),
    ],
)
def test_kinds_have_their_bounds(name, kind):
    assert ALL[name].kind == kind


def test_the_file_is_a_request_once_it_is_filled_in(tmp_path):
    file = tmp_path / "request.yaml"
    assert shown("init", str(file)).exit_code == 0
    text = file.read_text()
    for name in ("model", "forget", "out"):
        text = text.replace(f"{name}: {name.upper()}", f"{name}: {name}")
    file.write_text(text)
    flags = {n: n for n in ("model", "forget", "out")}
    assert load(file).asked() == load(None, {**flags, "gates": "default"}).asked()


def test_its_comments_are_the_defaults():
    """Taken out of the comments, it says what a request says that leaves them out."""
    text = re.sub(r"^#   (?=[#a-z])", "  ", commented(), flags=re.MULTILINE)
    text = re.sub(r"^# (?=[a-z_]+:( \S|$))", "", text, flags=re.MULTILINE)
    text = re.sub(r"^# (?=train:|data:|adapter:|evaluate:)", "", text, flags=re.MULTILINE)
    read = read_yaml(text, "request.yaml")
    found = Request.model_validate(read)
    flags = {"model": "MODEL", "forget": "FORGET", "out": "OUT"}
    usual = Request.model_validate({**flags, "gates": "default"})
    assert found == usual
    assert len(read) > 15


def test_a_file_that_is_there_is_left_as_it_is(tmp_path):
    file = tmp_path / "request.yaml"
    file.write_text("mine")
    with pytest.raises(UserError, match="is there already"):
        shown("init", str(file))
    assert file.read_text() == "mine"


def test_one_section_one_setting_or_a_part_of_a_name():
    by_section = json.loads(shown("settings", "data", "--json").stdout)
    assert [s["name"] for s in by_section] == [n for n in ALL if n.startswith("data.")]
    assert [s["name"] for s in json.loads(shown("settings", "train.epochs", "--json").stdout)] == [
        "train.epochs"
    ]
    assert "train.learning_rate = -  (number > 0)" in shown("settings", "rate").stdout
    assert "model = (required)" in shown("settings").stdout
    with pytest.raises(UserError, match="Did you mean"):
        shown("settings", "learning_rat_")


def test_the_schema_takes_what_a_request_takes_and_says_what_it_means():
    made = schema()
    train = made["$defs"]["TrainSettings"]["properties"]
    assert train["epochs"]["description"] == ALL["train.epochs"].meaning
    assert made["properties"]["forget"]["description"] == ALL["forget"].meaning
    assert made["required"] == ["model", "forget", "out"]
    assert json.loads(shown("settings", "--schema").stdout) == made
