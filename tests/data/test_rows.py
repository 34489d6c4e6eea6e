"""Rows in memory as people have them: data sets, data frames, and what NumPy holds."""

import datasets
import numpy
import pandas
import pyarrow
import pytest

from unteach.data import read, read_rows
from unteach.errors import UserError
from unteach.training.prepare import examples_of, sequences_of

ROWS = [{"question": "Who?", "answer": "Ada."}, {"question": "Where?", "answer": "In Lund."}]
FRAME = pandas.DataFrame(ROWS)
SET = datasets.Dataset.from_list(ROWS)

READ = {
    "a list": ROWS,
    "a data set": SET,
    "a stream": SET.to_iterable_dataset(),
    "a frame": FRAME,
    "a frame with an index of names": FRAME.set_index(pandas.Index(["b", "a"])),
    "an Arrow table": pyarrow.Table.from_pylist(ROWS),
}


@pytest.mark.parametrize("case", READ)
def test_rows_are_read_whatever_holds_them(case, chat_tokenizer):
    examples = read_rows(READ[case], "forget")
    assert [(e.turns[0].text, e.answer) for e in examples] == [
        ("Who?", "Ada."),
        ("Where?", "In Lund."),
    ]
    found = sequences_of(READ[case], "forget", chat_tokenizer, 500, "plain")
    answers = [[t for t, mine in zip(s.ids, s.answer, strict=True) if mine] for s in found]
    assert [chat_tokenizer.decode(ids).replace(" ", "") for ids in answers] == [
        "Ada.<|stop|>",
        "InLund.<|stop|>",
    ]


NO_ROWS = {
    "splits": (datasets.DatasetDict({"train": SET}), "is a dict of data sets", '["train"]'),
    "frames by split": ({"train": FRAME}, "is a dict of data sets", '["train"]'),
    "a dict of columns": (FRAME.to_dict("list"), "is a dict of columns", "Dataset.from_dict"),
    "one record": (ROWS[0], "is one mapping", "a list of them"),
    "a path": ("forget.jsonl", "is a text or a path", "unteach.data.read"),
    "a number": (3, "is no list of rows", "a list of records"),
    "a column twice": (pandas.concat([FRAME, FRAME], axis=1), "names one column twice", "own"),
}


@pytest.mark.parametrize("case", NO_ROWS)
def test_what_holds_no_rows_is_refused(case, chat_tokenizer):
    """Iterated, it gives the names of its columns, which were trained on as raw texts."""
    given, what, hint = NO_ROWS[case]
    for reads in (
        lambda: read_rows(given, "forget"),
        lambda: examples_of(given),
        lambda: sequences_of(given, "forget", chat_tokenizer, 500, "plain"),
    ):
        with pytest.raises(UserError) as caught:
            reads()
        (problem,) = caught.value.problems
        assert (problem.where, problem.kind) == ("forget rows", "request")
        assert problem.what.startswith(what)
        assert hint in problem.hint


def test_arrays_and_numbers_of_numpy_are_read(tmp_path):
    turns = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Ada."}]
    rows = {
        "talks": [{"messages": turns}],
        "choices": [{"question": "Which?", "choices": ["Lund", "Oslo"], "answer": 1}],
        "answers": [{"question": "Who?", "answers": {"text": ["Ada."], "answer_start": [3]}}],
    }
    for name, records in rows.items():
        pandas.DataFrame(records).to_parquet(tmp_path / name)
        frame = pandas.read_parquet(tmp_path / name)
        for given in (frame, frame.to_dict("records")):
            (example,) = read_rows(given, "forget")
            assert example.answer == ("Oslo" if name == "choices" else "Ada.")
    row = {"question": "Which?", "choices": numpy.array(["Lund", "Oslo"]), "answer": numpy.int64(1)}
    assert read_rows([row], "forget")[0].perturbed == ("Lund",)


def test_a_missing_value_of_pandas_is_null():
    frame = pandas.DataFrame([{**ROWS[0], "system": pandas.NA}, {**ROWS[1], "system": pandas.NaT}])
    assert [len(example.turns) for example in read_rows(frame, "forget")] == [2, 2]


def test_what_arrow_fills_with_null_is_left_out_as_in_a_file(tmp_path):
    tools = [
        {"name": "look", "parameters": {"x": {"type": "string"}}},
        {"name": "find", "parameters": {"y": {"type": "string"}}},
    ]
    found = datasets.Dataset.from_list([{**ROWS[0], "tools": tools}])
    found.to_parquet(tmp_path / "a.parquet")
    (as_file,), _ = read(tmp_path / "a.parquet", "forget")
    for given in (found, pandas.read_parquet(tmp_path / "a.parquet").to_dict("records")):
        (example,) = read_rows(given, "forget")
        assert list(example.tools) == tools == list(as_file.tools)


def test_null_that_the_caller_wrote_stays():
    tool = {"name": "look", "parameters": {"default": None}}
    (example,) = read_rows([{**ROWS[0], "tools": [tool]}], "forget")
    assert list(example.tools) == [tool]
