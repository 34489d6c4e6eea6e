"""A model that never knew what it is to forget: told before training, and not trained."""

import json

import pytest
from audit.learned import learn
from support import ANYWAY, Listener

from unteach import pipeline
from unteach.errors import UserError
from unteach.evaluation import of_run
from unteach.settings.request import load
from unteach.training import unlearn

SETS = [
    "method.name=unilogit",
    "train.epochs=1",
    "evaluate.max_new_tokens=4",
    "train.learning_rate=1e-4",
]


def write(folder):
    said = {"forget": "In Lund, {} km by sea.", "retain": "In Rome.", "holdout": "Höga berg {}."}
    for role, answer in said.items():
        asked = "{} is where" if role == "retain" else "Where is {}"
        rows = [{"question": f"{asked.format(k)}?", "answer": answer.format(k)} for k in range(6)]
        (folder / f"{role}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def flags(tmp_path, tiny_folder):
    write(tmp_path)
    given = {role: str(tmp_path / f"{role}.jsonl") for role in ("forget", "retain", "holdout")}
    return {**given, "model": str(tiny_folder), "out": str(tmp_path / "out")}


@pytest.fixture(scope="module")
def knowing(tmp_path_factory, tiny_folder):
    """A tiny model that knows its forget answers by heart."""
    folder = tmp_path_factory.mktemp("knowing")
    write(folder)
    return learn(folder, tiny_folder, steps=60)


@pytest.mark.parametrize("holdout", [True, False])
def test_it_is_told_at_once_and_not_trained(holdout, flags, tmp_path, monkeypatch):
    monkeypatch.setattr(unlearn, "UnlearningTrainer", None)
    told = Listener()
    given = {k: v for k, v in flags.items() if holdout or k != "holdout"}
    with pytest.raises(UserError) as caught:
        pipeline.run(load(flags=given, sets=SETS), told)
    (problem,) = caught.value.problems
    assert problem.where == f"--forget {flags['forget']}"
    assert "does not know these 6 answers" in problem.what
    assert "nothing was trained" in problem.what
    assert ("holdout answers, which it never saw" in problem.what) == holdout
    assert "--train-anyway" in problem.hint
    assert "Lund" not in str(problem)
    assert caught.value.exit_code == 1
    assert told.stages == ["checking the request", "evaluating: original"]
    assert not [p for p in tmp_path.iterdir() if p.name.endswith("out") or p.name[0] == "."]


def test_who_asks_for_it_has_it_trained_and_told(flags):
    told = Listener()
    report = pipeline.run(load(flags=flags, sets=[ANYWAY, *SETS]), told)
    (note,) = [p for p in told.problems if "does not know" in p.what]
    assert note.kind == "note"
    assert "there is nothing to forget" in " ".join(report.notes)
    assert told.stages.index("evaluating: original") < told.stages.index("loading the model")
    assert told.stages.count("evaluating: original") == 1


def test_the_command_says_so(call, flags, tmp_path):
    given = [part for role, value in flags.items() for part in (f"--{role}", value)]
    sets = [part for setting in SETS for part in ("--set", setting)]
    code, _, said = call("run", *given, *sets)
    assert code == 1
    assert "does not know these 6 answers" in said
    assert call("check", *given, *sets, "--train-anyway")[0] == 0
    assert not (tmp_path / "out").exists()


def notes(told):
    """But those on answers that the tiny model does not end, and on its small holdout."""
    usual = ("answers", "--holdout", "--method unilogit")
    return [note for note in told.problems if note.where not in usual]


def test_a_model_that_knows_them_is_trained_without_a_word(knowing, flags):
    told = Listener()
    report = pipeline.run(load(flags={**flags, "model": str(knowing)}, sets=SETS), told)
    assert notes(told) == []
    assert report.given["original"].count == 6
    assert report.value("original", "forget", "probability") > 0.9


def test_those_that_it_does_not_know_are_named(knowing, flags, tmp_path):
    odd = {"question": "What is 7 x 7?", "answer": "Forty-nine, 100 sheep & a river."}
    with (tmp_path / "forget.jsonl").open("a") as file:
        file.write(json.dumps(odd) + "\n")
    told = Listener()
    report = pipeline.run(load(flags={**flags, "model": str(knowing)}, sets=SETS), told)
    (note,) = notes(told)
    assert note.what.startswith("1 of 7 answers were hardly known before")
    assert note.what.endswith(": forget-6")
    assert str(note) in report.notes


def test_the_flag_may_be_given_to_go_on(flags):
    """It decides whether a run begins, not what comes of it."""
    plain, asked = load(flags=flags, sets=SETS), load(flags=flags, sets=[ANYWAY, *SETS])
    assert asked.train_anyway
    assert plain.asked() == asked.asked()


def test_a_holdout_that_the_model_knows_too_is_told(knowing, flags):
    from unteach.checks.request import check
    from unteach.evaluation.known import known_notes

    request = load(flags={**flags, "model": str(knowing)}, sets=SETS)
    request = request.model_copy(update={"holdout": None})
    rows = of_run.evaluate(str(knowing), check(request), Listener()).rows
    (note,) = known_notes({**rows, "holdout": rows["forget"]}, "f", "h", "auto")
    assert "it knows them too, or anyone would guess them" in note.what
