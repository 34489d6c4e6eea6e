"""Settings that make no sense are told by `check`, with one that does."""

import json

import pytest

from unteach.checks.request import check
from unteach.errors import UserError
from unteach.settings.request import load

WRONG = {
    "train.learning_rate=0.1": "no weight stays what it was",
    "train.learning_rate=1e30": "set train.learning_rate=0.001",
    "train.stop_at=1": "training would stop at once",
    "train.sam=3": "a radius",
    "train.weight_decay=1e5 train.learning_rate=1e-3": "takes every weight away",
    "adapter.rank=64 adapter.kind=lora": "above the model's width of 32",
    "train.retain=none train.retain_weight=2": "there is no term to weigh",
    "train.learning_rate=500 train.optim=sgd": "no weight stays what it was",
}
NOTED = {
    "train.learning_rate=1e-12": "next to nothing will move",
    "train.epochs=5000": "passes over the forget set",
    "train.retain_weight=0": "scored and not trained on",
    "train.retain_weight=1e6": "nothing is forgotten",
    "train.weight_decay=5": "shrink more than they learn",
    "train.max_grad_norm=1e-9": "scaled down to next to nothing",
    "train.warmup_ratio=0.99": "rises through nearly all of training",
    "adapter.alpha=1e6": "more than 100 times the rank",
    "adapter.dropout=0.99": "adapters see next to nothing",
    "data.max_length=9999": "the model reads 128 tokens",
}
FINE = (
    "train.learning_rate=0.05",
    "train.learning_rate=0.5 train.optim=sgd",
    "train.stop_at=0.9",
    "train.retain=none train.retain_weight=0",
    "train.retain=kl train.retain_weight=5",
    "adapter.rank=32 adapter.kind=lora",
    "train.weight_decay=0.1",
    "data.max_length=64",
    "train.warmup_ratio=0.1",
)


@pytest.fixture
def asked(tmp_path, tiny_folder):
    """What `check` says of settings: errors and notes, apart."""
    for role in ("forget", "retain"):
        row = {"question": f"Where was {role}?", "answer": f"In {role}."}
        (tmp_path / f"{role}.jsonl").write_text(json.dumps(row) + "\n")
    flags = {role: str(tmp_path / f"{role}.jsonl") for role in ("forget", "retain")}
    flags |= {"model": str(tiny_folder), "out": str(tmp_path / "out")}

    def told(sets, **changed):
        given = {k: v for k, v in {**flags, **changed}.items() if v}
        try:
            return [], list(check(load(flags=given, sets=sets.split())).notes)
        except UserError as error:
            kinds = ("request", "note")
            return tuple([p for p in error.problems if p.kind == kind] for kind in kinds)

    return told


@pytest.mark.parametrize("sets", WRONG)
def test_what_no_run_can_use_is_refused(sets, asked):
    wrong, _ = asked(sets)
    assert [p.where for p in wrong] == [max(sets.split(), key=_told).partition("=")[0]]
    assert WRONG[sets] in str(wrong[0])


def _told(setting):
    """Of several settings the one that is at fault."""
    order = ("adapter.kind", "train.retain=", "train.learning_rate=1e-3", "train.optim")
    return not setting.startswith(order)


@pytest.mark.parametrize("sets", NOTED)
def test_what_is_odd_is_noted(sets, asked):
    wrong, notes = asked(sets)
    assert wrong == []
    said = [p.what for p in notes if p.where == sets.partition("=")[0]]
    # Of settings of adapters also that all weights are trained, so that none is used.
    assert len(said) == 1 + sets.startswith("adapter.")
    assert sum(NOTED[sets] in what for what in said) == 1


@pytest.mark.parametrize("sets", FINE)
def test_what_is_usual_is_not_spoken_of(sets, asked):
    wrong, notes = asked(sets)
    assert wrong == []
    assert not [p for p in notes if p.where.startswith(("train", "adapter", "data.max"))]


@pytest.mark.parametrize(
    "setting", ["train.retain=kl", "train.retain_weight=2", "train.retain=nll"]
)
def test_a_retain_term_without_retain_data_is_refused(setting, asked):
    wrong, _ = asked(setting, retain=None)
    (problem,) = wrong
    assert problem.where == setting.partition("=")[0]
    assert "there is no retain data" in problem.what
    assert "give --retain" in problem.hint
    assert asked("train.retain=none", retain=None)[0] == []
    assert asked("train.epochs=1", retain=None)[0] == []


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("train.stop_at=hold", "Input should be 'holdout' or a valid number. Did you mean"),
        ("train.stop_at=7", "less than or equal to 1"),
        ("train.stop_at=[1]", "a valid number"),
        ("adapter.targets=all", "'all-linear' or a valid list"),
        ("adapter.targets=[q_proj,3]", "a valid string"),
        ("train.epochs=0", "greater than 0"),
        ("train.learning_rate=-1", "greater than 0"),
        ("train.retain=klx", 'Did you mean "kl"?'),
    ],
)
def test_a_wrong_value_is_one_error(setting, said, asked):
    """A value may be of several kinds, and was told to be wrong for each of them."""
    (problem,), _ = asked(setting)
    assert said in problem.hint
    assert "literal" not in str(problem)
    assert "constrained" not in str(problem)


def test_several_wrong_values_are_each_told(asked):
    wrong, _ = asked("train.stop_at=hold train.epochs=0 adapter.targets=5")
    assert len(wrong) == 3
