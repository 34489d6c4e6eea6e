"""Values that cannot be, and what is no method, are refused before they are trained with."""

import pytest

from unteach.errors import UserError
from unteach.methods import NPO, build
from unteach.training.config import EVALUATED, SCHEDULES, UnlearningConfig, why_no_schedule
from unteach.training.config_values import require_trainable

WRONG = {
    "retain": ("nil", "retain is 'nil'; it is one of nll, kl, jsd, hidden, none"),
    "retain_weight": (-1, "retain_weight is -1; it is a number of 0 or more"),
    "stop_at": ("hold", "stop_at is .*; it is a number from 0 to 1, a probability"),
    "sam": (-1, "sam is -1; it is a number from 0 to 1"),
    "learning_rate": (5, "learning_rate is 5; it is a number from 0 to 1"),
    "template": ("chatt", "template is 'chatt'; it is one of auto, chat, plain, none"),
    "max_length": (0, "max_length is 0; it is a whole number, 2 or more"),
    "rounds": (1.5, "rounds is 1.5; it is a whole number, 1 or more"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_value_that_cannot_be(name, tmp_path):
    value, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        UnlearningConfig(output_dir=str(tmp_path), use_cpu=True, **{name: value})


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    with pytest.raises(ValueError, match=r"stop_at is 2.0.*; sam is nan"):
        UnlearningConfig(output_dir=str(tmp_path), use_cpu=True, stop_at=2.0, sam=float("nan"))


def test_values_at_their_bounds(tmp_path):
    UnlearningConfig(output_dir=str(tmp_path), use_cpu=True, stop_at=0, sam=0, retain_weight=0)
    plain = UnlearningConfig(output_dir=str(tmp_path), use_cpu=True, optim="sgd", learning_rate=5)
    assert plain.learning_rate == 5


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("npo", r'got the name "npo" where .*\n +hint: give NPO\(\), of unteach.methods'),
        ("nppo", r'got the name "nppo" where .*\n +hint: Did you mean "npo"\? .* ascent,'),
        (NPO, r"hint: give NPO\(\), of unteach.methods"),
        (None, r"got nothing where a method belongs\n +hint: Give one by .* npo,"),
    ],
)
def test_what_is_no_method(method, message):
    with pytest.raises(UserError, match=message):
        require_trainable(method)


def test_a_method_is_one():
    require_trainable(build("npo", {}))


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_that_are_offered_are_taken(name, tmp_path):
    settings = {"num_decay_steps": 3} if name == "warmup_stable_decay" else None
    settings = {"min_lr": 1e-6} if "min_lr" in name else settings
    assert not why_no_schedule(name, settings)
    UnlearningConfig(output_dir=str(tmp_path), use_cpu=True, lr_scheduler_type=name)


def test_schedules_that_follow_scores_are_not_offered():
    assert not set(SCHEDULES) & set(EVALUATED)
