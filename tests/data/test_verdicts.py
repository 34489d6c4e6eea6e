"""Records that say that they are not trained on, that an answer is bad, or are one message."""

import json

import pytest

from unteach.data import read

PAIR = {"question": "Who?", "answer": "Ada."}
TURNS = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Ada."}]


def read_lines(tmp_path, *records):
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, records)))
    return read(path, "forget")


OUT = [
    {"weight": 0}, {"Weight": 0.0}, {"train": False}, {"train": "false"},
    {"trainable": 0, "weight": 1}]  # fmt: skip


@pytest.mark.parametrize("flag", OUT)
def test_a_record_that_the_file_excludes_is_left_out_and_counted(flag, tmp_path):
    for record in ({"question": "Where?", "answer": "Lund"}, {"text": "Lund"}, {"messages": TURNS}):
        examples, (note,) = read_lines(tmp_path, PAIR, {**record, **flag}, {**record, **flag})
        assert [(e.id, e.answer) for e in examples] == [("forget-0", "Ada.")]
        assert note.what == "2 records are left out, since weight or train says so"
        assert note.kind == "note"


def test_a_record_that_the_file_includes_is_no_news(tmp_path):
    for flag in ({"weight": 1}, {"train": True}, {"train": "True", "weight": 1.0}):
        (example,), problems = read_lines(tmp_path, {**PAIR, **flag})
        assert (example.answer, problems) == ("Ada.", [])


def test_a_weight_that_is_none_of_both_is_named(tmp_path):
    (example,), (note,) = read_lines(tmp_path, {**PAIR, "weight": 0.5})
    assert example.answer == "Ada."
    assert note.what == "has columns that are not read: weight"


def test_a_file_of_which_every_record_is_excluded_is_refused(tmp_path):
    examples, (problem,) = read_lines(tmp_path, {**PAIR, "weight": 0})
    assert (examples, problem.kind) == ([], "data")
    assert problem.what.startswith("no record is to be trained on")


def test_a_cell_excludes_too(tmp_path):
    (tmp_path / "a.csv").write_text("question,answer,train\nWho?,Ada.,True\nWhere?,Lund,False\n")
    (example,), (note,) = read(tmp_path / "a.csv", "forget")
    assert example.answer == "Ada."
    assert note.what == "1 record is left out, since weight or train says so"


@pytest.mark.parametrize("flag", [{"label": False}, {"kto_tag": False}, {"Label": "False"}])
def test_an_answer_that_was_to_be_avoided_is_refused(flag, tmp_path):
    for record in (PAIR, {"prompt": "Who?", "completion": "Ada."}, {"messages": TURNS}):
        _, (problem, *_) = read_lines(tmp_path, {**record, **flag})
        assert problem.what.endswith("is false, so the answer is no good one")
        assert "preference" in problem.hint
        true = {name: not value or "True" for name, value in flag.items()}
        (example,), problems = read_lines(tmp_path, {**record, **true})
        assert (example.answer, problems) == ("Ada.", [])


def test_a_class_of_a_raw_text_may_be_false(tmp_path):
    (example,), problems = read_lines(tmp_path, {"text": "Ada bakes.", "label": False})
    assert (example.text, problems) == ("Ada bakes.", [])


@pytest.mark.parametrize("record", [
    {"message_id": "b", "parent_id": "a", "text": "Who?", "role": "prompter", "lang": "en"},
    {"text": "Who?", "role": "user"},
    {"text": "Who?", "from": "Human"},
    {"text": "Who?", "role": "alice", "parent_id": "a"},
])  # fmt: skip
def test_one_message_of_a_conversation_is_no_raw_text(record, tmp_path):
    _, (problem, *_) = read_lines(tmp_path, record)
    assert problem.what.startswith("is one message of a conversation")
    assert "one record for each conversation" in problem.hint
    assert "alice" not in str(problem)


def test_a_raw_text_may_have_an_author(tmp_path):
    (example,), (note,) = read_lines(tmp_path, {"text": "Ada bakes.", "author": "Bo", "turn": 1})
    assert example.text == "Ada bakes."
    assert "author" in note.what
