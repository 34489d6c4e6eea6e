"""However many processes train, and whatever is in shards: one curve, one model, one order."""

import os
from pathlib import Path

import pytest
import torch
from accelerate.utils import compare_versions
from distributed import curves
from distributed.curves import CUT, EVERY, JOBS
from transformers import AutoModelForCausalLM

from unteach.processes.launcher import SHARDS

FILES = Path(__file__).parents[2] / "examples" / "accelerate"
LAUNCH = {
    "ddp": ["torch.distributed.run", "--standalone", "--nproc_per_node", "2"],
    "fsdp2": ["accelerate.commands.launch", "--config_file", str(FILES / "fsdp2.yaml")],
    "zero3": ["accelerate.commands.launch", "--config_file", str(FILES / "zero3.yaml")],
}
TWO = ["--num_processes", "2", "--mixed_precision", "no", "--main_process_port", "0"]
RAN = {"ddp": ("MULTI_CPU", [False]), "fsdp2": ("FSDP", [True]), "zero3": ("DEEPSPEED", [True])}
UNSHARDED = ["task-vector", "task-vector, lora", "sam", "sam, accumulated"]
UNSHARDED += ["conflict", "always", "both"]  # these need whole weights or gradients
COLUMNS = ("loss", "grad_norm", "forget_probability")


def launched(python, way, folder, other, *jobs):
    """What two processes found."""
    folder.mkdir()
    launcher = ["-m", *LAUNCH[way], *([] if way == "ddp" else TWO)]
    given = {**os.environ, "DS_ACCELERATOR": "cpu"}
    more = {"environment": given, "timeout": 400}
    code, _, err = python(*launcher, curves.__file__, folder, other, *jobs, **more)
    assert code == 0, err[-3000:]
    return [torch.load(folder / f"{rank}.pt") for rank in (0, 1)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("curves")


@pytest.fixture(scope="module")
def alone(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curves.reference, "TOKENS", curves.reference.TOKENS)  # put back behind us
        found = curves.work(folder / "alone", folder, JOBS)
    found["exported"] = {kind: curves.exported(folder / "alone", kind, 1) for kind in curves.KINDS}
    return found


@pytest.fixture(scope="module", params=["ddp", "fsdp2", "zero3"])
def both(request, folder, alone, python):
    """The way, and what the two processes found."""
    if request.param == "zero3":
        pytest.importorskip("deepspeed", reason="the extra `deepspeed` is not installed")
        return request.param, launched(python, "zero3", folder / "zero3", folder, *EVERY, "tied")
    if request.param == "fsdp2" and compare_versions("accelerate", "<", SHARDS):
        pytest.skip(f"is refused before accelerate {SHARDS}")
    other = folder / ("alone" if request.param == "ddp" else "none")
    return request.param, launched(python, request.param, folder / request.param, other)


@pytest.mark.slow
def test_two_processes_find_what_one_finds(both, alone):
    way, (first, second) = both
    assert set(EVERY) <= set(first)
    for name, found in first.items():
        if name == "exported":
            continue
        if way != "ddp" and name in UNSHARDED:
            assert "shards what" in found["error"]
            continue
        found_alone = alone[name.replace("taken over", "uncut")]
        assert (found["type"], found["in_shards"]) == RAN[way], name
        assert (found["processes"], found_alone["processes"]) == (2, 1)
        assert_same(name, found, found_alone, tolerance=1e-6 if JOBS[job(name)].exact else 1e-4)
        if way != "ddp":
            assert second[name]["state"] is None, "only the main process holds it whole"


def job(name):
    return name.partition(":")[0]


def assert_same(name, found, other, *, tolerance):
    # A checkpoint holds no losses: a run that went on has those of its own steps alone.
    whole = len(found["curve"]) == len(other["curve"])
    assert found["curve"], name
    assert whole or name.startswith("cut") or "resumed" in name or "taken over" in name, name
    last = other["curve"][-len(found["curve"]) :]
    for step, (one, two) in enumerate(zip(found["curve"], last, strict=True)):
        for column, a, b in zip(COLUMNS, one, two, strict=True):
            assert a == pytest.approx(b, rel=tolerance, abs=tolerance / 10), (name, step, column)
    assert found["retain_weight"] == pytest.approx(other["retain_weight"], rel=tolerance)
    for key, weight in other["state"].items():
        torch.testing.assert_close(found["state"][key], weight, rtol=0, atol=1e-6)


@pytest.mark.slow
def test_the_processes_keep_other_examples_and_together_those_of_one(both, alone):
    _, (first, second) = both
    own, others = first["npo"]["retained"], second["npo"]["retained"]
    assert own != others
    assert sorted(own + others) == sorted(alone["npo"]["retained"])


@pytest.mark.slow
def test_all_stop_at_the_same_step(both, alone):
    way, found = both
    if way == "zero3":
        pytest.skip("not asked there")
    steps = {len(each["stopped"]["curve"]) for each in (*found, alone)}
    assert len(steps) == 1
    assert CUT < steps.pop() < 40, "two an epoch, 20 epochs"


CUTS = [name for name in JOBS if JOBS[name].cut]


@pytest.mark.slow
@pytest.mark.parametrize("name", CUTS)
def test_a_cut_run_goes_on_as_if_uncut(both, name, folder):
    way, (first, _) = both
    if way == "zero3":
        pytest.skip("not asked there")
    assert len(first[name]["curve"]) == CUT < len(first[f"{name}: uncut"]["curve"])
    assert_same(name, first[f"{name}: resumed"], first[f"{name}: uncut"], tolerance=1e-6)
    held = {file.name for file in (folder / way / name / f"checkpoint-{CUT}").iterdir()}
    assert {"scheduler.pt", "rng_state_0.pth", "rng_state_1.pth", "unteach.json"} <= held


@pytest.mark.slow
@pytest.mark.parametrize("name", CUTS)
def test_one_process_and_two_take_each_other_over(both, name, folder, alone):
    way, (first, _) = both
    if way != "ddp":
        pytest.skip("shards are taken over by processes that shard")
    begun = str(folder / "ddp" / name / f"checkpoint-{CUT}")
    taken = curves.replace(JOBS[name], cut=False, begun=begun)
    found = curves.run(name, taken, folder / "taken", 1)
    assert_same(name, found, alone[f"{name}: uncut"], tolerance=1e-5)
    assert_same(name, first[f"{name}: taken over"], alone[f"{name}: uncut"], tolerance=1e-5)


@pytest.mark.slow
def test_a_model_in_shards_is_written_whole(both, folder):
    way, (first, _) = both
    if way == "zero3":
        pytest.skip("not asked there")
    name = "cut, shards written"
    written = AutoModelForCausalLM.from_pretrained(folder / way / name / "written").state_dict()
    for key, weight in first[name]["state"].items():
        torch.testing.assert_close(written[key], weight, rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", curves.KINDS)
def test_what_a_request_writes_is_what_one_process_writes(both, kind, folder, alone):
    """The adapters (FILA's, so of a changed base) merged, from a model that was in shards."""
    way, (first, second) = both
    facts = first["exported"][kind]
    assert facts["steps"] == alone["exported"][kind]["steps"] == 4
    assert (second["exported"][kind] is None) == (way != "ddp")
    written, other = (
        AutoModelForCausalLM.from_pretrained(folder / each / f"exported {kind}").state_dict()
        for each in (way, "alone")
    )
    assert len(written) == len(other)
    for key, weight in other.items():
        torch.testing.assert_close(written[key], weight, rtol=0, atol=1e-6)
