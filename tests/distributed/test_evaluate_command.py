"""`unteach evaluate` under a launcher: one folder, one voice, one end."""

import json
import os
import re
from pathlib import Path

import pytest
from distributed.forks import started
from support import write_roles

SCRIPT = Path(__file__).with_name("command.py")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    return write_roles(folder, 9)


@pytest.fixture
def launch(data, tiny_folder, tmp_path, python):
    """The command in that many processes, in a folder of this test: exit code, output, words."""

    def run(processes, *more, fault="none", model=tiny_folder, out="out"):
        several = ("torch.distributed.run", "--standalone", "--nproc_per_node", processes)
        return python(
            "-m", *several, SCRIPT, fault,
            "evaluate", "--model", f"a={model}", "--retrained", tiny_folder, "--data", data,
            "--max-new-tokens", 5, "--tokens-per-batch", 100, "--out", out, "--cache", "cache",
            *more, folder=tmp_path,
        )  # fmt: skip

    return run


def written(folder):
    """All that a folder holds, but for the time it took."""
    files = {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}
    seconds = re.compile(rb'(\| seconds \||"seconds":|>seconds</th>\s*<td[^>]*>) ?[\d.]+')
    return {name: seconds.sub(b"", content) for name, content in files.items()}


def test_any_number_of_processes_writes_one_folder_and_speaks_once(launch, tmp_path):
    found = {}
    for processes in (1, 2, 3):
        code, out, err = launch(processes)
        assert code == 0, err[-2000:]
        assert out.count("forget probability") == 1
        for line in ("checking what was asked", "asking: a", "writing the report"):
            assert err.count(line) == 1
        os.rename(tmp_path / "out", tmp_path / f"out-{processes}")
        os.rename(tmp_path / "cache", tmp_path / f"cache-{processes}")
        kept = written(tmp_path / f"cache-{processes}")  # the names are salted
        rows = sorted(text for name, text in kept.items() if name.endswith(".jsonl"))
        found[processes] = [written(tmp_path / f"out-{processes}"), rows]
    assert "rows/a.jsonl" in found[1][0]
    assert found[1] == found[2] == found[3]


def test_the_command_starts_its_processes_itself(data, tiny_folder, tmp_path, python):
    arguments = [
        "-m", "unteach", "evaluate", "--model", f"a={tiny_folder}", "--data", data,
        "--max-new-tokens", 5, "--no-cache", "--out", "out",
    ]  # fmt: skip
    found = []
    for processes, command in (("1", python), ("2", started)):
        code, _, err = command(*arguments, "--processes", processes, folder=tmp_path)
        assert code == 0, err[-2000:]
        assert err.count("writing the report") == 1
        os.rename(tmp_path / "out", tmp_path / processes)
        found.append(written(tmp_path / processes))
    assert found[0] == found[1]


def test_a_late_process_finds_no_folder_of_this_very_run(launch):
    assert launch(2)[0] == 0
    code, out, err = launch(2, "--json", out="again", fault="late")
    assert code == 0, err[-2000:]
    assert json.loads(out)["facts"]["asking a"]["from"] == "cache"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": "no/where/at-all"}, "--model no/where/at-all: does not exist"),
        ({"fault": "alone"}, "--data: is not on this machine"),
    ],
)
def test_what_is_wrong_is_said_once(options, said, launch, tmp_path):
    code, _, err = launch(2, **options)
    assert code == 1  # the launcher's own
    assert err.count(said) == 1
    assert re.search(r"rank +: 0 [^\n]*\n +exitcode +: 2 ", err)
    assert "unteach" not in "".join(re.findall(r'File "[^"]*"', err))
    assert not (tmp_path / "out").exists()


def test_a_process_that_is_gone_ends_the_others_and_leaves_nothing(launch, tmp_path):
    code, _, err = launch(2, fault="gone")
    assert code == 1
    assert "SIGKILL" in err
    assert list(tmp_path.iterdir()) == []
