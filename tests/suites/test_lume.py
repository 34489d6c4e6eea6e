"""LUME: its groups, by task and kind, from the files of the SemEval task."""

import json

import pytest

from unteach.errors import UserError
from unteach.suites._base import SUITES

READ = SUITES.get("lume").read


def record(k, kind, task):
    return {"id": f"{k}{kind}1", "input": f"{kind} {k}?", "output": f"It is {k}.", "task": task}


ROWS = [
    record(1, "qa", "Task1"),
    record(2, "sc", "Task1"),
    record(3, "qa", "Task2"),
    record(4, "qa", "Task3"),
    record(5, "sc", "Task3"),
]


def write(file, rows):
    file.parent.mkdir(exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    for role in ("forget", "retain"):
        write(tmp_path / f"{role}.jsonl", ROWS)
        write(tmp_path / "data" / f"{role}_validation.jsonl", ROWS[:2])
    for name in ("member", "nonmember"):
        rows = [{"id": str(k), "document": f"A {name}, number {k}."} for k in range(3)]
        write(tmp_path / "mia_data" / f"{name}.jsonl", rows)
    return tmp_path


def answers(groups):
    return {name: [e.answer for e in group.examples] for name, group in groups.items()}


def test_questions_and_completions_are_groups_of_their_own(folder):
    groups = READ(folder, {})
    asked, continued = ["It is 1.", "It is 3.", "It is 4."], ["It is 2.", "It is 5."]
    assert answers(groups) == {
        "forget": asked,
        "completion": continued,
        "retain": asked,
        "completion_retain": continued,
    }
    for name, group in groups.items():
        assert (group.template, group.new_tokens, group.generate) == ("none", 256, True)
        facts = [e.fact for e in group.examples]
        assert all(facts) if name in ("forget", "retain") else not any(facts)


def test_one_task(folder):
    assert answers(READ(folder, {"task": "3"}))["completion"] == ["It is 5."]
    assert "completion" not in READ(folder, {"task": "2"})


def test_validation_is_another_file(folder):
    assert answers(READ(folder, {"split": "validation"}))["forget"] == ["It is 1."]


def test_members_and_nonmembers(folder):
    groups = READ(folder, {"part": "mia"})
    assert list(groups) == ["forget", "holdout"]
    assert groups["holdout"].examples[2].text == "A nonmember, number 2."
    assert not groups["forget"].generate


def test_what_is_missing_is_said_at_once(tmp_path):
    with pytest.raises(UserError) as caught:
        READ(tmp_path, {})
    assert [p.what.split(" (")[0] for p in caught.value.problems] == [
        "holds no forget_train",
        "holds no retain_train",
    ]
    with pytest.raises(UserError, match="--data: is needed"):
        READ(None, {})


def test_another_layout_is_refused(folder):
    write(folder / "forget.jsonl", [{"question": "secretly?", "answer": "yes"}])
    with pytest.raises(UserError, match="has no text in id, input, output, task") as caught:
        READ(folder, {})
    assert "secretly" not in str(caught.value)
