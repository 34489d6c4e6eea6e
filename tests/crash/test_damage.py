"""What was kept and is not as it was written: found, told, and done anew."""

import pytest
from crash.test_folders import do, forks, held, killed_clearing_up, out
from crash.test_killed import files, job
from crash.test_stopped import hidden
from support import Listener

from unteach import pipeline
from unteach.errors import UserError
from unteach.files import work_folders as folders
from unteach.files import working

__all__ = ["files", "out"]  # fixtures


def flip(file, place=-1):
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)


class Cut(Exception):
    pass


def cut(out):
    """A run whose model is written and whose first model is asked; the hidden folder's path."""
    with pytest.raises(Cut), working(out, "one", lambda p: None, overwrite=False) as work:  # noqa: PT012
        (work.begin() / "weights").write_text("weights")
        work.keep({"steps": 1})
        for name in ("rows/original.jsonl", folders.PRIVATE):
            (work.result / name).parent.mkdir(exist_ok=True)
            (work.result / name).write_text("measured")
        work.keep_rows()
        raise Cut
    (folder,) = hidden(out.parent)
    return folder


def taken_up(out):
    """What is left of it when the same request comes again, and what is said."""
    told = []
    with pytest.raises(Cut), working(out, "one", told.append, overwrite=False) as work:  # noqa: PT012
        told += work.mend()
        facts, there = work.trained(), work.result
        left = {f.name for f in there.rglob("*") if f.is_file()} if facts else set()
        raise Cut
    return facts, left, " ".join(f"{p.where} {p.what}" for p in told[:-1])


def test_what_is_whole_is_taken_up(out):
    cut(out)
    whole = {"steps": 1}, {"weights", "original.jsonl", folders.PRIVATE}, ""
    assert taken_up(out) == taken_up(out) == whole


@pytest.mark.parametrize("how", ["flipped", "torn", "missing"])
def test_a_damaged_model_is_made_anew_and_all_that_was_measured_of_it(how, out):
    file = cut(out) / "result" / "weights"
    {"flipped": flip, "torn": lambda f: f.write_text("we"), "missing": lambda f: f.unlink()}[how](
        file
    )
    facts, left, told = taken_up(out)
    assert (facts, left) == (None, set())
    assert "is damaged: " in told
    assert "weights" in told


@pytest.mark.parametrize(
    ("name", "left"),
    [("rows/original.jsonl", {"weights", folders.PRIVATE}), (folders.PRIVATE, {"weights"})],
)
def test_damaged_rows_are_asked_anew(name, left, out):
    flip(cut(out) / "result" / name)
    facts, there, told = taken_up(out)
    assert (facts, there) == ({"steps": 1}, left)
    assert name in told


def test_rows_that_were_cut_off_before_their_hash_was_kept_are_asked_anew(out):
    (cut(out) / "result" / "rows" / "unlearned.jsonl").write_text("measured")
    assert taken_up(out)[1:] == ({"weights", "original.jsonl", folders.PRIVATE}, "")


def test_of_what_a_run_says_of_itself_no_letter_may_change(out):
    """A number in it would still be one; the run begins anew beside, and says so."""
    folder = cut(out)
    text = (folder / "run.json").read_text()
    (folder / "run.json").write_text(text.replace('"steps": 1', '"steps": 3'))
    facts, _, told = taken_up(out)
    assert facts is None
    assert f"{folder} " in told
    assert "run.json is damaged" in told
    assert (folder / "result" / "weights").exists()


def test_a_result_that_changed_since_is_not_taken_for_done(out):
    def done(**more):
        told = []
        with working(out, "one", told.append, overwrite=False, mark="one", **more) as work:
            if work.placed:
                return "done"
            (work.begin() / "weights").write_text("weights")
            work.keep({"steps": 1})
            (work.result / folders.PRIVATE).write_text("said")
            work.finish({"steps": 1})
        return "made"

    assert (done(), done()) == ("made", "done")
    (out / folders.PRIVATE).unlink()  # its user has read it
    assert done() == "done"
    flip(out / "weights")
    with pytest.raises(UserError, match=r"is not empty.*weights is not as it was written"):
        done()


@forks
def test_a_result_that_is_damaged_before_it_is_cleared_up_behind_is_not_taken(out):
    killed_clearing_up(out)
    flip(out / "a")
    with pytest.raises(UserError, match="is not empty"):
        do(out)
    do(out, overwrite=True)
    assert held(out) == {"a": "one", "b": "one"}


def test_weights_that_change_between_training_and_evaluation_are_no_evidence(
    files, tiny_folder, tmp_path, monkeypatch
):
    """A flipped byte is found before the model is asked; the next run trains anew, and says so."""
    usual, told = pipeline.rows_of, Listener()

    def rows_of(name, path, *rest):
        if name == "unlearned" and not told.stages:
            flip(hidden(tmp_path)[0] / "result" / "model.safetensors")
        return usual(name, path, *rest)

    monkeypatch.setattr(pipeline, "rows_of", rows_of)
    with pytest.raises(UserError, match=r"was damaged after it was written: model\.safetensors"):
        job(files, tiny_folder, tmp_path / "out")()
    told.stages.append("again")
    job(files, tiny_folder, tmp_path / "out", listener=told)()
    assert "loading the model" in told.stages
    assert any("is damaged: model.safetensors" in p.what for p in told.problems)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_checkpoint_with_a_flipped_byte_is_passed_over_and_told(
    files, tiny_folder, tmp_path, monkeypatch
):
    from unteach.training import unlearn

    def on_save(self, *given, **more):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(unlearn.CheckpointPace, "on_save", on_save)
        with pytest.raises(KeyboardInterrupt):
            job(files, tiny_folder, tmp_path / "out")()
    (checkpoint,) = (hidden(tmp_path)[0] / "checkpoints").glob("checkpoint-*")
    flip(checkpoint / "optimizer.pt", 3000)
    told = Listener()
    report = job(files, tiny_folder, tmp_path / "out", listener=told)()
    assert report.facts["went_on_after_step"] is None
    assert any(p.where == str(checkpoint) and "optimizer.pt is" in p.what for p in told.problems)
