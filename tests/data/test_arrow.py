"""Arrow files, folders written by save_to_disk, and what they may not grow into."""

import json
import random

import pyarrow as pa
import pytest
from pyarrow import feather, ipc, parquet

from unteach.data import read
from unteach.data.readers import arrow as arrowfile

ROWS = [{"question": "Who?", "answer": "Ada."}, {"question": "Where?", "answer": "In Lund."}]


def errors(problems):
    return [p for p in problems if p.kind != "note"]


def stream(path, table, **options):
    with ipc.new_stream(path, table.schema, options=ipc.IpcWriteOptions(**options)) as sink:
        sink.write_table(table)
    return path


def file(path, table, **options):
    with ipc.new_file(path, table.schema, options=ipc.IpcWriteOptions(**options)) as sink:
        sink.write_table(table)
    return path


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@pytest.mark.parametrize("write", [stream, file])
def test_both_formats_packed_or_not(write, compression, tmp_path):
    table = pa.Table.from_pylist(ROWS * 300)
    path = write(tmp_path / "a.arrow", table, compression=compression)
    examples, problems = read(path, "forget")
    assert problems == []
    assert [e.answer for e in examples] == ["Ada.", "In Lund."] * 300
    assert examples[1].where == f"{path}, row 2"


def test_feather_and_columns_of_repeated_texts(tmp_path):
    table = pa.Table.from_pylist(ROWS)
    table = table.set_column(1, "answer", table["answer"].dictionary_encode())
    feather.write_feather(table, tmp_path / "a.feather")
    examples, problems = read(tmp_path / "a.feather", "forget")
    assert problems == []
    assert [e.answer for e in examples] == ["Ada.", "In Lund."]


def test_calls_lose_the_nulls_that_arrow_adds(tmp_path):
    calls = [
        {"type": "function", "function": {"name": "look", "arguments": arguments}}
        for arguments in ({"who": "Ada"}, {"town": "Lund"})
    ]
    messages = [
        {"role": "user", "content": "Find Ada."},
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "content": "Lund"},
        {"role": "assistant", "content": "In Lund."},
    ]
    path = stream(tmp_path / "a.arrow", pa.Table.from_pylist([{"messages": messages}]))
    (example,), problems = read(path, "forget")
    assert problems == []
    assert [set(turn.template_keys) for turn in example.turns] == [
        set(),
        {"tool_calls"},
        set(),
        set(),
    ]
    assert example.turns[1].template_keys["tool_calls"] == calls


def test_a_saved_data_set(tmp_path):
    import datasets

    datasets.Dataset.from_list(ROWS).save_to_disk(tmp_path / "saved", num_shards=2)
    examples, problems = read(tmp_path / "saved", "forget")
    assert problems == []
    assert [e.answer for e in examples] == ["Ada.", "In Lund."]
    splits = datasets.DatasetDict({"train": datasets.Dataset.from_list(ROWS)})
    splits.save_to_disk(tmp_path / "one")
    examples, (note,) = read(tmp_path / "one", "forget")
    assert (len(examples), note.kind) == (2, "note")
    assert note.what == "is a folder of one split, which is read: train"
    splits["test"] = splits["train"]
    splits.save_to_disk(tmp_path / "two")
    _, (problem,) = read(tmp_path / "two", "forget")
    assert problem.what == "holds several data sets: train, test"
    assert problem.hint.endswith(f"such as {tmp_path / 'two' / 'train'}")
    examples, problems = read(tmp_path / "two" / "test", "forget")
    assert (len(examples), problems) == (2, [])


@pytest.mark.parametrize(
    ("state", "what"),
    [
        ({"_data_files": [{"filename": "../a.arrow"}]}, "names no files of the folder"),
        ({"_data_files": [{"filename": "/etc/hosts"}]}, "names no files of the folder"),
        ({"_data_files": [".."]}, "names no files of the folder"),
        ({}, "names no files of the folder"),
        ([], "is no object"),
        ({"_data_files": [{"filename": "a.arrow"}], "_indices_data_files": [{}]}, "choice of rows"),
        ({"_data_files": [{"filename": "gone.arrow"}]}, "is a pipe or a device, no file"),
    ],
)
def test_a_folder_that_is_not_as_it_was_saved(state, what, tmp_path):
    stream(tmp_path / "a.arrow", pa.Table.from_pylist(ROWS))
    folder = tmp_path / "saved"
    folder.mkdir()
    stream(folder / "a.arrow", pa.Table.from_pylist(ROWS))
    (folder / "state.json").write_text(json.dumps(state))
    examples, (problem,) = read(folder, "forget")
    assert (examples, what in problem.what) == ([], True)


def bomb_of_nulls():
    return pa.table({"text": pa.nulls(50_000_000)})


def bomb_of_lists():
    inner = pa.FixedSizeListArray.from_arrays(pa.nulls(50_000_000), 50_000_000)
    return pa.table({"text": inner})


def bomb_of_one_text():
    indices = pa.array([0] * 9_000, pa.int32())
    return pa.table({"text": pa.DictionaryArray.from_arrays(indices, pa.array(["x" * 2000]))})


def bomb_of_blanks():
    return pa.table({"text": ["x" * 2**20] * 8})


BOMBS = {
    "rows without bytes": (bomb_of_nulls, {}),
    "lists without bytes": (bomb_of_lists, {}),
    "one text for every row": (bomb_of_one_text, {}),
    "packed by zstd": (bomb_of_blanks, {"compression": "zstd"}),
}


@pytest.mark.parametrize("write", [stream, file])
@pytest.mark.parametrize("case", BOMBS)
def test_bombs_are_told(case, write, tmp_path, monkeypatch):
    monkeypatch.setattr(arrowfile, "room_for", lambda size: 2**22)
    make, options = BOMBS[case]
    path = write(tmp_path / "a.arrow", make(), **options)
    examples, (problem,) = read(path, "forget")
    assert (examples, "far more than its size" in problem.what) == ([], True)


@pytest.mark.parametrize("write", [stream, file])
def test_a_packed_bomb_is_told_before_it_is_unpacked(write, tmp_path, monkeypatch):
    monkeypatch.setattr(arrowfile, "room_for", lambda size: 2**22)
    monkeypatch.setattr(ipc, "open_stream", None)  # none is called
    for compression in ("zstd", "lz4"):
        path = write(tmp_path / "a.arrow", bomb_of_blanks(), compression=compression)
        _, (problem,) = read(path, "forget")
        assert "far more than its size" in problem.what


def test_one_text_for_every_row_is_not_written_out():
    column = bomb_of_one_text()["text"].chunk(0)
    assert arrowfile.plain(column, 2**22) is None
    assert arrowfile.plain(column.slice(0, 9), 2**22).to_pylist() == ["x" * 2000] * 9


@pytest.mark.parametrize(
    "kind", [pa.string_view(), pa.list_(pa.string_view()), pa.list_view(pa.string())]
)
def test_types_that_are_not_read_are_refused(kind, tmp_path):
    value = "a" if kind == pa.string_view() else ["a"]
    path = stream(tmp_path / "a.arrow", pa.table({"text": pa.array([value], kind)}))
    _, (problem,) = read(path, "forget")
    assert problem.what == "has a column of a type that no text has (views, maps, extensions)"


def test_one_column_twice(tmp_path):
    path = stream(tmp_path / "a.arrow", pa.table([["a"], ["b"]], names=["text", "text"]))
    _, (problem,) = read(path, "forget")
    assert problem.what == "names one column twice"


@pytest.mark.parametrize("compression", [None, "lz4"])
def test_broken_bytes_are_told(compression, tmp_path):
    """Whatever byte is wrong, there are examples or a problem, and nothing else."""
    good = file(tmp_path / "good.arrow", pa.Table.from_pylist(ROWS), compression=compression)
    data, draw = bytearray(good.read_bytes()), random.Random(0)
    for number in range(400):
        torn = bytearray(data)
        for _ in range(draw.choice((1, 1, 4))):
            torn[draw.randrange(len(torn))] = draw.randrange(256)
        torn = torn[: draw.choice((len(torn), draw.randrange(len(torn))))]
        path = tmp_path / f"{number}.arrow"
        path.write_bytes(torn)
        examples, problems = read(path, "forget")
        assert examples or errors(problems)
        assert not any("Lund" in str(problem) for problem in problems)


def test_what_arrow_says_is_not_shown(tmp_path, monkeypatch):
    """It may quote a cell."""

    def fails(*given):
        raise ValueError("Ada lives in Lund")

    monkeypatch.setattr(arrowfile, "cells", fails)
    monkeypatch.setattr("unteach.data.readers.parquet.unpacked", fails)
    table = pa.Table.from_pylist(ROWS)
    stream(tmp_path / "a.arrow", table)
    parquet.write_table(table, tmp_path / "a.parquet")
    for name in ("a.arrow", "a.parquet"):
        examples, (problem,) = read(tmp_path / name, "forget")
        assert examples == []
        assert "not readable (ValueError)" in problem.what
        assert "Lund" not in str(problem)
