"""Two at work on one output folder, or on a model that changes under way."""

import shutil
import threading

import pytest
from crash.test_folders import do, held, make, names, out
from crash.test_killed import files, job

from unteach import pipeline
from unteach.errors import UserError
from unteach.evaluation import rows as asking
from unteach.evaluation.request import Evaluation
from unteach.evaluation.run import evaluate
from unteach.files import check_out, locks
from unteach.files import work_folders as folders

__all__ = ["files", "out"]  # fixtures
needs_locks = pytest.mark.skipif(locks.fcntl is None, reason="there are no locks here")


@needs_locks
def test_what_another_run_is_at_work_on_is_told_before_anything_is_done(out):
    """By all that write a folder: hours later it would be too late."""

    def second():
        for given in (False, True):
            (problem,) = check_out(out, overwrite=given)
            assert "is being written by another run" in problem.what
            with pytest.raises(UserError, match="is being written by another run"):
                make(out, overwrite=given)
            with pytest.raises(UserError, match="is being written by another run"):
                do(out, "two", overwrite=given)

    do(out, then=second)
    assert held(out) == {"a": "one", "b": "one"}
    assert names(out.parent) == {"out"}


@needs_locks
def test_of_runs_that_begin_at_the_same_moment_one_goes_on(out, monkeypatch):
    """Each has looked for others before any has begun."""
    looked, said, usual = threading.Barrier(4), [], folders.made

    def made(path):
        with_company = threading.Event()
        with_company.wait(0.05)  # the others look meanwhile, if they can
        return usual(path)

    monkeypatch.setattr("unteach.files.run_folder.made", made)

    def run():
        looked.wait()
        try:
            do(out, then=lambda: threading.Event().wait(0.3))
            said.append("done")
        except UserError as error:
            said.append(error.problems[0].what)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["done", *["is being written by another run"] * 3]


def test_who_never_ends_its_turn_holds_nobody_up(out, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE", 0.1)
    with locks.turn(out.parent):
        make(out)
    assert held(out)


def change(model):
    """As a copy that takes its place: same size, other time."""
    file = model / "model.safetensors"
    data = file.read_bytes()
    file.unlink()
    file.write_bytes(data)


@pytest.mark.parametrize("which", ["model", "retrained"])
def test_a_model_that_is_replaced_under_way_is_no_evidence(
    which, files, tiny_folder, tmp_path, monkeypatch
):
    """The report would show two models as one."""
    models = {n: shutil.copytree(tiny_folder, tmp_path / n) for n in ("model", "retrained")}
    usual, out = pipeline.evidence, tmp_path / "results" / "out"

    def evidence(*given):
        change(models[which])
        return usual(*given)

    monkeypatch.setattr(pipeline, "evidence", evidence)
    with pytest.raises(UserError, match=f"model {models[which]}: was changed while the run"):
        job(files, models["model"], out, retrained=str(models["retrained"]))()
    assert not out.exists()


def test_rows_of_a_model_that_is_replaced_meanwhile_are_not_kept_for_its_own(
    files, tiny_folder, tmp_path, monkeypatch
):
    model, usual = shutil.copytree(tiny_folder, tmp_path / "model"), asking.ask_model

    def ask_model(*given):
        found = usual(*given)
        change(model)
        return found

    monkeypatch.setattr(asking, "ask_model", ask_model)
    data = shutil.copytree(files, tmp_path / "data")
    asked = Evaluation(models={"m": str(model)}, out=tmp_path / "out", cache=tmp_path / "cache",
                       data=data, device="cpu", limit=2, max_new_tokens=2)  # fmt: skip
    with pytest.raises(UserError, match="was changed while the run was under way"):
        evaluate(asked)
    assert list((tmp_path / "cache").glob("*.jsonl")) == []
    assert not (tmp_path / "out").exists()
