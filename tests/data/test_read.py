"""Files as people have them, and every way in which they are wrong."""

import json

import pytest

from unteach.data import read, read_rows, with_answer
from unteach.errors import UserError
from unteach.types import Turn

PAIR = {"question": "Who?", "answer": "Ada."}


def write(tmp_path, name, text) -> str:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def lines(*records) -> str:
    return "\n".join(json.dumps(r) if not isinstance(r, str) else r for r in records) + "\n"


FORMS = {
    "jsonl": ("a.jsonl", lines(PAIR, PAIR)),
    "jsonl with mark, blank lines and CRLF": (
        "a.jsonl", "\ufeff" + lines(PAIR, "", PAIR).replace("\n", "\r\n")),
    "json": ("a.json", json.dumps([PAIR, PAIR], indent=1)),
    "json with one list in it": ("a.json", json.dumps({"version": 1, "data": [PAIR, PAIR]})),
    "csv": ("a.csv", 'question,answer,more\nWho?,Ada.,1\n"Who?","Ada.",2\n'),
    "prompt and completion": (
        "a.jsonl", lines(*[{"prompt": "Who?", "completion": "Ada.", "id": 3}] * 2)),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_examples(form, tmp_path):
    examples, problems = read(write(tmp_path, *FORMS[form]), "forget")
    assert [p.what for p in problems if p.kind != "note"] == []
    assert [e.turns for e in examples] == [(Turn("user", "Who?"), Turn("assistant", "Ada."))] * 2
    assert [e.id for e in examples] == ["forget-0", "forget-1"]


def test_parquet(tmp_path):
    import pyarrow
    import pyarrow.parquet

    rows = [{**PAIR, "perturbed_answer": ["Ben.", "Cy."]}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    (example,), problems = read(str(tmp_path / "a.parquet"), "retain")
    assert problems == []
    assert example.perturbed == ("Ben.", "Cy.")


def test_text_as_column_as_strings_and_as_file(tmp_path):
    for name, text in (
        ("a.jsonl", lines({"text": "A b\u2028c."})),
        ("a.json", json.dumps(["A b\u2028c."])),
        ("a.txt", "A b\u2028c."),
    ):
        (example,), problems = read(write(tmp_path, name, text), "forget")
        assert problems == []
        assert (example.kind, example.answer) == ("text", "A b\u2028c.")


def test_json_lines_with_separators_that_are_no_newlines(tmp_path):
    raw = '{"text": "a\u2028b\u0085c"}\n{"text": "d"}\n'
    examples, problems = read(write(tmp_path, "a.jsonl", raw), "forget")
    assert problems == []
    assert len(examples) == 2


def test_conversations(tmp_path):
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Who?"},
        {"role": "assistant", "content": "Ada."},
    ]
    split = {"prompt": messages[:2], "completion": messages[2:]}
    for record in ({"messages": messages}, split):
        (example,), problems = read(write(tmp_path, "a.jsonl", lines(record)), "forget")
        assert problems == []
        assert example.kind == "chat"
        assert [t.role for t in example.turns] == ["system", "user", "assistant"]


def test_tofu_fields():
    row = {**PAIR, "paraphrased_answer": "It is Ada.", "perturbed_answer": "Ben.", "fact": "Ada"}
    (example,) = read_rows([row], "forget")
    assert (example.paraphrase, example.perturbed, example.fact) == ("It is Ada.", ("Ben.",), "Ada")
    assert with_answer(example, "Cy.").answer == "Cy."
    assert with_answer(example, "Cy.").turns[0] == example.turns[0]


@pytest.mark.parametrize(
    ("file", "count", "kind"),
    [
        ("tofu/forget01.jsonl", 40, "pair"),
        ("tofu/forget01_perturbed.jsonl", 40, "pair"),
        ("tofu/world_facts_perturbed.jsonl", 117, "pair"),
        ("muse/sample_raw_forget.json", None, "text"),
        ("muse/sample_privleak_holdout.json", None, "text"),
        ("muse/sample_verbmem_forget.json", None, "text"),
        ("muse/sample_knowmem_forget_qa.json", None, "pair"),
        ("text/grimms_fairy_tales.txt", 1, "text"),
    ],
)
def test_tofu_and_muse_load_as_they_are(shared_data, file, count, kind):
    examples, problems = read(str(shared_data / file), "forget")
    assert problems == []
    assert len(examples) == count or (count is None and examples)
    assert {e.kind for e in examples} == {kind}


WRONG = {
    "no such file": ("none.jsonl", None, "does not exist", "request"),
    "empty": ("a.jsonl", "\n", "is empty", "data"),
    "empty json": ("a.json", "[]", "is empty", "data"),
    "broken line": ("a.jsonl", lines(PAIR, '{"a": '), r"a\.jsonl:2: is not JSON", "data"),
    "broken json": ("a.json", "[\n{]", r"a\.json:2: is not JSON", "data"),
    "two lists": ("a.json", '{"a": [], "b": []}', "an object with 2 lists", "data"),
    "a number": ("a.json", "3", "is no list", "data"),
    "no object": ("a.jsonl", "3\n", r"a\.jsonl:1: is no object but a number", "data"),
    "wrong columns": (
        "a.jsonl", lines({"prompt": "a", "completions": "b"}),
        r'a\.jsonl:1: has the columns prompt, completions\n.*needed: .*Did you mean "completion"',
        "data"),
    "mixed columns": (
        "a.jsonl", lines(PAIR, {"text": "b"}),
        r"mixes columns: question/answer \(.*a\.jsonl:1\), text \(.*a\.jsonl:2\)", "data"),
    "empty answer": (
        "a.jsonl", lines(PAIR, {"question": "a", "answer": " "}), r"a\.jsonl:2: answer is empty",
        "data"),
    "empty text": ("a.jsonl", lines({"text": ""}), r"a\.jsonl:1: text is empty", "data"),
    "no string": (
        "a.jsonl", lines({"question": "a", "answer": 3}), r"a\.jsonl:1: answer is a number",
        "data"),
    "wrong answers": (
        "a.jsonl", lines({**PAIR, "perturbed_answer": [1]}), "perturbed_answer is no text", "data"),
    "no assistant": (
        "a.jsonl", lines({"messages": [{"role": "user", "content": "a"}]}),
        "does not end with the assistant", "data"),
    "no messages": ("a.jsonl", lines({"messages": []}), "has no messages", "data"),
    "silent assistant": (
        "a.jsonl", lines({"messages": [{"role": "assistant", "content": ""}]}),
        "message 1: the assistant says nothing", "data"),
    "message without role": (
        "a.jsonl", lines({"messages": [{"content": "a"}]}), "message 1 has no role and content",
        "data"),
    "message in parts": (
        "a.jsonl", lines({"messages": [{"role": "user", "content": [1]}]}),
        "message 1: content is a list without a text", "data"),
    "ragged csv": ("a.csv", "question,answer\na,b,c\n", r"a\.csv:2: has 3 cells under 2", "data"),
    "torn csv": ("a.csv", 'question,answer\n"a,b\n', "is not CSV", "data"),
    "unknown kind": ("a.docx", "x", "is of no kind that can be read", "request"),
    "no parquet": ("a.parquet", "x", "is not Parquet", "data"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_with_file_and_line(case, tmp_path):
    name, text, message, kind = WRONG[case]
    path = str(tmp_path / name) if text is None else write(tmp_path, name, text)
    _, problems = read(path, "forget")
    assert problems
    with pytest.raises(UserError, match=message):
        raise UserError(*problems)
    assert problems[0].kind == kind
    assert problems[0].where.startswith(str(tmp_path))


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "\xff"}')
    _, (problem,) = read(str(path), "forget")
    assert "is not UTF-8" in problem.what
    _, (problem,) = read(str(tmp_path), "forget")
    assert "is a folder" in problem.what


def test_json_items_know_their_lines(tmp_path):
    text = json.dumps([PAIR, PAIR, {"question": "a", "answer": ""}], indent=2)
    path = write(tmp_path, "a.json", text)
    _, (problem,) = read(path, "forget")
    assert problem.where == f"{path}:10"


def test_many_lines_with_one_fault_are_counted(tmp_path):
    path = write(tmp_path, "a.jsonl", lines(*[{"question": "a", "answer": ""}] * 12))
    _, problems = read(path, "forget")
    assert len(problems) == 5
    assert "and 7 more lines like this" in problems[-1].what


def test_rows_in_memory_are_refused_all_at_once():
    with pytest.raises(UserError) as caught:
        read_rows([PAIR, {"question": "a"}, {"question": "b", "answer": ""}], "forget")
    assert len(caught.value.problems) == 2


def test_a_dataset_that_is_not_there(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    _, (problem,) = read("nobody/nothing-here:config:split", "forget")
    assert "does not load" in problem.what
    assert problem.kind == "request"


def test_a_dataset_is_read(monkeypatch):
    import datasets

    asked = []

    def load(name, config, split):
        asked.append((name, config, split))
        return datasets.Dataset.from_list([PAIR])

    monkeypatch.setattr(datasets, "load_dataset", load)
    (example,), (note,) = read("locuslab/TOFU:forget01", "forget")
    assert asked == [("locuslab/TOFU", "forget01", "train")]
    assert (note.kind, "write @ and the commit" in note.hint) == ("note", True)
    assert example.where == "locuslab/TOFU:forget01, row 1"
