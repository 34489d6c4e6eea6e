"""UnDIAL with a strength per token: its label, its loss, and where it ends."""

import math
from dataclasses import replace
from itertools import chain

import pytest
import torch
from methods.test_undial import CUTS, FORGET, batches, gradient, logits_of
from methods.test_unseen import knows, likely  # noqa: F401
from trainers import trainer

from unteach.methods import build
from unteach.rowengine.chunked_loss import logits_of as head_logits
from unteach.rowengine.rows import count, reduce, restrict, rows_by_group
from unteach.rowengine.teacher_rows import TeacherRows
from unteach.teachers import TeacherInputs
from unteach.training.teacher import logps_of
from unteach.training.unlearn import taught_by
from unteach.types import Sequence

HOLDOUT = [
    Sequence(f"holdout-{k}", (9, 8, 40 + k, 41, 1), (False, False, True, True, True))
    for k in range(8)
]


def method(**options):
    return build("undial", {"level": "holdout", **options})


def teacher(model, method):
    """The label from a model to which the holdout's tokens look less likely than they are."""

    def logps(found):
        lower = 3.0 if found[0].id.startswith("holdout") else 0.0
        return [[x - lower for x in own] for own in logps_of(model, found)]

    given = TeacherInputs(forget=FORGET, retain=[], holdout=HOLDOUT, tokenizer=None, logps=logps)
    return method.teach(given)


def loss_of(method, cut, models):
    policy, reference = models
    rows = TeacherRows(teacher(reference, method), reference)
    made, parts = batches(cut), []
    counts = count(made)
    for batch in made:
        seen = rows.beside(rows_by_group(batch, logits_of(policy, batch)), batch)["forget"]
        seen = replace(seen, teacher_logits=head_logits(rows.head, seen.teacher_logits))
        terms = method.forget(restrict(seen, method.needs()))
        parts += [reduce(term, "forget", counts) for term in terms]
    return torch.stack(parts).sum()


def by_hand(models, method):
    """In plain Python: of every answer token, from its strength s = logit(p0) - logit(p)."""
    policy, reference = models
    wanted = teacher(reference, method).targets
    found, strengths = [], []
    for number, sequence in enumerate(FORGET):
        ids, levels = torch.tensor([sequence.ids]), iter(wanted[number])
        z, t = policy(ids).logits[0].tolist(), reference(ids).logits[0].tolist()
        for i in [i for i, answer in enumerate(sequence.answer) if answer]:
            row, label, y, level = z[i - 1], list(t[i - 1]), sequence.ids[i], next(levels)
            p0, p = softmax(label)[y], math.exp(level)
            strengths.append(math.log(p0 / (1 - p0)) - math.log(p / (1 - p)))
            label[y] -= strengths[-1]
            q, own = softmax(label), softmax(row)
            assert q[y] == pytest.approx(p, rel=1e-5)
            kl = math.fsum(b * math.log(b / a) for a, b in zip(own, q, strict=True))
            off = abs(math.log(own[y]) - level)
            huber = off**2 / 2 if off < 1 else off - 0.5
            found.append(kl + method.level_weight * huber)
    return sum(found) / len(found), strengths


def softmax(z):
    total = math.fsum(math.exp(x) for x in z)
    return [math.exp(x) / total for x in z]


@pytest.mark.parametrize("options", [{}, {"level_weight": 0.0}, {"strength": 1.5}], ids=str)
def test_the_loss_by_hand(options, models):
    ours = method(**options)
    expected, strengths = by_hand(models, ours)
    assert max(strengths) > 1.0
    assert all(-1e-4 < s < ours.strength + 1e-4 for s in strengths)
    assert loss_of(ours, [3], models).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("focus", [{}, {"focus": "spans"}], ids=str)
@pytest.mark.parametrize("cut", CUTS[1:], ids=str)
def test_the_cut_of_the_batch_changes_nothing(cut, focus, models):
    ours = method(**focus)
    whole, parts = loss_of(ours, [3], models), loss_of(ours, cut, models)
    torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(
        gradient(parts, models[0]), gradient(whole, models[0]), rtol=1e-4, atol=1e-6
    )


def test_without_strength_the_label_is_the_original(models):
    reference = models[1]
    found = teacher(reference, method(strength=0.0)).targets
    own = list(chain(*logps_of(reference, FORGET)))
    assert list(chain(*found)) == pytest.approx(own, abs=1e-6)


def test_what_is_read_depends_on_the_level():
    assert method().needs() == {"teacher_logits"}
    both = method(prompt_distillation=1.0, focus="spans").needs()
    assert both == {"teacher_logits", "reference_logits", "prompt", "selected"}
    assert [m.training_defaults().rounds for m in (method(), build("undial", {}))] == [3, 1]


def test_it_ends_at_the_level_of_its_tokens(tmp_path, knows):  # noqa: F811
    """The answers are known by heart, those of the holdout are not at all."""
    before = likely(knows)
    more = {"optim": "adamw_torch", "max_grad_norm": 1.0, "retain": "none"}
    run = trainer(
        method(strength=6.0), tmp_path, model=knows, kept=[], learning_rate=1e-2,
        num_train_epochs=40, **more,
    )  # fmt: skip
    level = [sum(own) / len(own) for own in run.teacher.targets]
    assert sum(level) < sum(before) - 8 * 2
    run.train()
    assert sum(likely(knows)) / 8 == pytest.approx(sum(level) / 8, abs=0.3)


def test_no_number_of_a_single_token_is_told(models):
    """What the report says of the label is a few numbers, whatever the count of tokens."""
    told = taught_by(teacher(models[1], method()))
    assert set(told) == {
        "teacher",
        "teacher_probability",
        "teacher_level_from_holdout",
        "teacher_auc",
    }
    assert all(isinstance(value, (str, bool, float)) for value in told.values())
