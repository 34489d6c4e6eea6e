"""Kill -9 at any moment: the same request goes on, and ends as if nothing had been."""

import hashlib
import json
import os
import random
import sys
import time

import pytest
from crash.runs import counting, forked, killed_after, killed_at
from support import ANYWAY, write_roles

from unteach import pipeline
from unteach.settings.request import load

MOMENTS = 20
pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "darwin", reason="forks"),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    return write_roles(folder, 8)


def job(files, model, out, listener=None, steps=1, **more):
    """The main job, a checkpoint each so many steps; None goes by the clock."""
    given = {role: str(files / f"{role}.jsonl") for role in ("forget", "retain", "holdout")}
    sets = [
        ANYWAY,
        "train.epochs=3",
        "train.rounds=1",
        "train.batch_size=4",
        "device=cpu",
        "evaluate.max_new_tokens=4",
    ]
    sets += [f"train.checkpoint_steps={steps}"] if steps else []
    given |= {"model": str(model), "out": str(out), **more}
    return lambda: pipeline.run(load(flags=given, sets=sets), listener)


def found(out):
    """The weights and the rows, by their bytes; the scores, which tell no time."""
    names = ["model.safetensors", *(f"rows/{m}.jsonl" for m in ("original", "unlearned"))]
    hashes = [hashlib.sha256((out / name).read_bytes()).hexdigest() for name in names]
    return hashes, json.loads((out / "scores.json").read_text())["models"]


@pytest.fixture(scope="module")
def warm(files, tiny_folder, tmp_path_factory):
    """All libraries are loaded, so that no process has to."""
    import torch

    torch.set_num_threads(1)
    job(files, tiny_folder, tmp_path_factory.mktemp("warm") / "out", method="loku")()


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "method", ["unilogit", pytest.param("pdu", marks=SLOW), pytest.param("loku", marks=SLOW)]
)
def test_a_killed_run_goes_on_and_ends_the_same(method, files, tiny_folder, tmp_path, warm):
    """At moments drawn by a seed among all that is done to files, and by the clock between them."""
    draw = random.Random(method)
    whole, count = tmp_path / "whole" / "out", tmp_path / "count"
    began = time.monotonic()
    work = counting(whole.parent, job(files, tiny_folder, whole, method=method), count)
    assert forked(work, log=tmp_path / "log") == 0, (tmp_path / "log").read_text()
    seconds, things = time.monotonic() - began, int(count.read_text())
    assert things > 100
    expected, cut = found(whole), 0
    for k in range(-(-MOMENTS // 3)):
        out = tmp_path / str(k) / "out"
        out.parent.mkdir()
        run = job(files, tiny_folder, out, method=method)
        by_clock = k % 3 == 2
        moment = draw.uniform(0, 0.8 * seconds) if by_clock else draw.randrange(things)
        kill = killed_after(moment, run) if by_clock else killed_at(moment, out.parent, run)
        if forked(kill) == 0:  # it was quicker than the clock
            continue
        cut += 1
        code = forked(run, log=tmp_path / f"log-{k}")
        assert code == 0, (method, moment, (tmp_path / f"log-{k}").read_text())
        assert found(out) == expected, (method, moment)
        assert [p.name for p in out.parent.iterdir()] == ["out"], (method, moment)
    assert cut >= MOMENTS // 3 - 1
