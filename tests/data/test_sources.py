"""Files that look like something else, and texts that must not show in a message."""

import json

import pytest

from unteach.data import read, read_rows
from unteach.errors import UserError

PAIR = {"question": "Who?", "answer": "Ada."}
TALK = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Ada."}]


def read_text(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    examples, problems = read(path, "forget")
    return examples, [p for p in problems if p.kind != "note"], problems


ONE_LIST = {
    "its name is a value before": {"name": "data", "see": "[1], {2}", "data": [PAIR]},
    "its name is not ASCII": {"see": "[1]", "données": [PAIR]},
    "its name has an escape": {"see": [], "a": 1} | {"see": "[", 'the "list"': [PAIR]},
    "a name that stands deeper": {"meta": {"rows": [1, 2]}, "rows": [PAIR]},
}


@pytest.mark.parametrize("case", ONE_LIST)
@pytest.mark.parametrize("ascii", [True, False])
def test_the_list_within_an_object_is_found_by_its_key(case, ascii, tmp_path):
    text = json.dumps(ONE_LIST[case], indent=1, ensure_ascii=ascii)
    (example,), problems, every = read_text(tmp_path, "a.json", text)
    assert problems == []
    assert example.answer == "Ada."
    line = text[: text.index('"question"')].count("\n")  # the brace stands a line before
    assert example.where.endswith(f"a.json:{line}")
    assert "one list is read" in every[0].what


def test_the_list_that_is_read_is_named(tmp_path):
    _, _, (note,) = read_text(tmp_path, "a.json", json.dumps({"version": 1, "data": [PAIR]}))
    assert note.what == "is an object, of which one list is read: data"
    assert note.kind == "note"
    _, (problem,), _ = read_text(tmp_path, "a.json", '{"a": [], "b": [], "A secret?": []}')
    assert problem.what == ("is an object with 3 lists in it (a (2 not shown: they may be texts))")


@pytest.mark.parametrize(
    ("record", "kind"),
    [({**PAIR, "perturbed_answer": ["Ben.", "Cy."]}, "pair"), ({"messages": TALK}, "chat")],
)
def test_an_object_that_is_an_example_is_one(record, kind, tmp_path):
    """Its only list is no list of raw texts."""
    (example,), problems, _ = read_text(tmp_path, "a.json", "\n" + json.dumps(record))
    assert problems == []
    assert example.kind == kind
    assert example.where.endswith("a.json:2")


def test_a_list_of_texts_under_the_name_text(tmp_path):
    examples, problems, _ = read_text(tmp_path, "a.json", '{"text": ["one", "two"]}')
    assert problems == []
    assert [e.text for e in examples] == ["one", "two"]


def test_json_lines_called_json(tmp_path):
    """As the TOFU files of the hub are."""
    lines = f"{json.dumps(PAIR)}\n\n{json.dumps(PAIR)}\n"
    examples, problems, _ = read_text(tmp_path, "a.json", lines)
    assert problems == []
    assert [e.where[-8:] for e in examples] == ["a.json:1", "a.json:3"]
    _, (problem,), _ = read_text(tmp_path, "a.json", lines + '{"a"')
    assert "a.json:4" in problem.where
    _, (problem,), _ = read_text(tmp_path, "a.json", "[1]\n[2]")
    assert "Extra data" in problem.what


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize(
    ("text", "what"),
    [("[" * 200_000, "within each other"), ('{"text": ' + "9" * 5000 + "}", "number too long")],
)
def test_json_that_python_refuses(name, text, what, tmp_path):
    _, (problem,), _ = read_text(tmp_path, name, text)
    assert what in problem.what
    assert problem.where.endswith(f"{name}:1")


def test_endings_in_capitals(tmp_path):
    examples, problems, _ = read_text(tmp_path, "A.JSONL", json.dumps(PAIR))
    assert (len(examples), problems) == (1, [])


def test_cells_longer_than_the_csv_module_takes(tmp_path):
    import csv

    before = 131_072
    csv.field_size_limit(before)
    (example,), problems, _ = read_text(tmp_path, "a.csv", f"text\n{'x' * 200_000}\n")
    assert problems == []
    assert len(example.text) == 200_000
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(("sign", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_another_separator_is_named(sign, name, tmp_path):
    _, (problem,), _ = read_text(tmp_path, "a.csv", f"question{sign}answer\na{sign}b\n")
    assert problem.what == f"separates its cells by {name}"
    assert problem.where.endswith("a.csv:1")


@pytest.mark.parametrize(("source", "what"), [
    ("x" * 300, "does not exist"),
    ("", "does not exist"),
    ("some/folder/file", "does not exist"),
    ("folder/file.jsonl", "does not exist"),
])  # fmt: skip
def test_what_is_neither_file_nor_id(source, what):
    _, (problem,) = read(source, "forget")
    assert what in problem.what
    assert problem.kind == "request"


@pytest.mark.parametrize(("source", "asked"), [
    ("owner/data-1.5", ("owner/data-1.5", None, "train")),
    ("owner/data.v2:small", ("owner/data.v2", "small", "train")),
    ("owner/name::test", ("owner/name", None, "test")),
])  # fmt: skip
def test_ids_with_versions_and_without_a_config(source, asked, monkeypatch):
    import datasets

    seen = []
    monkeypatch.setattr(datasets, "load_dataset", lambda *a, split: seen.append((*a, split)) or [])
    _, (problem,) = read(source, "forget")
    assert seen == [asked]
    assert "is empty" in problem.what


def test_arrow_says_no_cell_of_a_dataset(monkeypatch):
    import datasets
    import pyarrow

    def load(*args, **options):
        raise pyarrow.ArrowInvalid("invalid value 'a secret'")

    monkeypatch.setattr(datasets, "load_dataset", load)
    _, (problem,) = read("owner/name", "forget")
    assert "does not load (ArrowInvalid)" in problem.what


SECRET = "Zyx was born in Qvarn"
LEAKS = {
    "csv without a header": ("a.csv", f"Where?,{SECRET}\nWho?,{SECRET}\n"),
    "answers under questions": ("a.jsonl", json.dumps({"Where?": SECRET, SECRET: "a"})),
    "lists under texts": ("a.json", json.dumps({SECRET: [1], "b": [2]})),
    "a list under a text": ("a.json", json.dumps({SECRET: [{"x": SECRET}]})),
    "broken": ("a.jsonl", json.dumps({"text": SECRET})[:-2]),
    "no string": ("a.jsonl", json.dumps({"question": [SECRET], "answer": {SECRET: 1}})),
    "roles": ("a.jsonl", json.dumps({"messages": [{"role": SECRET, "content": SECRET}]})),
    "half a character": ("a.jsonl", json.dumps({"text": SECRET + "\ud83d"})),
    "ragged": ("a.csv", f"question,answer\n{SECRET},{SECRET},{SECRET}\n"),
    "torn": ("a.csv", f'question,answer\n"{SECRET},b\n'),
    "extra columns": ("a.jsonl", json.dumps({**PAIR, "perturbed_answer": {SECRET: SECRET}})),
}


@pytest.mark.parametrize("case", LEAKS)
def test_no_message_shows_a_text(case, tmp_path):
    _, _, problems = read_text(tmp_path, *LEAKS[case])
    assert problems
    for word in SECRET.split():
        if word[0].isupper():
            assert word not in "\n".join(map(str, problems))


def test_names_of_columns_that_look_like_names_are_shown(tmp_path):
    _, (problem,), _ = read_text(tmp_path, "a.csv", "id,Prompt,my_answer,Where was she?\n1,2,3,4\n")
    assert problem.what == "has the columns id, Prompt, my_answer (1 not shown: it may be a text)"
    assert "first line of a CSV file names the columns" in problem.hint


RECORDS = {
    "all of a pair": ({"question": "", "answer": 3}, ["question is empty", "answer is a number"]),
    "null": ({"question": "Who?", "answer": None}, ["answer is null"]),
    "half a character": ({**PAIR, "answer": "a\ud83d"}, ["answer holds half a character"]),
    "half of a wrong answer": (
        {**PAIR, "perturbed_answer": ["a", "b\udc00"]},
        ["perturbed_answer holds half a character"]),
    "extras": (
        {**PAIR, "paraphrased_answer": 1, "fact": ["a"], "perturbed_answer": [1]},
        ["paraphrased_answer is a number", "fact is a list", "perturbed_answer is no text"]),
    "all of a conversation": (
        {"messages": [{"role": "user"}, {"role": "assistant", "content": " "}]},
        ["message 1 has no role and content", "message 2: the assistant says nothing"]),
    "half a character in a message": (
        {"messages": [{"role": "user", "content": "\ud83d"}, *TALK]},
        ["message 1: content holds half a character"]),
}  # fmt: skip


@pytest.mark.parametrize("case", RECORDS)
def test_everything_that_is_wrong_with_a_record_is_said(case):
    record, expected = RECORDS[case]
    with pytest.raises(UserError) as caught:
        read_rows([record], "forget", source="mine")
    assert [p.what for p in caught.value.problems] == expected
    assert {p.where for p in caught.value.problems} == {"mine, row 1"}


def test_lines_broken_at_different_columns_are_one_kind(tmp_path):
    _, problems, _ = read_text(tmp_path, "a.jsonl", "\n".join('{"a": ' * k for k in range(1, 43)))
    assert len(problems) == 5
    assert "and 37 more lines like this" in problems[-1].what
    assert "starting at at" not in str(problems[0])


def test_blank_extras_are_none():
    row = {**PAIR, "paraphrased_answer": " ", "perturbed_answer": ["", "Ben."], "fact": None}
    (example,) = read_rows([row], "forget")
    assert (example.paraphrase, example.perturbed, example.fact) == ("", ("Ben.",), "")


@pytest.mark.parametrize(("name", "text"), [
    ("a.csv", "zanzibar,lund\nx,y\n"),
    ("a.csv", "ada,bob\nx,y\n"),
    ("a.json", '{"ada": [], "bob": []}'),
    ("a.json", '{"ada": {"born": "lund"}, "bob": {"born": "oslo"}}'),
])  # fmt: skip
def test_names_that_may_be_peoples_are_not_shown(name, text, tmp_path):
    (tmp_path / name).write_text(text)
    said = " ".join(map(str, read(tmp_path / name, "forget")[1])).replace(str(tmp_path), "")
    assert said
    assert not any(word in said for word in ("zanzibar", "lund", "ada", "bob", "oslo", "born"))
