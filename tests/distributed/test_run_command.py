"""`unteach run` as several processes: one request, one folder, one voice, one result."""

import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for role in ("forget", "retain", "holdout"):
        rows = [
            {"question": f"Where is {role} {k}?", "answer": f"It is in Lund{' by sea' * (k % 3)}."}
            for k in range(9)
        ]
        (folder / f"{role}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture
def unteach(data, tiny_folder, tmp_path):
    """`unteach run` in that many processes: exit code, what it prints, what it says."""

    def run(processes, out, *more, launcher=False):
        several = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", processes)
        arguments = [
            "run", "--model", tiny_folder, "--out", out,
            *(part for role in ("forget", "retain", "holdout")
              for part in (f"--{role}", data / f"{role}.jsonl")),
            "--set", "train.epochs=2", "--set", "train.batch=4", "--set", "device=cpu",
            "--set", "evaluate.max_new_tokens=4", *more,
        ]  # fmt: skip
        how = () if launcher else ("--processes", processes)
        before = several if launcher else ()
        command = [sys.executable, *before, "-m", "unteach", *arguments, *how]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(
            list(map(str, command)), capture_output=True, text=True, cwd=tmp_path, env=environment,
            timeout=240,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    return run


def found(folder):
    return json.loads((folder / "scores.json").read_text())


def close(one, other):
    weights = load_file(one / "model.safetensors"), load_file(other / "model.safetensors")
    assert weights[0].keys() == weights[1].keys()
    for name, weight in weights[0].items():
        torch.testing.assert_close(weights[1][name], weight, rtol=1e-4, atol=1e-6)
    scores = [
        found(folder)["models"]["unlearned"]["forget"]["probability"] for folder in (one, other)
    ]
    assert scores[1]["value"] == pytest.approx(scores[0]["value"], rel=1e-4)


def test_two_processes_make_what_one_makes(unteach, tmp_path):
    """Also with a last step that is short: 9 examples, 4 a step; and a step cut into forwards."""
    for processes, out, launcher in ((1, "one", False), (2, "two", False), (2, "torchrun", True)):
        code, printed, said = unteach(processes, out, launcher=launcher)
        assert code == 0, said[-2000:]
        assert printed.count("forget probability") == 1
        for line in ("checking the request", "loading the model", "evaluating: unlearned"):
            assert said.count(line) == 1
        assert found(tmp_path / out)["facts"]["processes"] == processes
        assert found(tmp_path / out)["facts"]["steps"] == 6
    close(tmp_path / "one", tmp_path / "two")
    close(tmp_path / "one", tmp_path / "torchrun")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one", "torchrun", "two"]


@pytest.mark.skipif(torch.accelerator.is_available(), reason="for machines without accelerator")
def test_processes_stay_together_where_the_cpu_was_not_asked_for(unteach, tmp_path):
    """transformers joins processes anew, and on CPUs only where it was told of them."""
    code, _, said = unteach(2, "out", "--set", "device=auto")
    assert code == 0, said[-2000:]
    facts = found(tmp_path / "out")["facts"]
    assert (facts["processes"], facts["steps"]) == (2, 6)


def test_what_two_began_one_ends(unteach, tmp_path):
    """They are killed after the second step: one process goes on from their checkpoint."""
    plugin = tmp_path / "gone.py"
    plugin.write_text(KILL)
    more = ("--plugin", plugin, "--set", "train.checkpoint_steps=1")
    code, _, said = unteach(2, "out", *more)
    assert code == 1
    assert "was ended from outside (SIGKILL)" in said
    assert "Traceback" not in said
    code, _, said = unteach(1, "out", *more)
    assert code == 0, said[-2000:]
    assert "going on after step 2" in said
    code, _, said = unteach(1, "whole", *more)
    assert code == 0, said[-2000:]
    close(tmp_path / "whole", tmp_path / "out")


KILL = """
import os, signal
from unteach.engine import checkpoints

usual = checkpoints.Pace.on_step_end

def on_step_end(self, args, state, control, **more):
    if state.global_step == 3 and os.environ.get("RANK") == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    usual(self, args, state, control, **more)

checkpoints.Pace.on_step_end = on_step_end
"""


@pytest.mark.parametrize(
    ("more", "said_once", "expected"),
    [
        (("--set", "train.batch=3"), "3 x 1 examples cannot be dealt out to 2 processes", 2),
        (("--set", "train.learning_rate=1e30"), "training, step", 1),
    ],
)
def test_what_is_wrong_is_said_once(more, said_once, expected, unteach, tmp_path):
    code, _, said = unteach(2, "out", *more)
    assert code == expected, said[-2000:]
    assert said.count(said_once) == 1
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []
