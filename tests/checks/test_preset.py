"""`--preset paper`: the authors' settings, below the user's; and the page that lists them."""

import json
from pathlib import Path

import pytest

from unteach.checks.automatic import method_of
from unteach.checks.preset import with_preset
from unteach.checks.request import check
from unteach.errors import UserError
from unteach.methods import METHODS
from unteach.settings.request import Request, load

PAGE = Path(__file__).resolve().parents[2] / "docs" / "concepts" / "differences.md"
PUBLISHED = [name for name in METHODS if METHODS.get(name).paper_settings]


def request(*sets, **flags):
    return load(flags={"model": "m", "forget": "f.jsonl", "out": "o", **flags}, sets=list(sets))


def test_default_sets_nothing():
    asked = request(method="loku")
    assert with_preset(asked) == (asked, [])


def test_the_papers_settings_are_taken_and_said():
    found, (note,) = with_preset(request(method="loku", preset="paper"))
    assert found.train.learning_rate == 2e-4
    assert found.train.gradient_accumulation_steps == 16
    assert found.adapter.rank == 32
    assert found.train.draw_back == "never"
    assert note.kind == "note"
    assert "adapter.rank=32" in note.what


def test_what_the_user_set_stays():
    asked = request("train.epochs=7", "method.strength=3", method="undial", preset="paper")
    found, (note,) = with_preset(asked)
    assert found.train.epochs == 7
    assert found.method == {"name": "undial", "strength": 3, "level": "none"}
    assert found.train.learning_rate == 1e-4
    assert "epochs" not in note.what


def test_the_written_request_is_a_fixed_point():
    found, _ = with_preset(request(method="loku", preset="paper"))
    again, (note,) = with_preset(Request.model_validate(found.model_dump(mode="json")))
    assert again == found
    assert "nothing that you did not set" in note.what


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_methods_settings_are_settings(name):
    found, _ = with_preset(request(method=name, preset="paper"))
    for path, value in METHODS.get(name).paper_settings.items():
        section, field = path.split(".")
        held = found.method[field] if section == "method" else getattr(found, section)
        assert (held if section == "method" else getattr(held, field)) == value
    METHODS.get(name)(**found.method_options)


@pytest.mark.parametrize("method", ["auto", "unseen"])
def test_without_a_papers_method_it_is_refused(method):
    with pytest.raises(UserError, match="--preset paper") as caught:
        with_preset(request(method=method, preset="paper"))
    assert caught.value.problems[0].hint


def test_check_applies_it(tiny_folder, tmp_path):
    for role in ("forget", "retain"):
        rows = [{"question": f"Where is {role} {k}?", "answer": f"In {role} {k}."} for k in "abcd"]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"{role}.jsonl").write_text(text)
    files = {role: str(tmp_path / f"{role}.jsonl") for role in ("forget", "retain")}
    flags = {"model": str(tiny_folder), "out": tmp_path / "out", **files}
    found = check(load(flags={**flags, "method": "undial", "preset": "paper"}))
    assert (found.request.train.retain, found.request.adapter.kind) == ("none", "lora")
    assert found.method.strength == 10
    assert any(note.where == "--preset paper" for note in found.notes)


@pytest.mark.parametrize(
    ("flags", "sets", "hold"),
    [
        ({"retain": "r.jsonl"}, (), 1.0),
        ({}, (), 100.0),
        ({"retain": "r.jsonl"}, ("train.retain=none",), 100.0),
        ({}, ("method.hold=3",), 3),
    ],
)
def test_some_defaults_are_others_without_a_retain_term(flags, sets, hold):
    assert method_of(request(*sets, method="dto", **flags)).hold == hold


def test_the_page_lists_them():
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    for name in PUBLISHED:
        (line,) = [x for x in lines if x.startswith(f"| `{name}` |")]
        for path, value in METHODS.get(name).paper_settings.items():
            assert f"`{path}={value}`" in line, (name, path)
