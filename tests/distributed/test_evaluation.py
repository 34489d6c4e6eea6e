"""One, two and three processes give the same rows to the last digit, and fail together."""

import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("rows.py")


@pytest.fixture(scope="module")
def run(tiny_folder, python):
    """What each of so many processes found."""

    def launched(folder: Path, processes: int, *fault: str, rc: int = 0) -> list:
        several = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", processes)
        launcher = several if processes > 1 else ()
        folder.mkdir()
        code, _, err = python(*launcher, SCRIPT, tiny_folder, folder, *fault)
        assert code == rc, err[-2000:]
        return [json.loads(file.read_text()) for file in sorted(folder.iterdir())]

    return launched


@pytest.fixture(scope="module")
def alone(run, tmp_path_factory):
    (found,) = run(tmp_path_factory.mktemp("rows") / "1", 1)
    return found


@pytest.mark.parametrize("processes", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_rows_do_not_depend_on_processes(processes, alone, run, tmp_path):
    """Every process gets all rows, in order; there are batches enough for all, of every kind."""
    found = run(tmp_path / "rows", processes)
    assert len(found) == processes
    assert alone["counts"]["batches"] >= 9
    assert alone["counts"]["prompts_once"] == 7  # those with two or three wrong answers
    assert alone["counts"]["decode_steps"] > 16  # more than one batch of prompts
    assert any(row["said_logp"] for row in alone["rows"]["forget"])
    for each in found:
        assert each["rows"] == alone["rows"]
        assert each["counts"] == alone["counts"]
    ends = {what: (done, total) for what, done, total in alone["told"]}
    assert {what: (done, total) for what, done, total in found[0]["told"]} == ends
    assert all(each["told"] == [] for each in found[1:])


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "own", "others"), [
    ("user", ("UserError", "here: is wrong"), ("UserError", "here: is wrong")),
    (
        "bug", ("ValueError", "a text of the forget data"),
        ("RuntimeError", "process 1 failed: ValueError")),
    (
        "load", ("ValueError", "a text of the forget data"),
        ("RuntimeError", "process 1 failed: ValueError")),
])  # fmt: skip
def test_when_one_fails_all_fail_and_none_waits(fault, own, others, run, tmp_path):
    """Of another's bug its kind alone is told: its words may be of the data."""
    first, second = run(tmp_path / "rows", 2, fault)
    assert (second["error"], second["what"]) == own
    assert (first["error"], first["what"]) == others


@pytest.mark.slow
def test_nobody_waits_long_for_a_process_that_is_gone(run, tmp_path):
    """The launcher ends the others, or the broken connection does."""
    for found in run(tmp_path / "rows", 2, "gone", rc=1):
        assert found["error"] == "RuntimeError"
