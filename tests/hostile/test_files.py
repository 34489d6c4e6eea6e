"""Each bad file by itself: what is said of it, and where."""

import gzip
import json
import os

import pytest

from unteach.data import read, read_rows
from unteach.data.listing import MOST, shortened
from unteach.data.readers.parquet import read_parquet
from unteach.data.records.file_notes import FileNotes
from unteach.data.records.forms import example_of
from unteach.errors import Problem, UserError
from unteach.files import text as textfile
from unteach.files.rows import read_rows as read_rowsfile

PAIR = {"question": "Who?", "answer": "Ada."}
GOOD = json.dumps(PAIR)
ROW = {"group": "forget", "id": "forget-0", "tokens": 9, "logp": -1.0}

FILES = {
    "UTF-8 broken": ("a.jsonl", f"{GOOD}\r\n{GOOD}\n".encode() + b'{"\xff', ":3", "is not UTF-8"),
    "UTF-16": ("a.jsonl", GOOD.encode("utf-16"), "", "is UTF-16"),
    "UTF-16 without a mark": ("a.csv", "text\na\n".encode("utf-16-le"), ":1", "NUL"),
    "NUL": ("a.txt", b"one\ntwo\0\n", ":2", "NUL byte"),
    "NUL as escape": ("a.jsonl", b'{"text": "a\\u0000"}', ":1", "NUL character"),
    "gzip by another name": ("a.jsonl", gzip.compress(GOOD.encode()), "", "compressed by gzip"),
    "no gzip": ("a.jsonl.gz", GOOD.encode(), "", "no gzip, or broken"),
    "torn gzip": ("a.jsonl.gz", gzip.compress(GOOD.encode())[:-9], "", "ends too early"),
    "half a character": ("a.jsonl", b'\n{"text": "\\ud800"}', ":2", "half a character"),
    "half a role": (
        "a.jsonl", b'{"messages": [{"role": "\\ud800", "content": "a"}]}', ":1",
        "half a character"),
    "NaN": ("a.jsonl", GOOD.encode() + b'\n{"text": NaN}', ":2", "NaN is no number"),
    "infinity in a list": ("a.json", b'[{"text": "a"},\n\n{"id": -Infinity}]', ":3", "-Infinity"),
    "one key twice": ("a.jsonl", b'{"text": "a", "text": "b"}', ":1", "one key twice"),
    "one key twice in a list": ("a.json", b'[1,\n{"a": 1, "a": 2}]', ":2", "one key twice"),
    "one column twice": ("a.csv", b"question,answer,answer\na,b,c\n", ":1", "columns again"),
    "a quote left open": ("a.csv", b'text\na\n"b\nc\n', ":3", "is not CSV"),
    "a header alone": ("a.csv", b"question,answer\n", "", "is empty"),
    "deep in a list": ("a.json", b"[1,\n" + b"[" * 90_000, ":2", "within each other"),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_what_is_wrong_with_a_file(case, tmp_path):
    name, data, line, what = FILES[case]
    file = tmp_path / name
    file.write_bytes(data)
    _, problems = read(file, "forget")
    problem = next(p for p in problems if what in p.what)
    assert problem.where == f"{file}{line}"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_compressed_files_and_other_line_ends(end, tmp_path):
    for name, text in (
        ("a.jsonl.gz", f"\ufeff{GOOD}{end}{GOOD}"),
        ("a.csv.gz", f"{end}text{end}a{end}b"),
    ):
        packed = gzip.compress(text.encode())
        (tmp_path / name).write_bytes(packed)
        examples, problems = read(tmp_path / name, "forget")
        assert (len(examples), problems) == (2, [])


def test_a_gzip_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(textfile, "SMALL", 2**20)
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(gzip.compress(b" " * 2**24))
    _, (problem,) = read(file, "forget")
    assert "unpacks to more than" in problem.what


def test_a_file_above_the_limit_is_not_read(tmp_path):
    with open(tmp_path / "a.jsonl", "wb") as file:
        file.truncate(textfile.LARGEST + 1)  # a hole: nothing is written
    _, (problem,) = read(tmp_path / "a.jsonl", "forget")
    assert "more than the" in problem.what


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet", "a.csv"])
def test_a_pipe_is_refused_at_once(name, tmp_path):
    os.mkfifo(tmp_path / name)
    _, (problem,) = read(tmp_path / name, "forget")
    assert "is a pipe or a device" in problem.what


def test_names_that_no_file_can_have():
    for name in ("a\0b.jsonl", "\ud800.jsonl", "x" * 5000 + ".jsonl", "../owner:config"):
        _, (problem,) = read(name, "forget")
        assert "does not exist" in problem.what


def test_a_file_that_goes_away(tmp_path, monkeypatch):
    file = tmp_path / "a.jsonl"
    monkeypatch.setattr("unteach.data.readers.sources.is_there", lambda path: True)
    _, (problem,) = read(file, "forget")
    assert "cannot be read (No such file" in problem.what


@pytest.mark.slow
def test_a_million_columns(tmp_path):
    (tmp_path / "a.csv").write_text(
        ",".join(f"c{k}" for k in range(10**6)) + "\n" + "," * (10**6 - 1)
    )
    (tmp_path / "a.jsonl").write_text(json.dumps({f"c{k}": 1 for k in range(10**6)}))
    for name in ("a.csv", "a.jsonl"):
        _, (problem,) = read(tmp_path / name, "forget")
        assert "and 999980 more" in problem.what
        assert len(str(problem)) < 1000


def test_wrong_columns_are_guessed_once(monkeypatch):
    """A guess compares names letter by letter; a file may have a million such lines."""
    guesses = []
    monkeypatch.setattr(
        "unteach.data.records.hints.did_you_mean", lambda *given: guesses.append(given) or ""
    )
    for _ in range(9):
        example_of({"Xprompts": "a"}, "a", "b", FileNotes())
    assert len(guesses) == 1


def test_problems_of_all_kinds_are_a_hundred_and_the_worst_is_kept():
    letters = [
        Problem(f"a:{k}", "".join(chr(97 + int(d)) for d in str(k)), "", "note") for k in range(999)
    ]
    kept = shortened([*letters, Problem("a:9", "is wrong", "", "data")])
    assert len(kept) == MOST + 1
    assert (kept[-1].kind, "900 more" in kept[-1].what) == ("data", True)


def test_marks_with_odd_numbers():
    for spans in ([[0, 10**5000]], "[" * 100_000, [[True, 2]], [[1.0, 2]]):
        with pytest.raises(UserError, match="spans"):
            read_rows([{**PAIR, "spans": spans}], "forget")


def write_parquet(file, columns, **options):
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table(columns), file, compression="zstd", **options)


def dictionary(times):
    import numpy
    import pyarrow as pa

    places = pa.array(numpy.zeros(times, dtype=numpy.int32))
    return pa.DictionaryArray.from_arrays(places, pa.array(["x" * 2**20]))


def one_list(values):
    import pyarrow as pa

    return pa.ListArray.from_arrays(pa.array([0, len(values)], pa.int32()), values)


def bomb(kind):
    """A column of a few hundred bytes in a file, which is far more in memory."""
    import numpy
    import pyarrow as pa

    many = 1_200_000
    match kind:
        case "dictionary":
            return dictionary(2000)
        case "list of dictionary":
            return one_list(dictionary(2000))
        case "struct of dictionary":
            return pa.StructArray.from_arrays([dictionary(2000)], ["a"])
        case "map":
            pairs = pa.map_(pa.string(), pa.int8())
            return pa.array([[("k" * 2**18, 1)] * 20] * 30, pairs)
        case "one text often":
            return pa.array(["x" * 2**20] * 150)
        case "bytes of one length":
            return pa.array([b"x" * 2**20] * 150, pa.binary(2**20))
        case "run of numbers":
            return one_list(pa.array(numpy.zeros(many, "int8")))
        case "run of nulls":
            return one_list(pa.nulls(many, pa.int8()))
        case "run of empty lists":
            ends = pa.array(numpy.zeros(many + 1, dtype=numpy.int32))
            return one_list(pa.ListArray.from_arrays(ends, pa.array([], pa.int8())))
        case "rows":
            return pa.array(["a"] * many).dictionary_encode()


BOMBS = (
    "dictionary", "list of dictionary", "struct of dictionary", "map", "one text often",
    "bytes of one length", "run of numbers", "run of nulls", "run of empty lists", "rows",
)  # fmt: skip


@pytest.mark.parametrize("kind", BOMBS)
def test_parquet_bombs(kind, tmp_path):
    """Refused before they are unpacked: little memory is taken from Arrow."""
    import pyarrow

    column, file = bomb(kind), tmp_path / "a.parquet"
    write_parquet(file, {"text": ["a"] * len(column), "tags": column})
    del column
    before = pyarrow.total_allocated_bytes()
    _, (problem,) = read(file, "forget")
    assert "far more" in problem.what
    assert pyarrow.total_allocated_bytes() - before < 2**25


def test_parquet_of_all_kinds_is_read_as_it_is(tmp_path):
    import pyarrow as pa

    turns = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Ada."}]
    pairs = pa.array([[("k", "v")], None, []], pa.map_(pa.string(), pa.string()))
    columns = {
        "messages": [turns, None, []],
        "tags": [["a", "b"], [], None],
        "bytes": [b"x", None, b""],
        "kind": pa.array(["u", None, "u"]).dictionary_encode(),
        "number": [1.5, None, 2],
        "pairs": pairs,
    }
    write_parquet(tmp_path / "a.parquet", columns)
    found = [row for _, row in read_parquet(tmp_path / "a.parquet", "a")]
    assert found == pa.table(columns).to_pylist(maps_as_pydicts="strict")
    assert found[0]["pairs"] == {"k": "v"}


def test_parquet_names_and_columns(tmp_path):
    import pyarrow
    from pyarrow import parquet

    file = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table([["a"], ["b"]], names=["text", "text"]), file)
    _, (problem,) = read(file, "forget")
    assert "names one column twice" in problem.what
    write_parquet(file, {f"c{k}": [1] for k in range(10_001)})
    _, (problem,) = read(file, "forget")
    assert "10,001 columns" in problem.what


@pytest.mark.parametrize(("name", "text", "what"), [
    ("a.jsonl", "{}\n" * 2_000_000, "2,000,000 lines"),
    ("a.csv", "text\n" + "\n" * 2_000_000, "2,000,001 lines"),
    ("a.json", "[" + "[]," * 2_000_000 + "1]", "2,000,001 lists and objects"),
    ("a.jsonl", '{"a": [' + "{}," * 2_000_000 + "1]}", "2,000,002 lists and objects"),
    ("a.csv", "text\n" + "," * 2_000_000, "2,000,000 cells"),
])  # fmt: skip
def test_files_that_are_far_larger_in_memory(name, text, what, tmp_path):
    """A hundred megabytes of brackets were six gigabytes of lists."""
    (tmp_path / name).write_text(text)
    _, (problem,) = read(tmp_path / name, "forget")
    assert f"holds {what}, too many" in problem.what


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.txt"])
def test_a_text_that_is_too_long_for_one_example(name, tmp_path, monkeypatch):
    """Its tokens would take a hundred times its size."""
    for module in ("limits", "csv_tables"):
        monkeypatch.setattr(f"unteach.data.readers.{module}.LONGEST", 1000)
    text = "x y " * 251
    whole = {"a.jsonl": json.dumps({"text": text}), "a.csv": f"text\n{text}\n", "a.txt": text}
    (tmp_path / name).write_text(whole[name])
    _, (problem,) = read(tmp_path / name, "forget")
    assert "1,000" in problem.what
    assert "cut it into several" in problem.hint


@pytest.mark.parametrize("line", [
    {**ROW, "logp": 10**400},
    {**ROW, "logp": float("nan")},
    {**ROW, "group": 3},
    {**ROW, "group": ["forget"]},
    {**ROW, "index": None},
    {**ROW, "tokens": None},
    {**ROW, "zlib": [16]},
    {"about": 3},
    {"about": {"schema": 2}, "groups": [3]},
    3,
])  # fmt: skip
def test_rows_that_are_none(line, tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text(f"{json.dumps(ROW)}\n{json.dumps(line)}\n")
    with pytest.raises(UserError, match=r"rows\.jsonl:2: is no row"):
        read_rowsfile(file)


def test_rows_within_each_other(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text("[" * 100_000)
    with pytest.raises(UserError, match=r"rows\.jsonl:1: is no row"):
        read_rowsfile(file)
