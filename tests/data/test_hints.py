"""What is advised for columns that make no example, and which names messages show."""

import json

import pytest

from unteach.data import read
from unteach.data.records.hints import kept_from, listed, meant, shown

ROW = {"question": "Who?", "answer": "Ada."}


def read_lines(tmp_path, *records, name="a.jsonl"):
    path = tmp_path / name
    path.write_text("\n".join(map(json.dumps, records)))
    examples, problems = read(path, "forget")
    return examples, [p for p in problems if p.kind != "note"], problems


ADVICE = {
    "a message": ({"role": "user", "content": "Who?"}, '{"messages": [{"role": "user"'),
    "sharegpt's message": ({"from": "human", "value": "Who?"}, '{"messages": [{"role": "user"'),
    "social iqa": (
        {"context": "a", "question": "b", "answerA": "c", "answerB": "d", "label": "1"},
        "as answer the text of the one that label (from 1) names"),
    "piqa": (
        {"goal": "a", "sol1": "b", "sol2": "c", "label": 0},
        "sol1 and sol2 as choices (a list, in this order)"),
    "hellaswag": ({"ctx": "a", "endings": ["b"], "label": "1"}, "the text of the one that label"),
    "a batch of OpenAI's": (
        {"custom_id": "a", "method": "POST", "url": "b", "body": {"messages": []}},
        "write the messages in body"),
    "ultrachat": ({"id": "0", "data": ["a", "b"]}, "If data holds the turns"),
    "a class": ({"question": "a", "label": 3}, "Write the text that label stands for as answer"),
    "a class as text": ({"question": "a", "label": "3"}, "Write the text that label stands for"),
    "a label that is a text": ({"question": "a", "label": "b"}, "Write label as answer."),
    "drop": ({"passage": "a", "question": "b", "answers_spans": {}}, "name that column answer."),
    "zsre": ({"src": "a", "rephrase": "b", "answers": ["c"]}, "name that column question."),
    "a misspelt column": ({"qestion": "a", "answer": "b"}, 'Did you mean "question"?'),
}  # fmt: skip


@pytest.mark.parametrize("case", ADVICE)
def test_what_is_advised_for_columns_of_other_tools(case, tmp_path):
    record, hint = ADVICE[case]
    _, (problem,), _ = read_lines(tmp_path, record)
    assert hint in problem.hint
    assert problem.hint.count("Did you mean") == (case == "a misspelt column")
    assert "CSV" not in problem.hint


def test_one_conversation_as_a_list_is_not_advised_to_be_raw_texts(tmp_path):
    turns = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Ada."}]
    for whole in (turns, {"id": 0, "dialog": turns}):
        _, problems, _ = read_lines(tmp_path, whole, name="a.json")
        assert len(problems) == 2
        assert all("as one record" in problem.hint for problem in problems)


@pytest.mark.parametrize("name", ["option1", "message_tree_id", "answerA", "option_b", "passages"])
def test_one_of_many_columns_is_no_misspelt_one(name, tmp_path):
    _, (problem,), _ = read_lines(tmp_path, {name: "a", "mood": "b"})
    assert "Did you mean" not in problem.hint
    assert meant(name) == ""


def test_the_first_line_is_spoken_of_where_there_is_one(tmp_path):
    (tmp_path / "a.csv").write_text("zanzibar,lund\nx,y\n")
    _, (problem,) = read(tmp_path / "a.csv", "forget")
    assert "The first line of a CSV file" in problem.hint
    _, (problem,), _ = read_lines(tmp_path, {"zanzibar": "x", "lund": "y"})
    assert "CSV" not in problem.hint


def test_names_of_columns_are_shown_in_any_case(tmp_path):
    record = {**ROW, "Complex_CoT": "a", "A": "b", "answerA": "c", "thinkingText": "d"}
    _, _, (note,) = read_lines(tmp_path, *[record] * 3)
    assert note.what == "has columns that are not read: Complex_CoT, A, answerA, thinkingText"


def test_keys_that_few_records_have_may_be_people(tmp_path):
    rows = [{**ROW, "mood": "calm"}] * 3 + [{**ROW, "alice": "calm", "score": 3}]
    _, _, (note,) = read_lines(tmp_path, *rows)
    assert note.what == "has columns that are not read: mood, score (1 not shown: it may be a text)"


def test_a_name_of_one_record_alone_is_not_shown(tmp_path):
    """As a column, beside a table, as a key of a message, as a role: in each it may be a person."""
    turns = [{"role": "Basil", "content": "a"}, {"role": "user", "content": "b", "Basil": 1}]
    last = {"role": "assistant", "content": "c"}
    (tmp_path / "a.csv").write_text("question,answer,Basil\nWho?,Ada.,x\n")
    (tmp_path / "a.json").write_text('{"question": ["Who?"], "answer": ["Ada."], "Basil": 3}')
    talks = {"messages": [*turns, last]}
    for notes in (
        read_lines(tmp_path, {**ROW, "Basil": "x"})[2],
        read_lines(tmp_path, *[{**ROW, "Basil": "x"}] * 2)[2],
        read_lines(tmp_path, talks)[2],
        *(read(tmp_path / name, "forget")[1] for name in ("a.csv", "a.json")),
    ):
        assert notes
        assert all("not shown" in note.what and "Basil" not in str(note) for note in notes)
    roles = read_lines(tmp_path, *[talks] * 9)[2]  # however often
    assert "other roles" in roles[-1].what
    assert "Basil" not in roles[-1].what


def test_names_for_messages():
    assert listed({"": 9, "mood": 3}, 6) == "mood"
    assert listed({"mood": 3}, 7) == listed({"Mood": 2}, 2) == "(1 not shown: it may be a text)"
    assert listed({"mood": 1}, 1) == "mood"
    assert listed({"mood_note": 1}, 9) == "mood_note"
    assert listed({"Mood": 3}, 3) == "Mood"
    assert shown(["", "text"]) == "one without a name, text"
    assert [kept_from(role) for role in ("alice", "asistant", "critic", 3)] == [
        "of another name", "asistant", "of another name", "of another name",
    ]  # fmt: skip


def test_an_empty_answer_beside_a_text_is_what_is_wrong(tmp_path):
    """Not that the file mixes raw texts and pairs."""
    row = {"instruction": "Who?", "input": "", "output": "Ada.", "text": "Who? Ada."}
    (example,), (problem,), _ = read_lines(tmp_path, row, {**row, "output": ""})
    assert example.answer == "Ada."
    assert (problem.what, problem.where[-2:]) == ("output is empty", ":2")


@pytest.mark.parametrize(("answer", "hint"), [
    (True, "write the word that it stands for, such as yes or no"),
    ({"value": "Ada.", "aliases": []}, "write its value as a string"),
    (3.5, "write it as a string"),
])  # fmt: skip
def test_how_to_write_what_is_no_text(answer, hint, tmp_path):
    _, (problem,), _ = read_lines(tmp_path, {"question": "Who?", "answer": answer})
    assert problem.hint == hint


def test_one_of_a_kind_is_told_in_the_singular(tmp_path):
    _, _, problems = read_lines(tmp_path, {"question": "Who?", "answers": ["Ada.", "Bo."]})
    assert problems[1].what == "1 record has several answers, of which the first is read"
