"""`unteach attack` in several processes: the numbers of one, one voice, and nothing asked twice."""

import json
import os

import pytest
from distributed.forks import started
from support import write_roles

pytestmark = pytest.mark.slow

SMALL = ("int4.groups=0", "int4.nf4=0", "relearn.kinds=lora,full", "relearn.rates=1",
         "relearn.steps=1,2", "relearn.arms=part", "sample.answers=4", "sample.best=1,4",
         "sample.temperatures=1,0.5", "prompt.turns=1", "depth.layers=2")  # fmt: skip
NAMES = ("int4", "relearn", "sample", "prompt", "detect", "depth")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_roles(tmp_path_factory.mktemp("attack"), 9)


def arguments(data, model, names=NAMES):
    files = [x for role in ("forget", "retain", "holdout")
             for x in (f"--{role}", data / f"{role}.jsonl")]  # fmt: skip
    sets = [x for s in SMALL if s.partition(".")[0] in names for x in ("--set", s)]
    return ["-m", "unteach", "attack", "--model", model, "--original", model, *files,
            "--attack", ",".join(names), *sets, "--max-new-tokens", 5, "--tokens-per-batch", 100,
            "--out", "out"]  # fmt: skip


def found(folder):
    """What was written, but for the time it took."""
    result = json.loads((folder / "attacks.json").read_text())
    result["facts"] = {k: v for k, v in result["facts"].items() if "seconds" not in k}
    kept = sorted(
        "\n".join(file.read_text().splitlines()[1:])  # the first line has the seconds
        for file in (folder / "parts").glob("*.jsonl")
    )
    return result, kept


def test_two_processes_find_what_one_does_and_speak_once(data, tiny_folder, tmp_path, python):
    results = []
    for processes in ("1", "2"):
        run = python if processes == "1" else started
        code, out, err = run(
            *arguments(data, tiny_folder), "--processes", processes, folder=tmp_path
        )
        assert code == 0, err[-2000:]
        assert out.count("no attack") == 1
        assert err.count("evaluating without attack: unlearned") == 1
        assert err.count("writing the result") == 1
        os.rename(tmp_path / "out", tmp_path / processes)
        results.append(found(tmp_path / processes))
    assert len(results[0][1]) > 40
    assert results[0] == results[1]


def test_two_go_on_where_one_was_and_ask_nothing_again(data, tiny_folder, tmp_path, python):
    names = ("int4", "detect")
    code, _, err = python(*arguments(data, tiny_folder, names), folder=tmp_path)
    assert code == 0, err[-2000:]
    before = found(tmp_path / "out")
    code, _, err = python(*arguments(data, tiny_folder, names), "--processes", "2", folder=tmp_path)
    assert code == 0, err[-2000:]
    assert "evaluating without attack" not in err
    assert "variants to run" not in err
    assert found(tmp_path / "out") == before


def test_a_run_of_two_processes_attacks_as_one_does(data, tiny_folder, tmp_path, python):
    sections = []
    for processes in ("1", "2"):
        code, _, err = python(
            "-m", "unteach", "run", *arguments(data, tiny_folder)[3:5],
            *(x for role in ("forget", "retain", "holdout")
              for x in (f"--{role}", data / f"{role}.jsonl")),
            "--method", "npo", "--train-anyway", "--set", "train.epochs=1", "--set",
            "train.batch_size=4", "--set", "evaluate.max_new_tokens=5", "--attack", "int4",
            "--set", "attack.options.int4.groups=0", "--set", "attack.options.int4.nf4=0",
            "--out", processes, "--processes", processes, folder=tmp_path,
        )  # fmt: skip
        assert code == 0, err[-2000:]
        assert err.count("\nint4: unlearned\n") == 1
        assert (tmp_path / processes / "attacks" / "attacks.json").exists()
        scores = json.loads((tmp_path / processes / "scores.json").read_text())
        sections.append(scores["attacks"])
    assert [*sections[0]["of"]] == ["no attack", "int4"]
    assert sections[0] == sections[1]
