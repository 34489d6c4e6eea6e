"""`unteach run` as several processes: one request, one folder, one voice, one result."""

import json
from functools import partial
from pathlib import Path

import pytest
import torch
from accelerate.utils import compare_versions
from distributed.forks import started
from safetensors.torch import load_file
from support import plugin_text, write_roles

from unteach.processes.launcher import SHARDS

ROOT = Path(__file__).parents[2]
LAUNCHERS = {
    "": ("-m", "unteach"),
    "torchrun": (
        "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", 2, "-m", "unteach",
    ),
    "fsdp2": (
        "-m", "accelerate.commands.launch", "--num_processes", 2, "--mixed_precision", "no",
        "--main_process_port", 0, "--config_file", ROOT / "examples" / "accelerate" / "fsdp2.yaml",
        Path(__file__).with_name("sharded.py"),
    ),
}  # fmt: skip
# Without an accelerator nobody has to say so.
DEVICE = ("--set", "device=cpu") if torch.accelerator.is_available() else ()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    return write_roles(folder, 9)


@pytest.fixture(scope="module")
def command(data, tiny_folder, python):
    """`unteach run` in that many processes: exit code, what it prints, what it says.

    They are forked, or `anew` started as a user's are.
    """

    def run(folder, processes, out, *more, launcher="", anew=False):
        arguments = [
            *LAUNCHERS[launcher], "run", "--model", tiny_folder, "--out", out,
            *(part for role in ("forget", "retain", "holdout")
              for part in (f"--{role}", data / f"{role}.jsonl")),
            "--set", "train.epochs=2", "--set", "train.rounds=1", "--set", "train.batch_size=4",
            "--set", "train.draw_back=never",  # shards are not drawn back
            "--train-anyway",
            "--set", "evaluate.max_new_tokens=4", *(() if launcher == "fsdp2" else DEVICE), *more,
        ]  # fmt: skip
        arguments += [] if launcher else ["--processes", processes]
        return (started if anew else python)(*arguments, folder=folder)

    return run


@pytest.fixture
def unteach(command, tmp_path):
    return partial(command, tmp_path)


@pytest.fixture(scope="module")
def whole(command, tmp_path_factory):
    """What one process makes that nothing stops."""
    folder = tmp_path_factory.mktemp("whole")
    code, _, said = command(folder, 1, "out")
    assert code == 0, said[-2000:]
    return folder / "out"


def plugged(file, text):
    """A plug-in that registers a method, as it must, and does something else besides."""
    file.write_text(f"{plugin_text(file.stem)}\n{text}")
    return file


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


@pytest.mark.parametrize("anew", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_two_processes_make_what_one_makes(anew, unteach, tmp_path):
    """Also with a last step that is short: 9 examples, 4 a step; and a step cut into forwards."""
    for processes, out, launcher in ((1, "one", ""), (2, "two", ""), (2, "torchrun", "torchrun")):
        code, printed, said = unteach(processes, out, launcher=launcher, anew=anew and out == "two")
        assert code == 0, said[-2000:]
        assert printed.count("forget probability") == 1
        for line in ("checking the request", "loading the model", "evaluating: unlearned"):
            assert said.count(line) == 1
        devices = found(tmp_path / out)["facts"]["devices"]
        assert devices == ("2 processes (DDP)" if processes == 2 else "1 process")
        assert found(tmp_path / out)["facts"]["steps"] == 6
    close(tmp_path / "one", tmp_path / "two")
    close(tmp_path / "one", tmp_path / "torchrun")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one", "torchrun", "two"]


@pytest.mark.slow
@pytest.mark.skipif(torch.accelerator.is_available(), reason="for machines without accelerator")
def test_what_two_began_one_ends(unteach, tmp_path, whole):
    """They are killed after the second step: one process goes on from their checkpoint."""
    plugin = plugged(tmp_path / "gone.py", KILL)
    more = ("--plugin", plugin, "--set", "train.checkpoint_steps=1")
    code, _, said = unteach(2, "out", *more)
    assert code == 128 + 9, "to be repeated, as one process that was cut off is"
    assert "was killed (SIGKILL)" in said
    assert "Traceback" not in said
    code, _, said = unteach(1, "out", *more)
    assert code == 0, said[-2000:]
    assert "going on after step 2" in said
    close(whole, tmp_path / "out")


@pytest.mark.slow
@pytest.mark.skipif(
    compare_versions("accelerate", "<", SHARDS), reason=f"is refused before accelerate {SHARDS}"
)
def test_weights_in_shards_go_on_where_they_were_cut_off(unteach, tmp_path):
    """Trained and killed under FSDP2, taken up under FSDP2, written whole as one process has it."""
    plugin = plugged(tmp_path / "gone.py", KILL)
    more = ("--plugin", plugin, "--set", "train.checkpoint_steps=1", "--set", "train.retain=kl")
    code, _, _ = unteach(2, "out", *more, launcher="fsdp2")
    assert code == 1
    code, printed, said = unteach(2, "out", *more, launcher="fsdp2")
    assert code == 0, said[-2000:]
    assert said.count("going on after step 2") == printed.count("forget probability") == 1
    assert found(tmp_path / "out")["facts"]["devices"] == "2 processes (FSDP)"
    code, _, said = unteach(1, "whole", *more)
    assert code == 0, said[-2000:]
    close(tmp_path / "whole", tmp_path / "out")


WATCHED = """
import gc, json, os, pathlib, signal, time, torch
from unteach.sharding import fsdp as sharded

here, rank = pathlib.Path(__file__), os.environ.get("RANK", "0")
told, usual = [], sharded.shard_model

def held():
    tensors = (x for x in gc.get_objects() if isinstance(x, torch.Tensor) and not x.is_meta)
    own = (getattr(x, "_local_tensor", x).untyped_storage() for x in tensors)
    return sum({s.data_ptr(): s.nbytes() for s in own}.values())

def in_shards(model):
    before, size = held(), sum(p.nbytes for p in model.parameters())
    found = usual(model)
    own = sum(p._local_tensor.nbytes for p in found.parameters())
    told.append({"before": before, "model": size, "own": own})
    here.with_suffix("." + rank).write_text(json.dumps(told))
    killed = here.with_suffix(".killed")
    if len(told) == 3 and rank == "1" and not killed.exists():
        while here.with_suffix(".0").read_text().count("before") < 3:  # the other one is as far
            time.sleep(0.05)
        killed.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return found

sharded.shard_model = in_shards
"""


@pytest.mark.slow
@pytest.mark.skipif(
    compare_versions("accelerate", "<", SHARDS), reason=f"is refused before accelerate {SHARDS}"
)
def test_what_was_trained_in_shards_is_asked_in_shards(unteach, tmp_path, whole):
    """Killed as the second model is loaded, and gone on from there. A model is never loaded beside
    what is left of training, or of the model before it."""
    plugin = plugged(tmp_path / "watched.py", WATCHED)
    code, _, said = unteach(2, "out", "--plugin", plugin, launcher="fsdp2")
    assert code == 1, said[-2000:]
    first = [json.loads((tmp_path / f"watched.{rank}").read_text()) for rank in (0, 1)]
    code, _, said = unteach(2, "out", "--plugin", plugin, launcher="fsdp2")
    assert code == 0, said[-2000:]
    assert "going on: the model is trained and written" in said
    assert "evaluating: original" not in said
    then = [json.loads((tmp_path / f"watched.{rank}").read_text()) for rank in (0, 1)]
    assert [len(each) for each in (*first, *then)] == [3, 3, 2, 2]
    for model, *original in (*first, *then):  # each is followed by the original, to be compared
        assert model["before"] < 1.01 * model["model"], "something of training is left"
        assert original[0]["before"] < 1.9 * model["model"], "more than its head and its answers"
        assert 2 * model["own"] == model["model"]
    close(whole, tmp_path / "out")
    models = [found(folder)["models"] for folder in (tmp_path / "out", whole)]
    assert numbers(models[0]) == pytest.approx(numbers(models[1]), rel=1e-3, abs=1e-5)


def numbers(given, name=""):
    """Every number of a record, by where it stands."""
    if isinstance(given, dict):
        parts = [numbers(value, f"{name}.{key}") for key, value in given.items()]
        return {key: value for part in parts for key, value in part.items()}
    return {name: given} if isinstance(given, (int, float)) else {}


KILL = """
import os, pathlib, signal
from unteach.training.resume import checkpoints

once = pathlib.Path(__file__).with_suffix(".killed")
usual = checkpoints.CheckpointPace.on_step_end

def on_step_end(self, args, state, control, **more):
    if state.global_step == 3 and os.environ.get("RANK") == "1" and not once.exists():
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    usual(self, args, state, control, **more)

checkpoints.CheckpointPace.on_step_end = on_step_end
"""


EXPLODES = tuple(
    f"--set=train.{setting}" for setting in ("optim=sgd", "learning_rate=99", "max_grad_norm=1e9")
)


@pytest.mark.slow
@pytest.mark.parametrize(("more", "said_once", "expected"), [
    (
        ("--set", "train.batch_size=3"),
        "3 x 1 examples of a step cannot be dealt out to 2 processes", 2),
    (EXPLODES, "training, step", 1),
])  # fmt: skip
def test_what_is_wrong_is_said_once(more, said_once, expected, unteach, tmp_path):
    code, _, said = unteach(2, "out", *more)
    assert code == expected, said[-2000:]
    assert said.count(said_once) == 1
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


FULL = """
import os, resource
from unteach.training.resume import checkpoints

usual = checkpoints.CheckpointPace.on_save

def on_save(self, args, state, control, **more):
    if state.global_step == 2 and os.environ.get("RANK") == os.environ["FULL"]:
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    usual(self, args, state, control, **more)

checkpoints.CheckpointPace.on_save = on_save
"""


@pytest.mark.slow
@pytest.mark.parametrize("rank", ["0", "1"])
def test_a_disk_that_is_full_for_one_stops_both_with_one_message(
    rank, unteach, tmp_path, monkeypatch, whole
):
    """A limit on the size of files stands in for it."""
    pytest.importorskip("resource")
    monkeypatch.setenv("FULL", rank)
    plugin = plugged(tmp_path / "full.py", FULL)
    more = ("--plugin", plugin, "--set", "train.checkpoint_steps=1")
    code, _, said = unteach(2, "out", *more)
    assert code == 1, said[-2000:]
    assert said.count("the disk is full or a limit is reached") == 1, said[-2000:]
    assert "Error" not in said
    monkeypatch.setenv("FULL", "none")
    code, _, said = unteach(2, "out", *more)
    assert code == 0, said[-2000:]
    assert "going on after step 2" in said
    close(whole, tmp_path / "out")


ALONE = """
from unteach import pipeline

def fails(*given):
    raise OSError(28, "no space")

pipeline.make_report, pipeline._write = (lambda *given: None), fails
"""


@pytest.mark.slow
def test_what_the_main_process_alone_meets_is_said_once(unteach, tmp_path):
    """The others see but that it is gone."""
    plugin = plugged(tmp_path / "alone.py", ALONE)
    code, _, said = unteach(2, "out", "--plugin", plugin)
    assert code == 1, said[-2000:]
    assert said.count("the disk is full or a limit is reached") == 1, said[-2000:]
    assert "Error" not in said


STOP = """
import os, signal, time
from unteach import pipeline
from unteach.training.resume import checkpoints

usual, remove = checkpoints.CheckpointPace.on_step_end, pipeline.remove

def on_step_end(self, args, state, control, **more):
    rank, how, now = os.environ.get("RANK"), os.environ["STOP"], state.global_step == 3
    if now and (how == "SIGTERM" or how == "one" and rank == "1"):
        os.kill(os.getpid(), signal.SIGTERM)  # SLURM tells all of them, and the launcher once more
    if now and how != "one" and rank == "0":
        os.kill(os.getppid(), getattr(signal, how))
        time.sleep(60 if how == "SIGINT" else 2)  # by then it has come to all
        open("slept", "w").close()
    usual(self, args, state, control, **more)

def ending(*given, **more):
    try:
        return remove(*given, **more)
    except BaseException:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the launcher may send it once more
        open("ended-" + os.environ["RANK"], "w").close()
        raise

checkpoints.CheckpointPace.on_step_end, pipeline.remove = on_step_end, ending
"""


@pytest.mark.slow
@pytest.mark.parametrize(("how", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("one", 143)])
def test_stopped_from_outside_all_end_and_what_is_done_stays(
    how, code, unteach, tmp_path, monkeypatch
):
    """Also where one of them alone hears that the machine goes away."""
    monkeypatch.setenv("STOP", how)
    plugin = plugged(tmp_path / "stop.py", STOP)
    steps = ("--set", "train.checkpoint_steps=1") if how == "SIGINT" else ()
    more = ("--plugin", plugin, *steps)
    ended, _, said = unteach(2, "out", *more)
    assert ended == code, said[-2000:]
    assert "Error" not in said
    assert how != "SIGINT" or not (tmp_path / "slept").exists(), "it was not interrupted"
    assert sorted(p.name for p in tmp_path.glob("ended-*")) == ["ended-0", "ended-1"], (
        "one waited for the other until it was killed"
    )
    (work,) = tmp_path.glob(".out.partial-*")
    kept = 2 if how == "SIGINT" else 3  # on notice, the step under way
    assert [p.name for p in (work / "checkpoints").iterdir()] == [f"checkpoint-{kept}"]
    assert not (tmp_path / "out").exists()
    assert said.count("the same request goes on from it") == 1
    assert "\nstopped\n" in said


@pytest.mark.slow
def test_one_process_lets_the_model_write_for_all(unteach, tmp_path):
    """The others wait for what it wrote, and train on the same."""
    ended, _, said = unteach(2, "out", "--retain", "made", "--method", "npo")
    assert ended == 0, said[-2000:]
    assert said.count("the model wrote") == 1
    assert (tmp_path / "out" / "scores.json").exists()
