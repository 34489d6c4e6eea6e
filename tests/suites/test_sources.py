"""Where a benchmark's examples come from, and what is said when they are not there."""

import json
import subprocess
import sys

import pytest

from unteach.errors import UserError
from unteach.suites._base import SUITES, SuiteOption
from unteach.suites._options import chosen
from unteach.suites._sources import Source, examples_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 40
PAIR = {"question": "Where was Ada born?", "answer": "Ada was born in Lund."}
WHOLE = PAIR | {"paraphrased_answer": "In Lund.", "perturbed_answer": ["In Rome.", "In Oslo."]}


def source(**fields):
    facts = {"group": "forget", "files": ("small",), "dataset": "owner/name", "config": "small"}
    return Source(**(facts | {"revision": COMMIT} | fields))


def lines(*records):
    return "".join(json.dumps(record) + "\n" for record in records)


def numbered(n):
    return [{"question": f"Question {k}?", "answer": f"Answer {k}."} for k in range(n)]


def problems_of(sources, folder):
    with pytest.raises(UserError) as caught:
        examples_of(sources, folder)
    return caught.value.problems


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("small.jsonl", lines(PAIR, WHOLE)),
        ("small.json", json.dumps([PAIR, WHOLE], indent=1)),
        ("small.json", lines(PAIR, WHOLE)),  # as the hub calls TOFU's files
        ("data/small.json", json.dumps([PAIR, WHOLE])),
    ],
)
def test_files_of_every_kind_are_found(tmp_path, name, text):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    found = examples_of([source(folders=("", "data"))], tmp_path)["forget"]
    assert [(e.id, e.answer) for e in found] == [
        ("forget-0", PAIR["answer"]),
        ("forget-1", PAIR["answer"]),
    ]
    assert found[1].perturbed == ("In Rome.", "In Oslo.")


@pytest.mark.parametrize("name", ["small.parquet", "small-00000-of-00001.parquet"])
def test_parquet_as_the_hub_has_it(tmp_path, name):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"text": ["one", "two"]}), tmp_path / name)
    found = examples_of([source(kind="text")], tmp_path)["forget"]
    assert [e.text for e in found] == ["one", "two"]


def test_the_first_name_that_is_there_is_read(tmp_path):
    for name, answer in (("new", "New."), ("old", "Old.")):
        (tmp_path / f"{name}.jsonl").write_text(lines(PAIR | {"answer": answer}))
    (found,) = examples_of([source(files=("none", "new", "old"))], tmp_path)["forget"]
    assert found.answer == "New."


def test_the_end_of_a_larger_file_counts_its_rows_anew(tmp_path):
    (tmp_path / "large.jsonl").write_text(lines(*numbered(5)))
    wanted = source(larger=("large",), last=2)
    from_large = examples_of([wanted], tmp_path)["forget"]
    assert [(e.id, e.answer) for e in from_large] == [
        ("forget-0", "Answer 3."),
        ("forget-1", "Answer 4."),
    ]
    (tmp_path / "small.jsonl").write_text(lines(*numbered(5)[3:]))
    from_small = examples_of([wanted], tmp_path)["forget"]
    assert [(e.id, e.turns) for e in from_small] == [(e.id, e.turns) for e in from_large]


def test_a_larger_file_that_is_too_short(tmp_path):
    (tmp_path / "large.jsonl").write_text(lines(*numbered(1)))
    (problem,) = problems_of([source(larger=("large",), last=2)], tmp_path)
    assert problem.what == "has 1 examples, of which small is the last 2"


def test_every_missing_file_is_named_at_once_with_its_place_on_the_hub(tmp_path):
    wanted = [
        source(),
        source(group="retain", files=("kept", "held"), config="kept"),
        source(group="holdout", files=("apart",), optional=True),
    ]
    first, second = problems_of(wanted, tmp_path)
    assert first.where == second.where == f"--data {tmp_path}"
    assert first.what == "holds no small (.jsonl, .json, .parquet)"
    assert f"on the hub it is owner/name:small:train@{COMMIT}" in first.hint
    assert "retain is read from it; it may also be called held" in second.hint
    assert UserError(first, second).exit_code == 2


def test_an_optional_file_is_read_where_it_is(tmp_path):
    (tmp_path / "small.jsonl").write_text(lines(PAIR))
    wanted = [source(), source(group="holdout", files=("apart",), optional=True)]
    assert set(examples_of(wanted, tmp_path)) == {"forget"}
    (tmp_path / "apart.jsonl").write_text(lines(PAIR))
    assert set(examples_of(wanted, tmp_path)) == {"forget", "holdout"}


@pytest.mark.parametrize(("make", "what"), [(False, "does not exist"), (True, "is no folder")])
def test_data_that_is_no_folder(tmp_path, make, what):
    place = tmp_path / "there"
    if make:
        place.write_text("")
    (problem,) = problems_of([source()], place)
    assert (problem.what, problem.kind) == (what, "request")


def test_what_a_file_must_hold(tmp_path):
    (tmp_path / "small.jsonl").write_text(lines(WHOLE, PAIR))
    (tmp_path / "raw.json").write_text(json.dumps(["a text"]))
    wanted = [source(needs=("paraphrase", "perturbed")), source(group="retain", files=("raw",))]
    found = [(p.where.rpartition("/")[2], p.what) for p in problems_of(wanted, tmp_path)]
    assert found == [
        ("small.jsonl:2", "has no paraphrased_answer"),
        ("small.jsonl:2", "has no perturbed_answer"),
        ("raw.json:1", "is no question and answer"),
    ]


def test_broken_and_empty_files_are_told_together_without_their_texts(tmp_path):
    (tmp_path / "small.jsonl").write_text(lines(PAIR) + '{"question": "A secret?", "answ')
    (tmp_path / "kept.json").write_text("[]")
    wanted = [source(larger=("large",), last=2), source(group="retain", files=("kept",))]
    broken, empty = problems_of(wanted, tmp_path)
    assert "small.jsonl:2" in broken.where
    assert "secret" not in f"{broken}"
    assert empty.what == "is empty"


OFFLINE = """
from unteach.errors import UserError
from unteach.suites._base import SUITES
try:
    SUITES.get("tofu").read(None, {})
except UserError as error:
    print(error)
"""


def test_without_the_hub_every_file_is_named_and_no_trace_is_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_DATASETS_CACHE", raising=False)
    command = [sys.executable, "-c", OFFLINE]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.count("does not load (") == 5
    assert ran.stdout.startswith("locuslab/TOFU:forget10_perturbed:train@")
    assert "HF_HUB_OFFLINE, or give --data a folder with forget10_perturbed.jsonl" in ran.stdout
    assert "locuslab/TOFU:holdout10:train@" in ran.stdout  # the hub has what a folder may lack
    assert "Traceback" not in ran.stdout + ran.stderr


def test_the_hub_is_asked_for_the_pinned_commit(monkeypatch):
    import datasets

    asked = []

    def load(name, config, **options):
        asked.append((name, config, options))
        return [WHOLE]

    monkeypatch.setattr(datasets, "load_dataset", load)
    (found,) = examples_of([source(split="forget_qa", needs=("perturbed",))], None)["forget"]
    assert asked == [("owner/name", "small", {"split": "forget_qa", "revision": COMMIT})]
    assert (found.id, found.answer) == ("forget-0", PAIR["answer"])


CACHED = """
import sys
from pathlib import Path
import datasets
from datasets.arrow_writer import ArrowWriter
from unteach.data import read
cache, held, wanted = sys.argv[1:]
place = Path(cache, "owner___name", "small", "0.0.0", held)
place.mkdir(parents=True)
writer = ArrowWriter(path=str(place / "name-train.arrow"))
writer.write({"text": "a text"})
rows, size = writer.finalize()
splits = datasets.SplitDict(dataset_name="name")
splits.add(datasets.SplitInfo(name="train", num_examples=rows, num_bytes=size))
features = datasets.Features({"text": datasets.Value("string")})
info = datasets.DatasetInfo(dataset_name="name", config_name="small", version="0.0.0",
    builder_name="parquet", features=features, splits=splits)
info.write_to_directory(str(place))
examples, problems = read(f"owner/name:small:train@{wanted}", "forget")
print(len(examples), *[problem.what for problem in problems])
"""


@pytest.mark.parametrize(("held", "count"), [(COMMIT, "1"), (OTHER, "0")])
def test_a_copy_of_another_commit_is_not_taken_for_the_pinned_one(
    tmp_path, monkeypatch, held, count
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    command = [sys.executable, "-c", CACHED, str(tmp_path), held, COMMIT]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.startswith(count), said
    assert ("the copy that is cached here is of another revision" in said) == (held == OTHER)


def test_options_have_defaults_and_known_values():
    options = {
        "split": SuiteOption(help="which", default="forget10", values=("forget01", "forget10")),
        "free": SuiteOption(help="any", default=""),
    }
    assert chosen("s", options, {"free": "x"}) == {"split": "forget10", "free": "x"}
    with pytest.raises(UserError) as caught:
        chosen("s", options, {"split": "forget011", "splt": "forget10"})
    wrong, unknown = caught.value.problems
    assert wrong.where == "suite s, option split"
    assert 'Did you mean "forget01"?' in wrong.hint
    assert unknown.where == "suite s, option splt"
    assert 'Did you mean "split"?' in unknown.hint


def test_every_suite_says_what_it_is_and_refuses_what_it_does_not_know():
    for name in SUITES:
        suite = SUITES.get(name)
        assert suite.name == name
        assert suite.version >= 1
        assert suite.help
        for option in suite.options.values():
            assert option.help
            assert not option.values or option.default in option.values
        with pytest.raises(UserError, match="no-such-option"):
            suite.read(None, {"no-such-option": "1"})


def test_own_data_from_options_and_from_a_folder(tmp_path):
    (tmp_path / "forget.jsonl").write_text(lines(PAIR))
    (tmp_path / "retain.json").write_text(json.dumps([PAIR, PAIR]))
    (tmp_path / "other.jsonl").write_text(lines(PAIR, PAIR, PAIR))
    read = SUITES.get("own").read
    sizes = {role: len(group.examples) for role, group in read(tmp_path, {}).items()}
    assert sizes == {"forget": 1, "retain": 2}
    given = read(tmp_path, {"forget": str(tmp_path / "other.jsonl")})
    assert len(given["forget"].examples) == 3


def test_own_data_that_is_not_there(tmp_path):
    with pytest.raises(UserError) as caught:
        SUITES.get("own").read(tmp_path, {"retain": str(tmp_path / "none.jsonl")})
    first, second = caught.value.problems
    assert (first.where, first.what) == ("--forget", "is not given")
    assert second.what == "does not exist"
