"""Runs that end by an error, Ctrl-C or a full disk: what is done stays, what is given too."""

import hashlib
import json
import os
import resource
import shutil
import signal
import sys
from functools import cache

import pytest
from crash.runs import forked
from crash.test_killed import files, found, job
from support import Listener

from unteach import pipeline
from unteach.errors import UserError
from unteach.evaluation import rows as asking
from unteach.files import run_folder as under_way
from unteach.report import to_json
from unteach.training import unlearn
from unteach.training.resume.checkpoints import FILE
from unteach.training.resume.state import _salted

__all__ = ["files"]  # a fixture


def hidden(folder):
    return [p for p in folder.iterdir() if p.name.startswith(".")]


def fail(*args, **options):
    raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def one_thread():
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def wholes(files, tiny_folder, tmp_path_factory):
    """What runs come to that nothing stops; made when it is first asked for."""

    @cache
    def made(steps):
        out = tmp_path_factory.mktemp("whole") / "out"
        job(files, tiny_folder, out, steps=steps)()
        return found(out)

    return made


def test_stopped_before_anything_is_worth_keeping_nothing_stays(
    files, tiny_folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(unlearn, "UnlearningTrainer", fail)
    told = Listener()
    with pytest.raises(KeyboardInterrupt):
        job(files, tiny_folder, tmp_path / "out", listener=told)()
    assert list(tmp_path.iterdir()) == []
    assert "nothing is kept" in told.problems[-1].what


def test_what_is_trained_is_not_trained_again(files, tiny_folder, tmp_path, monkeypatch):
    """Nor is the original asked again: its rows were there when the run was stopped."""
    usual, told = asking.ask_model, Listener()
    asked = []

    def evaluate(name, *rest):
        asked.append(name)
        return usual(name, *rest) if len(asked) == 1 else fail()

    work = job(files, tiny_folder, tmp_path / "out", listener=told)
    with monkeypatch.context() as patch:
        patch.setattr(asking, "ask_model", evaluate)
        with pytest.raises(KeyboardInterrupt):
            work()
    (folder,) = hidden(tmp_path)
    assert list(tmp_path.iterdir()) == [folder]
    assert str(folder) in str(told.problems[-1])
    assert "goes on from it" in told.problems[-1].hint
    monkeypatch.setattr(unlearn, "UnlearningTrainer", fail)
    told.stages.clear()
    report = work()
    goes_on = "going on: the model is trained and written"
    last = ["evaluating: unlearned", "writing the report"]
    assert told.stages == ["checking the request", goes_on, *last]
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]
    assert report.facts["steps"] == 6


def test_what_is_done_is_not_done_again(files, tiny_folder, tmp_path, monkeypatch):
    """So a command can be repeated until it ends well, wherever the one before was cut off."""
    told = Listener()
    work = job(files, tiny_folder, tmp_path / "out", listener=told)
    first, there = work(), everything(tmp_path)
    monkeypatch.setattr(unlearn, "UnlearningTrainer", fail)
    monkeypatch.setattr(asking, "ask_model", fail)
    told.stages.clear()
    again = work()
    assert told.stages[1:] == ["this very request is done already: nothing was done again"]
    assert to_json(again) == to_json(first)
    assert everything(tmp_path) == there
    with pytest.raises(KeyboardInterrupt):  # it begins
        job(files, tiny_folder, tmp_path / "out", overwrite=True)()


def test_cut_off_as_it_cleared_up_it_is_done_and_the_next_one_clears_up(
    files, tiny_folder, tmp_path, monkeypatch
):
    told = Listener()

    def leave(folder, lock, out):
        lock.free()  # as the end of its process does
        fail()

    with monkeypatch.context() as patch:
        patch.setattr(under_way, "leave", leave)
        with pytest.raises(KeyboardInterrupt):
            job(files, tiny_folder, tmp_path / "out")()
    assert hidden(tmp_path)
    job(files, tiny_folder, tmp_path / "out", listener=told)()
    assert "nothing was done again" in told.stages[-1]
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]


def test_what_is_done_is_known_wherever_it_was_moved(files, tiny_folder, tmp_path, monkeypatch):
    """Also where nothing may be written, and to who stands in it."""
    out, moved, link = tmp_path / "out", tmp_path / "more" / "moved", tmp_path / "link"
    first = job(files, tiny_folder, out)()
    moved.parent.mkdir()
    out.rename(moved)
    link.symlink_to(moved)
    there = everything(tmp_path)
    monkeypatch.setattr(unlearn, "UnlearningTrainer", fail)
    monkeypatch.setattr(asking, "ask_model", fail)
    monkeypatch.setattr(os, "access", lambda path, mode, **more: mode == os.R_OK)
    monkeypatch.chdir(moved)
    for place in (moved, link):
        assert job(files, tiny_folder, place)().facts == first.facts
    with pytest.raises(UserError, match="is the folder that you are in"):  # to be made anew
        job(files, tiny_folder, moved, overwrite=True)()
    assert everything(tmp_path) == there


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("step", [2, 6], ids=["amid", "last"])
def test_on_notice_that_the_machine_goes_away_the_step_under_way_is_kept(
    step, files, tiny_folder, tmp_path, wholes
):
    """SIGTERM, as a launcher passes it on too, with no checkpoint due for ten minutes."""
    out, log, told = tmp_path / "results" / "out", tmp_path / "log", Listener()
    usual = unlearn.CheckpointPace.on_step_end

    def warned():
        def on_step_end(self, args, state, control, **more):
            if state.global_step == step:
                signal.raise_signal(signal.SIGTERM)
                signal.raise_signal(signal.SIGTERM)
            usual(self, args, state, control, **more)

        unlearn.CheckpointPace.on_step_end = on_step_end
        job(files, tiny_folder, out, steps=None)()

    assert forked(warned, log=log) == 1
    assert "SystemExit: 143" in log.read_text()
    assert not out.exists()
    report = job(files, tiny_folder, out, listener=told, steps=None)()
    assert f"going on after step {step}" in told.stages
    assert report.facts["went_on_after_step"] == step
    assert found(out) == wholes(None)


def pipe(file):
    """Who opens it waits for ever."""
    file.unlink()
    os.mkfifo(file)


def test_what_is_done_otherwise_or_was_changed_is_not_taken_for_it(files, tiny_folder, tmp_path):
    data, model, out = tmp_path / "data", tmp_path / "model", tmp_path / "out"
    shutil.copytree(files, data)
    shutil.copytree(tiny_folder, model)
    work = job(data, model, out)
    work()
    text, report = (data / "forget.jsonl").read_text(), (out / "report.md").read_text()
    config = json.loads((model / "config.json").read_text())
    run = json.loads((out / "run.json").read_text())
    odd = [
        "[]",
        "[" * 100_000,
        *(json.dumps({**run, **x}) for x in ({"facts": None}, {"files": {}})),
    ]
    changes = [
        (model / "config.json", lambda file: file.write_text(json.dumps({**config, "note": 1}))),
        (out / "model.safetensors", lambda file: file.unlink()),
        (out / "rows" / "unlearned.jsonl", lambda file: file.unlink()),
        (out / "report.md", lambda file: file.write_text(report[:-1])),
        *((out / "run.json", lambda file, said=said: file.write_text(said)) for said in odd),
        (out / "run.json", pipe),
    ]
    is_not_taken(job(data, model, out, method="ascent"), tmp_path)
    for file, change in changes:
        kept = shutil.copy2(file, tmp_path / "kept")
        change(file)
        is_not_taken(work, tmp_path)
        file.unlink(missing_ok=True)
        shutil.copy2(kept, file)
    told = Listener()
    job(data, model, out, listener=told)()  # as it was, it is
    assert told.stages[1:] == ["this very request is done already: nothing was done again"]
    for change in (
        lambda: os.utime(data / "holdout.jsonl"),
        lambda: (data / "forget.jsonl").write_text(text.replace("Lund", "Rome", 1)),
    ):
        change()
        is_not_taken(work, tmp_path)


def is_not_taken(work, folder):
    there = everything(folder)
    with pytest.raises(UserError, match="is not empty"):
        work()
    assert everything(folder) == there
    assert not hidden(folder)


@pytest.mark.parametrize("change", ["request", "data", "model"])
def test_another_request_begins_anew_and_leaves_the_first(
    change, files, tiny_folder, tmp_path, monkeypatch
):
    data, model = tmp_path / "data", tmp_path / "model"
    shutil.copytree(files, data)
    shutil.copytree(tiny_folder, model)
    out = tmp_path / "results" / "out"
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "evidence", fail)
        with pytest.raises(KeyboardInterrupt):
            job(data, model, out)()
    (first,) = hidden(out.parent)
    more = {"method": "ascent"} if change == "request" else {}
    if change == "data":
        with (data / "retain.jsonl").open("a") as file:
            file.write('{"question": "And who?", "answer": "Nobody."}\n')
    if change == "model":
        import torch
        from transformers import AutoModelForCausalLM

        changed = AutoModelForCausalLM.from_pretrained(model)
        with torch.no_grad():
            changed.get_input_embeddings().weight[3, 4] += 1e-3
        changed.save_pretrained(model)
    told = Listener()
    job(data, model, out, listener=told, **more)()
    assert "loading the model" in told.stages
    assert any(str(first) in p.where and "another request" in p.what for p in told.problems)
    assert {p.name for p in out.parent.iterdir()} == {"out", first.name}


def test_two_runs_into_one_folder_are_told(files, tiny_folder, tmp_path, monkeypatch):
    def second(*args):
        job(files, tiny_folder, tmp_path / "out", method="ascent")()

    monkeypatch.setattr(pipeline, "evidence", second)
    with pytest.raises(UserError, match="is being written by another run"):
        job(files, tiny_folder, tmp_path / "out")()


def everything(*folders):
    """Every file's bytes, rights and time of change."""
    return {
        path: (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mode,
            path.stat().st_mtime,
        )
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_what_is_given_is_only_read(files, tiny_folder, tmp_path):
    """Read-only for who is not root; and for all, nothing there is opened to be written."""
    data, model, out = tmp_path / "data", tmp_path / "model", tmp_path / "results" / "out"
    shutil.copytree(files, data)
    shutil.copytree(tiny_folder, model)
    given = (data, model)
    for path in (*data.rglob("*"), *model.rglob("*"), *given):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before, written = everything(*given), tmp_path / "written"

    def watched():
        def hook(event, arguments):
            if event == "open" and isinstance(arguments[0], str) and isinstance(arguments[2], int):
                changes = arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
                if changes and arguments[0].startswith(tuple(map(str, given))):
                    os.write(handle, arguments[0].encode())

        handle = os.open(written, os.O_WRONLY | os.O_CREAT)
        sys.addaudithook(hook)
        job(data, model, out, retrained=str(model), method="loku")()

    assert forked(watched, log=tmp_path / "log") == 0, (tmp_path / "log").read_text()
    assert written.read_bytes() == b""
    assert everything(*given) == before
    assert found(out)
    for path in given:
        path.chmod(0o755)


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("model/out", "is within --model"),
        ("model", "is in it, and would be replaced"),
        ("data", "is in it, and would be replaced"),
        ("link/new", "is within --model"),
    ],
)
def test_a_result_in_what_is_given_is_refused(out, said, files, tiny_folder, tmp_path):
    shutil.copytree(files, tmp_path / "data")
    shutil.copytree(tiny_folder, tmp_path / "model")
    (tmp_path / "link").symlink_to(tmp_path / "model")
    before = everything(tmp_path)
    with pytest.raises(UserError, match=said):
        job(tmp_path / "data", tmp_path / "model", tmp_path / out, overwrite=True)()
    assert everything(tmp_path) == before


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("kilobytes", [1, 60, 150])
def test_a_full_disk_is_told_and_the_last_good_state_kept(
    kilobytes, files, tiny_folder, tmp_path, wholes
):
    """A limit on the size of files stands in for it: in the weights or in the optimizer."""
    out, log = tmp_path / "results" / "out", tmp_path / "log"
    work = job(files, tiny_folder, out)
    usual = unlearn.CheckpointPace.on_save

    def full():
        def on_save(self, args, state, control, **more):
            if state.global_step == 2:
                log.write_text("")  # the limit is its own too
                hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
                resource.setrlimit(resource.RLIMIT_FSIZE, (1024 * kilobytes, hard))
            usual(self, args, state, control, **more)

        unlearn.CheckpointPace.on_save = on_save
        work()

    assert forked(full, log=log) == 1
    assert "UserError" in log.read_text()
    assert "the disk is full or a limit is reached" in log.read_text()
    (folder,) = hidden(out.parent)
    assert [p.name for p in (folder / "checkpoints").glob("checkpoint-*")] == ["checkpoint-2"]
    held = json.loads((folder / "checkpoints" / "checkpoint-2" / FILE).read_text())
    assert held["before"] != _salted(held["salt"], "")  # it names its run
    assert not out.exists()
    told = Listener()
    report = job(files, tiny_folder, out, listener=told)()
    assert "going on after step 2" in told.stages
    assert report.facts["went_on_after_step"] == 2
    assert found(out) == wholes(1)
