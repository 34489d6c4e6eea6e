"""Unilogit with a level per token: its label, its loss, and where it ends."""

import math

import pytest
import torch
from methods.test_undial import CUTS, FORGET, batches, gradient, logits_of
from methods.test_undial_level import softmax, teacher
from methods.test_unseen import knows, likely  # noqa: F401
from trainers import trainer

from unteach.methods import build
from unteach.rowengine.rows import count, reduce, restrict, rows_by_group
from unteach.rowengine.teacher_rows import TeacherRows

VARIANTS = [
    {},
    {"level_weight": 0.0},
    {"reduction": "mean"},
    {"direction": "forward"},
    {"target": "original"},
    {"target": "original", "direction": "forward"},
]


def method(**options):
    return build("unilogit", {"level": "holdout", **options})


def loss_of(method, cut, models):
    policy, reference = models
    rows = TeacherRows(teacher(reference, method), None)
    made, parts = batches(cut), []
    counts = count(made)
    for batch in made:
        with torch.no_grad():
            before = logits_of(reference, batch)
        seen = rows_by_group(batch, logits_of(policy, batch), before)
        shown = restrict(rows.beside(seen, batch)["forget"], method.needs())
        parts += [reduce(term, "forget", counts) for term in method.forget(shown)]
    return torch.stack(parts).sum()


def by_hand(models, method):
    """In plain Python: h_y becomes log sum exp(h_i, i != y) + logit(level) (1/V: - log(V - 1))."""
    policy, reference = models
    wanted = teacher(reference, method).targets
    found = []
    for number, sequence in enumerate(FORGET):
        ids, levels = torch.tensor([sequence.ids]), iter(wanted[number])
        z, t = policy(ids).logits[0].tolist(), reference(ids).logits[0].tolist()
        for i in [i for i, answer in enumerate(sequence.answer) if answer]:
            y, level, p = sequence.ids[i], next(levels), softmax(z[i - 1])
            label = list(t[i - 1] if method.target == "original" else z[i - 1])
            others = math.fsum(math.exp(h) for v, h in enumerate(label) if v != y)
            label[y] = math.log(others) + level - math.log1p(-math.exp(level))
            q = softmax(label)
            assert q[y] == pytest.approx(math.exp(level), rel=1e-9)
            a, b = (p, q) if method.direction == "reverse" else (q, p)
            kl = math.fsum(x * math.log(x / w) for x, w in zip(a, b, strict=True))
            off = abs(math.log(p[y]) - level)
            huber = off**2 / 2 if off < 1 else off - 0.5
            share = 1 / len(p) if method.reduction == "mean" else 1.0
            found.append(share * kl + method.level_weight * huber)
    return sum(found) / len(found)


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_the_loss_by_hand(options, models):
    ours = method(**options)
    expected = by_hand(models, ours)
    assert loss_of(ours, [3], models).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("cut", CUTS[1:], ids=str)
def test_the_cut_of_the_batch_changes_nothing(cut, models):
    whole, parts = loss_of(method(), [3], models), loss_of(method(), cut, models)
    torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(
        gradient(parts, models[0]), gradient(whole, models[0]), rtol=1e-4, atol=1e-6
    )


def test_no_state_of_the_original_is_kept(models):
    """The label is the current model's own: of the teacher only its answer tokens are read."""
    rows = TeacherRows(teacher(models[1], method()), None)
    assert (rows.bytes, rows.head) == (0, None)
    assert method().needs() == {"teacher_targets"}
    assert method(target="original").needs() == {"teacher_targets", "reference_logits"}
    assert build("unilogit", {}).needs() == frozenset()


def test_rounds_and_the_default_depend_on_the_level():
    assert [m.training_defaults().rounds for m in (method(), build("unilogit", {}))] == [3, 1]
    assert method().training_defaults().adam_epsilon == "auto"
    assert build("unilogit", {}).training_defaults().adam_epsilon is None
    usual = type(method()).defaults_for
    assert usual(retain=True, holdout=True) == {"level": "holdout"}
    assert usual(retain=True, holdout=False) == {}


def test_it_ends_at_the_level_of_its_tokens(tmp_path, knows):  # noqa: F811
    """The answers are known by heart, those of the holdout are not at all."""
    before = likely(knows)
    more = {"optim": "adamw_torch", "max_grad_norm": 1.0, "retain": "none"}
    run = trainer(
        method(), tmp_path, model=knows, kept=[], learning_rate=1e-2, num_train_epochs=40, **more
    )
    level = [sum(own) / len(own) for own in run.teacher.targets]
    assert sum(level) < sum(before) - 8 * 2
    run.train()
    assert run.reference_bytes == 0
    assert sum(likely(knows)) / 8 == pytest.approx(sum(level) / 8, abs=0.3)
