"""What a result is known by tells nothing of the data; what a run goes on by tells all of it."""

import os
import shutil
from types import SimpleNamespace

import pytest

from unteach.evaluation import identity
from unteach.evaluation.hashes import model_hash
from unteach.evaluation.identity import identity_of
from unteach.settings.request import load
from unteach.types import ROLES


@pytest.fixture
def of(tmp_path, monkeypatch):
    """The identity and the mark, with the forget file as given, and its age."""
    from support import write_roles

    from unteach.data import read

    (tmp_path / "model").mkdir()
    (tmp_path / "mine.py").write_text("a = 1\n")
    write_roles(tmp_path, 3)

    def made(text=None, age=None, forget=None, sets=(), whole=None, **more):
        files = {role: str(tmp_path / f"{role}.jsonl") for role in ROLES}
        if text:
            (tmp_path / "forget.jsonl").write_text(text)
        for file in tmp_path.glob("*.*"):
            os.utime(file, (1e9, 1e9))
        if age:
            os.utime(age, (2e9, 2e9))
        groups = {role: read(file, role)[0] for role, file in files.items()}
        given = files | {"model": str(tmp_path / "model"), "out": str(tmp_path / "out"), **more}
        given |= {"forget": forget} if forget else {}
        request = load(flags=given, sets=list(sets))
        return identity_of(
            SimpleNamespace(request=request, groups=groups, whole=whole or {}, earlier=())
        )

    return made


def row(answer):
    return f'{{"question": "Where?", "answer": "{answer}"}}\n'


@pytest.fixture
def settable(monkeypatch):
    """Without the time that cannot be set."""
    usual = identity._age
    monkeypatch.setattr(identity, "_age", lambda file: usual(file)[:2])


def test_a_file_that_was_written_again_makes_another_mark(of):
    """Even of the same size, and set back to its age."""
    assert of(row("In Lund."))[1] != of(row("In Rome."))[1]


def test_examples_that_are_trained_on_and_judge_nothing_count_too(of, tmp_path):
    from unteach.data import read

    trained, _ = read(str(tmp_path / "retain.jsonl"), "retain")
    found = [of(whole={"retain": trained[:k]})[0] for k in (1, 2, 2)]
    assert found[0] != found[1] == found[2] != of()[0]


def test_a_guess_of_the_data_is_confirmed_by_the_salted_one_alone(of, settable):
    lund, rome = of(row("In Lund.")), of(row("In Rome."))
    assert lund[0] != rome[0]
    assert lund[1] == rome[1]


def test_a_file_of_another_size_or_age_makes_another_mark(of, settable, tmp_path):
    _, mark = of(row("In Lund."))
    assert of(row("In Luleå."))[1] != mark
    _, mark = of(row("In Lund."), plugins=[str(tmp_path / "mine.py")])
    for name in ("forget.jsonl", "retain.jsonl", "holdout.jsonl", "mine.py"):
        found = of(row("In Lund."), age=tmp_path / name, plugins=[str(tmp_path / "mine.py")])
        assert found[1] != mark, name


def test_a_further_file_to_score_is_a_part_of_it(of, tmp_path):
    also = tmp_path / "also.jsonl"
    also.write_text(row("In Oslo."))
    sets = [f"evaluate.also.more={also}"]
    assert of(sets=sets)[1] != of(sets=sets, age=also)[1]


def test_data_of_the_hub_have_no_mark(of):
    assert of(forget="owner/name")[1] is None


@pytest.mark.parametrize("part", ["request", "model", "code", "accelerate"])
def test_both_change_with_all_else_that_decides_the_result(part, of, tmp_path, monkeypatch):
    before, sets = of(), []
    if part == "request":
        sets = ["train.seed=1"]
    if part == "model":
        (tmp_path / "model" / "config.json").write_text("{}")
    if part == "code":
        monkeypatch.setattr(identity, "code_hash", lambda names: "another")
    if part == "accelerate":
        monkeypatch.setattr(identity, "version", lambda name: "another")
    after = of(sets=sets)
    assert after[0] != before[0]
    assert after[1] != before[1]


def test_where_the_result_goes_and_how_progress_is_kept_decide_nothing(of, settable, tmp_path):
    sets = ["train.checkpoint_minutes=1", "train.checkpoint_steps=2"]
    assert of(sets=sets, overwrite=True, out=str(tmp_path / "other")) == of()


def test_what_a_result_says_of_its_run_is_no_part_of_the_model(tiny_folder, tmp_path):
    """As its --model, a result is the same however often it was made."""
    folder = tmp_path / "result"
    shutil.copytree(tiny_folder, folder)
    before = model_hash(str(folder))
    (folder / "run.json").write_text('{"mark": "1"}')
    assert model_hash(str(folder)) == before
    (folder / "config.json").write_text("{}")
    assert model_hash(str(folder)) != before
