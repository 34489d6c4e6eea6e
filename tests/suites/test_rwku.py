"""RWKU: probes of three levels, neighbours and membership sets, of one target or of all."""

import json

import pytest

from unteach.errors import UserError
from unteach.suites._base import SUITES

READ = SUITES.get("rwku").read
FILES = ("forget_level1", "forget_level2", "forget_level3", "neighbor_level1", "neighbor_level2")


@pytest.fixture
def folder(tmp_path):
    for name in FILES:
        rows = [
            {"subject": who, "query": f"Of {who}: {name}?", "answer": who, "level": name[-1]}
            for who in ("Ada", "Bo")
        ]
        (tmp_path / f"{name}.json").write_text(json.dumps(rows), encoding="utf-8")
    for name in ("mia_forget", "mia_retain"):
        rows = [{"subject": who, "text": f"About {who}."} for who in ("Ada", "Bo")]
        (tmp_path / f"{name}.json").write_text(json.dumps(rows), encoding="utf-8")
    return tmp_path


def test_groups_and_how_they_are_asked(folder):
    groups = READ(folder, {})
    assert list(groups) == ["forget", "cloze", "adversarial", "retain", "cloze_retain"]
    for group in groups.values():
        assert (len(group.examples), group.new_tokens, group.stop) == (2, 30, ("\n",))
    question = groups["forget"].examples[0].turns[0].text
    assert question.endswith("\nQuestion: Of Ada: forget_level2?")
    assert "blank" in groups["cloze"].examples[0].turns[0].text
    assert groups["retain"].examples[1].fact == "Bo"


def test_one_target(folder):
    groups = READ(folder, {"subject": "Bo"})
    assert {e.answer for group in groups.values() for e in group.examples} == {"Bo"}
    with pytest.raises(UserError, match="no file holds a record about it"):
        READ(folder, {"subject": "Cy"})


def test_examples_in_a_probe_stand_as_they_are(folder):
    row = {"query": "Q: a\nA: b\nQ: c", "answer": "d", "type": "incontext learning"}
    (folder / "forget_level3.json").write_text(json.dumps([row]), encoding="utf-8")
    (example,) = READ(folder, {})["adversarial"].examples
    assert example.turns[0].text.endswith("question.\nQ: a\nA: b\nQ: c")


def test_membership_texts(folder):
    groups = READ(folder, {"part": "mia", "subject": "Ada"})
    assert {n: [e.text for e in g.examples] for n, g in groups.items()} == {
        "forget": ["About Ada."],
        "retain": ["About Ada."],
    }


def test_every_missing_file_is_named(tmp_path):
    with pytest.raises(UserError) as caught:
        READ(tmp_path, {})
    assert all(name in str(caught.value) for name in FILES)
