"""Whatever stands in a file, a reader gives values or tells of problems, and nothing else.

Each test counts its cases, and the last one sees that they were as many as was said: a strategy
that cannot make enough of them would else let a smaller number pass.
"""

import gzip
import io
import json
from collections import Counter
from itertools import product
from pathlib import Path

import pytest
from hostile.drawn import CANARY, NAMES, RECORDS, SOUP, TEXTS, VALUES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unteach.data import read, read_rows
from unteach.errors import Problem, UserError
from unteach.files.rows import read_rows as read_rowsfile
from unteach.files.yaml import read_yaml
from unteach.settings.request import Request, load

pytestmark = pytest.mark.slow

DRAWN = {"bytes": 6000, "json": 4000, "csv": 1300, "yaml": 6000, "sets": 5500, "rows": 5000}
EACH = {
    "bytes": 7,
    "json": 5,
    "csv": 12,
    "yaml": 2,
    "sets": 1,
    "rows": 1,
}
TO_DO = {**{kind: drawn * EACH[kind] for kind, drawn in DRAWN.items()}, "parquet": 500}
DONE: Counter[str] = Counter()
KINDS = (".jsonl", ".json", ".csv", ".txt", ".parquet", ".jsonl.gz", ".csv.gz")


def cases(count):
    quick = list(HealthCheck)
    return settings(
        max_examples=count, deadline=None, database=None, derandomize=True,
        suppress_health_check=quick)  # fmt: skip


@pytest.fixture(autouse=True)
def counted(request):
    """Every case was run: each test counts its own, since tests may be dealt out to processes."""
    before = Counter(DONE)
    yield
    if kind := OF.get(request.function.__name__):
        assert DONE[kind] - before[kind] == TO_DO[kind]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def put(file: Path, data: bytes) -> None:
    """Anew: some file systems write at once what takes the place of something, 20 times slower."""
    file.unlink(missing_ok=True)
    file.write_bytes(data)


def told(problems) -> None:
    for problem in problems:
        assert isinstance(problem, Problem)
        assert problem.where
        assert problem.what
        assert CANARY not in str(problem)
        assert json.dumps(CANARY)[1:-1] not in str(problem)
        assert len(str(problem)) < 4000
        str(problem).encode()


def readable(file: Path) -> None:
    examples, problems = read(file, "forget")
    assert examples or problems
    told(problems)
    for example in examples:
        "".join([example.text, example.answer, *(turn.text for turn in example.turns)]).encode()
        "".join([*example.perturbed, example.fact, example.paraphrase]).encode()
        json.dumps([dict(turn.template_keys) for turn in example.turns]).encode()
        json.dumps(example.tools, ensure_ascii=False).encode()


@cases(DRAWN["bytes"])
@given(data=SOUP)
def test_bytes(folder, data):
    for kind in KINDS:
        file = folder / f"bytes{kind}"
        put(file, gzip.compress(data, 1) if kind == ".jsonl.gz" else data)
        readable(file)
        DONE["bytes"] += 1


@cases(DRAWN["json"])
@given(records=st.lists(RECORDS, max_size=3))
def test_json_of_any_shape(folder, records):
    for ascii, whole in product((True, False), repeat=2):
        file = folder / ("shape.json" if whole else "shape.jsonl")
        lines = [records] if whole else records
        text = "\n".join(json.dumps(line, ensure_ascii=ascii) for line in lines)
        put(file, text.encode("utf-8", "surrogatepass"))
        readable(file)
        DONE["json"] += 1
    try:
        read_rows(records, "forget")
    except UserError as error:
        told(error.problems)
    DONE["json"] += 1


@cases(DRAWN["csv"])
@given(
    header=st.lists(NAMES, max_size=4),
    rows=st.lists(st.lists(TEXTS, max_size=4), max_size=3),
)
def test_cells_of_any_kind(folder, header, rows):
    for quote, end in product(('"', "'", ""), ("\n", "\r\n", "\r", '"')):
        file = folder / "cells.csv"
        lines = [",".join(f"{quote}{cell}{quote}" for cell in row) for row in [header, *rows]]
        put(file, end.join(lines).encode("utf-8", "surrogatepass"))
        readable(file)
        DONE["csv"] += 1


FIELDS = [
    *Request.model_fields,
    "train.epochs",
    "train.extra",
    "train.seed",
    "evaluate.also",
    "epochs",
]
WORDS = st.sampled_from(
    [
        b"model: m\n", b"forget: f\nout: o\n", b"train: {", b"}", b"[", b"]", b"&a ", b"*a", b"- ",
        b": ", b"!!python/object/apply:os.system [true]", b"!!int x", b"!!binary x",
        b"!!timestamp x", b"<<: ", b"2001-99-99", b"1:2:3", b".nan", b"0x" + b"f" * 40, b"9" * 5000,
        b"\0", b"\xff", b'"\\ud800"', b"? ", b"|\n", b">\n ", b"'", b'"', b"#", b"%YAML 9\n",
        b"---\n", b"...\n", b"\t", b"\n", b"  ", b"epochs: ", b"method: ", b"literal: 1\n",
        b"1: 2\n", b"~: 1\n", b"[a]: 1\n", b"=", b"1e999"])  # fmt: skip


@cases(DRAWN["yaml"])
@given(data=st.binary(max_size=30) | st.lists(WORDS, max_size=10).map(b"".join))
def test_request_files(folder, data):
    file = folder / "request.yaml"
    put(file, data)
    flags = {"model": "m", "forget": "f", "out": "o"}
    text = data.decode("utf-8", "surrogateescape")
    asked(lambda: load(file, flags))
    asked(lambda: load(None, flags, [f"train.extra.x={text}"]))
    DONE["yaml"] += 2


SETTINGS = st.tuples(
    st.lists(st.sampled_from(FIELDS) | st.text(max_size=4), min_size=1, max_size=4).map(".".join),
    st.sampled_from(["=", "=", "=", ""]),
    st.text(max_size=6)
    | st.sampled_from([".inf", "9" * 400, "{a: [1]}", "!!set {a}", "{1: 2}", "-1"]),
).map("".join)


@cases(DRAWN["sets"])
@given(sets=st.lists(SETTINGS, max_size=3), extra=st.dictionaries(NAMES, VALUES, max_size=2))
def test_settings_and_flags(sets, extra):
    asked(lambda: load(None, {"model": "m", "forget": "f", "out": "o", **extra}, sets))
    DONE["sets"] += 1


def asked(ask) -> None:
    try:
        request = ask()
    except UserError as error:
        for problem in error.problems:
            assert problem.where
            assert problem.kind == "request"
            assert len(str(problem)) < 4000
    else:  # what is taken can be written down, and is the same when read
        assert Request.model_validate(read_yaml(request.to_yaml(), "again")) == request


NUMBERS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.just(10**400), TEXTS)
LINES = st.one_of(
    st.sampled_from([{"about": {"schema": 2}, "groups": ["forget"]}, {"about": {"schema": 1}}]),
    st.fixed_dictionaries(
        {"group": st.just("forget"), "id": st.just("forget-0"), "tokens": NUMBERS, "logp": NUMBERS},
        optional=dict.fromkeys(("kind", "index", "zlib", "matched", "min_k", CANARY), NUMBERS)),
    st.dictionaries(
        st.sampled_from(["about", "groups", "group", "id", "tokens", "logp"]), VALUES, max_size=4),
    VALUES)  # fmt: skip


@cases(DRAWN["rows"])
@given(lines=st.lists(LINES, max_size=4) | SOUP)
def test_rows_files(folder, lines):
    file = folder / "rows.jsonl"
    soup = isinstance(lines, bytes)
    put(file, lines if soup else "".join(f"{json.dumps(x)}\n" for x in lines).encode())
    try:
        groups, about = read_rowsfile(file)
    except UserError as error:
        told(error.problems)
    else:
        assert groups
        assert isinstance(about, dict)
    DONE["rows"] += 1


def test_parquet_of_any_shape(folder):
    """Columns of any type that Arrow infers from what JSON can say."""
    import pyarrow
    import pyarrow.parquet

    @cases(TO_DO["parquet"])
    @given(records=st.lists(st.dictionaries(NAMES, VALUES, max_size=3), min_size=1, max_size=3))
    def ask(records):
        DONE["parquet"] += 1
        try:
            table = pyarrow.Table.from_pylist(records)
            pyarrow.parquet.write_table(table, made := io.BytesIO())
        except Exception:  # no such table can be
            return
        put(folder / "shape.parquet", made.getvalue())
        readable(folder / "shape.parquet")

    ask()


def test_they_are_a_hundred_thousand():
    assert sum(TO_DO.values()) >= 100_000
    assert sorted(OF.values()) == sorted(TO_DO)
    assert set(OF) < set(globals())


OF = {
    "test_bytes": "bytes",
    "test_json_of_any_shape": "json",
    "test_cells_of_any_kind": "csv",
    "test_request_files": "yaml",
    "test_settings_and_flags": "sets",
    "test_rows_files": "rows",
    "test_parquet_of_any_shape": "parquet",
}
