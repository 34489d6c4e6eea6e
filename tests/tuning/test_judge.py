"""By what trials are judged, written a second time; and when they are given up."""

import math
from types import SimpleNamespace

import pytest

from unteach.tuning.judge import Judge, Marks
from unteach.tuning.run import _try_all
from unteach.tuning.space import Space
from unteach.tuning.study import close, finished, opened, reached, spent
from unteach.tuning.workbench import GivenUp
from unteach.types import Row


def rows(*logps, role="forget"):
    return [Row(id=f"{role}-{k}", kind="answer", tokens=4, logp=x) for k, x in enumerate(logps)]


ORIGINAL = {
    "forget": rows(-0.1, -0.1),
    "retain": rows(math.log(0.8), math.log(0.4), role="retain"),
    "holdout": rows(-2.0, -3.0, role="holdout"),
}


def judged(forget, retain, holdout, **more):
    given = {"forget": rows(*forget), "retain": rows(*retain), "holdout": rows(*holdout)}
    return Judge(ORIGINAL, **more).marks({name: found for name, found in given.items() if found})


def test_against_the_holdout_by_hand():
    found = judged((-1.0, -2.5, -9.0), (math.log(0.4), math.log(0.5)), (-2.2, -2.6))
    now = (1 + 1) + (0 + 1) + (0 + 0)  # pairs in which the forget answer is the likelier one
    before = (1 + 1) + (0 + 1) + (0 + 0)
    assert now == before
    forgotten = 1 - abs(2 * now / 6 - 1)
    kept = 0.45 / 0.6
    assert found.forgotten == pytest.approx(forgotten, abs=1e-4)
    assert found.kept == pytest.approx(kept, abs=1e-4)
    assert found.value == pytest.approx(2 / (1 / forgotten + 1 / kept), abs=1e-4)


def test_a_model_that_forgot_the_holdout_too_does_not_pass_for_one_that_never_saw():
    alike = judged((-9.0, -9.5), (0.0, 0.0), (-9.0, -9.5))
    assert alike.forgotten == 0.0, "both are far below what the original says of the holdout"
    apart = judged((-2.0, -3.0), (0.0, 0.0), (-9.0, -9.5))
    assert apart.forgotten == 0.0


def test_without_a_retain_file_the_holdout_says_what_is_kept():
    found = judged((-2.0, -3.0), (), (-2.0 + math.log(0.5), -3.0 + math.log(0.5)))
    assert found.kept == pytest.approx(0.5)


def test_too_far_counts_as_not_far_enough_and_gains_do_not_count():
    known, gone = judged((-0.1,), (0.0, 0.0), (-2.0,)), judged((-50.0,), (0.0, 0.0), (-2.0,))
    assert known.forgotten == gone.forgotten == 0.0
    assert known.value == gone.value == 0.0
    assert known.kept == 1.0


def test_the_base_model_stands_in_for_a_holdout():
    original = {name: found for name, found in ORIGINAL.items() if name != "holdout"}
    judge = Judge(original, base={"forget": rows(-2.0, -4.0)})
    same = judge.marks({"forget": rows(-2.0, -4.0), "retain": ORIGINAL["retain"]})
    assert (same.forgotten, same.kept, same.value) == (1.0, 1.0, 1.0)
    assert "base model" in judge.words
    assert "holdout" in Judge(ORIGINAL).words


def test_with_a_retrained_model_it_is_closeness():
    retrained = {**ORIGINAL, "forget": rows(-2.0, -3.0)}
    judge = Judge(ORIGINAL, retrained=retrained)
    assert "closeness" in judge.words
    assert judge.marks(retrained).value > 0.9
    assert judge.marks(ORIGINAL).value == 0.0


@pytest.fixture
def study(tmp_path):
    return opened(tmp_path, Space(("npo", "undial")), 0)


def test_defaults_come_first_in_full_and_of_the_rest_the_better_half_goes_on(study):
    space = Space(("npo", "undial"))
    for name, value in (("npo", 0.8), ("undial", 0.1)):
        trial = study.ask()
        assert space.choose(trial).method == name
        assert not reached(trial, 1, Marks(value, value, value))
        close(study, trial, Marks(value, value, value), 1.0)
    poor, good = study.ask(), study.ask()
    assert reached(poor, 1, Marks(0.2, 0.2, 0.2))
    close(study, poor, Marks(0.2, 0.2, 0.2), 0.25, whole=False)
    assert not reached(good, 1, Marks(0.9, 0.9, 0.9))
    assert spent(study) == 2.25
    assert finished(study) == 3
    assert study.best_value == 0.8


def test_the_budget_holds_but_for_the_last_trial_and_a_broken_one_is_told(study, monkeypatch):
    told, clock = [], [0.0]
    monkeypatch.setattr("unteach.tuning.run.time", SimpleNamespace(monotonic=lambda: clock[0]))
    train_ = SimpleNamespace(learning_rate=None, retain_weight=None, retain=None)
    bench = SimpleNamespace(
        asked=SimpleNamespace(
            budget=0.5, trials=None, methods=("npo", "undial"), adapter="method", ranks=(),
            run=SimpleNamespace(retain="r", train=train_),
        ),
        why_not={},
        request=lambda choice: SimpleNamespace(
            train=SimpleNamespace(learning_rate=1e-3, retain_weight=1.0)
        ),
    )  # fmt: skip

    def train(choice, judge, tell):
        from unteach.errors import Problem, UserError

        clock[0] += 0.2
        if len(told) == 1:
            raise UserError(Problem("train.learning_rate", "the model broke"))
        if tell(1, Marks(0.5, 0.5, 0.5 - len(told))):
            raise GivenUp
        return Marks(0.5, 0.5, 0.5)

    bench.train = train
    _try_all(study, bench, None, SimpleNamespace(stage=told.append))
    assert len(told) == 3
    assert spent(study) == pytest.approx(0.6)
    assert "train.learning_rate: the model broke" in told[1]
    assert told[2].endswith("given up at a quarter of the training; the budget is spent")
    states = [t.state.name for t in study.get_trials()]
    assert states == ["COMPLETE", "PRUNED", "PRUNED"]
