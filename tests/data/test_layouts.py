"""JSON objects that hold many records, tables with tabs, and files packed by zstd."""

import json

import pandas
import pyarrow
import pytest

from unteach.data import read
from unteach.files import text as textfile

ROWS = [{"question": "Who?", "answer": "Ada."}, {"question": "Where?", "answer": "In Lund."}]
FRAME = pandas.DataFrame(ROWS)


def read_text(tmp_path, text, name="a.json"):
    (tmp_path / name).write_text(text, encoding="utf-8")
    examples, problems = read(tmp_path / name, "forget")
    return examples, problems


@pytest.mark.parametrize("orient", ["columns", "index", "records", "split", "table"])
@pytest.mark.parametrize("indent", [None, 1])
def test_what_pandas_writes(orient, indent, tmp_path):
    examples, problems = read_text(tmp_path, FRAME.to_json(orient=orient, indent=indent))
    assert [p.what for p in problems if p.kind != "note"] == []
    assert [(e.turns[0].text, e.answer) for e in examples] == [
        ("Who?", "Ada."),
        ("Where?", "In Lund."),
    ]


def test_lists_by_column(tmp_path):
    examples, problems = read_text(tmp_path, FRAME.to_json(orient="columns"))
    again, more = read_text(tmp_path, json.dumps({"split": "train", **FRAME.to_dict("list")}))
    assert [e.turns for e in examples] == [e.turns for e in again]
    assert problems == []
    assert [p.what for p in more] == ["is a table, beside which this is not read: split"]
    (example,), _ = read_text(tmp_path, '{"text": {"0": "Ada bakes."}}')
    assert example.text == "Ada bakes."


def test_columns_of_unequal_lengths(tmp_path):
    _, (problem,) = read_text(tmp_path, '{"question": ["a", "b"], "answer": ["c"]}')
    assert problem.what == "has columns of unequal lengths: question, answer have 2, 1"


def test_columns_of_different_rows(tmp_path):
    """Else a thousand columns of a thousand rows each would make a billion cells."""
    text = json.dumps({"question": {"0": "a"}, "answer": {"1": "b"}})
    _, (problem,) = read_text(tmp_path, text)
    assert problem.what == "has columns of different rows: question, answer"


def test_objects_of_one_record_are_no_table(tmp_path):
    """The role and the language would be questions and answers of their own."""
    said = [{"role": "user", "content": "Where?"}, {"role": "assistant", "content": "Lund"}]
    texts = [{"text": "Where?", "lang": "en"}, {"text": "Lund", "lang": "en"}]
    for asked, answered in (said, texts):
        for names in (("prompt", "completion"), ("question", "answer")):
            text = json.dumps(dict(zip(names, (asked, answered), strict=True)))
            examples, (problem,) = read_text(tmp_path, text)
            assert examples == []
            assert problem.what == f"has objects under {', '.join(names)}"
            assert "orient='records'" in problem.hint


def test_rows_may_have_ids_and_dates_for_names(tmp_path):
    for index in (["q1", "q2"], ["2020-01-01", "2020-01-02"], [-1, 7]):
        text = FRAME.set_index(pandas.Index(index)).to_json()
        examples, problems = read_text(tmp_path, text)
        assert ([e.answer for e in examples], problems) == (["Ada.", "In Lund."], [])
    examples, problems = read_text(tmp_path, '{"question": [], "answer": []}')
    assert (examples, [p.what for p in problems]) == ([], ["is empty"])


@pytest.mark.parametrize("once", [{"system": "Always French."}, {"tools": {"name": "look"}}])
def test_what_belongs_to_each_record_is_not_lost_where_it_is_said_once(once, tmp_path):
    for whole in ({"examples": ROWS}, FRAME.to_dict("list")):
        examples, (problem,) = read_text(tmp_path, json.dumps({**once, **whole}))
        assert examples == []
        assert problem.what == f"says {next(iter(once))} once for all records"


def test_what_else_an_object_says_is_named(tmp_path):
    whole = {"version": 2, "notes": "", "instruction": "Be brief.", "Ada": 3, "data": ROWS}
    examples, (note,) = read_text(tmp_path, json.dumps(whole))
    assert (len(examples), note.kind) == (2, "note")
    assert note.what == (
        "is an object, of which one list is read: data; "
        "not read: instruction (1 not shown: it may be a text)"
    )


def test_turns_under_an_id_are_no_raw_texts(tmp_path):
    _, (problem,) = read_text(tmp_path, '{"id": "0", "data": ["Q", "A", "Q", "A"]}')
    assert problem.what == "is an object with an id and a list of texts (data)"
    examples, _ = read_text(tmp_path, '{"version": "0", "data": ["Ada bakes.", "Bo sings."]}')
    assert [e.text for e in examples] == ["Ada bakes.", "Bo sings."]


def test_records_by_key_have_their_lines_and_keep_their_keys(tmp_path):
    keyed = {"Ada Berg": ROWS[0], "Bo Falk": {"question": "", "answer": "b"}}
    _, (problem,) = read_text(tmp_path, json.dumps(keyed, indent=1))
    assert problem.where.endswith("a.json:6")
    assert "Ada" not in str(problem)


def test_two_lists_by_the_names_of_their_roles(tmp_path):
    _, (problem,) = read_text(tmp_path, json.dumps({"forget": ROWS, "retain": ROWS}))
    assert problem.what == "is an object with 2 lists in it (forget, retain)"
    assert "--forget forget.json and --retain retain.json" in problem.hint


def test_an_object_of_objects_that_are_no_records(tmp_path):
    for text in ('{"a": {"b": 1}}', '{"data": {"question": ["a"], "answer": ["b"]}}'):
        _, (problem,) = read_text(tmp_path, text)
        assert problem.what == "is an object with 0 lists in it"
        assert "orient='records'" in problem.hint


def test_a_choice_with_its_options_is_one_record(tmp_path):
    """Its only list is no list of raw texts."""
    record = {"question": "Which?", "choices": ["Lund", "Oslo"], "answer": 1}
    (example,), _ = read_text(tmp_path, json.dumps(record))
    assert example.answer == "Oslo"


def test_tables_with_tabs(tmp_path):
    text = FRAME.to_csv(sep="\t")
    examples, problems = read_text(tmp_path, text, "a.tsv")
    assert ([e.answer for e in examples], problems) == (["Ada.", "In Lund."], [])
    _, (problem,) = read_text(tmp_path, text.replace("\tAda.", ""), "a.tsv")
    assert problem.hint == "quote cells that hold tabs"
    _, (problem,) = read_text(tmp_path, "question,answer\na,b\n", "a.tsv")
    assert problem.what == "separates its cells by commas"


def packed(path, text):
    path.write_bytes(pyarrow.compress(text.encode(), "zstd", asbytes=True))
    return path


def test_files_packed_by_zstd(tmp_path):
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    for name, text in (
        ("a.jsonl.zst", lines),
        ("a.json.zst", json.dumps(ROWS)),
        ("a.csv.ZST", FRAME.to_csv(index=False)),
    ):
        examples, problems = read(packed(tmp_path / name, text), "forget")
        assert ([e.answer for e in examples], problems) == (["Ada.", "In Lund."], [])
    twice = (tmp_path / "a.jsonl.zst").read_bytes() * 2
    (tmp_path / "a.jsonl.zst").write_bytes(twice)
    assert len(read(tmp_path / "a.jsonl.zst", "forget")[0]) == 4


def test_zstd_that_is_none_or_torn_or_too_much(tmp_path, monkeypatch):
    path = packed(tmp_path / "a.jsonl.zst", json.dumps(ROWS[0]) * 9)
    path.write_bytes(path.read_bytes()[:-5])
    _, (problem,) = read(path, "forget")
    assert problem.what == "is no zstd, or broken"
    path.write_text("{}")
    _, (problem,) = read(path, "forget")
    assert problem.what == "is no zstd, or broken"
    monkeypatch.setattr(textfile, "SMALL", 2**20)
    _, (problem,) = read(packed(path, " " * 2**22), "forget")
    assert problem.what == "unpacks to more than 1,048,576 bytes"


def test_zstd_by_another_name(tmp_path):
    _, (problem,) = read(packed(tmp_path / "a.jsonl", "{}"), "forget")
    assert problem.what == "is compressed by zstd"
    assert ".jsonl.zst" in problem.hint


@pytest.mark.parametrize("name", ["a.pkl", "a.pickle", "a.pt", "a.py", "a.npy"])
def test_what_may_run_a_program_is_never_opened(name, tmp_path):
    (tmp_path / name).write_bytes(b"\x80\x04.")
    _, (problem,) = read(tmp_path / name, "forget")
    assert "may run a program" in problem.hint
