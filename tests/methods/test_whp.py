"""The mean over strangers: its equation a second time, and the rows that training sees."""

import math
from dataclasses import replace

import pytest
import torch
from support import sequences, tiny_llama
from teachers.test_sources import FORGET as PEOPLE
from teachers.test_sources import NAMELESS, OTHERS, inputs
from teachers.words import tokenizer

from unteach.head import head_of, states_only
from unteach.methods import build
from unteach.rowengine.batch import Pair, Pairs
from unteach.rowengine.chunked_loss import CutRules, chunked_loss, logits_of
from unteach.rowengine.forward import inputs_of
from unteach.rowengine.reference import Reference
from unteach.rowengine.rows import BatchOutput, count, rows_by_group
from unteach.rowengine.step import MicroBatch, Objective
from unteach.rowengine.teacher_rows import TeacherRows
from unteach.teachers import Teacher, Unavailable
from unteach.teachers.strangers import mean_over_strangers
from unteach.training.teacher_view import views

FORGET = sequences(3, "forget")
PAIRS = [[((7, 9),), ((5, 6), (8, 4)), ()], [((7, 3),), (), ((2, 11),)], [(), ((9, 8),), ()]]


def draws():
    """Three draws, each with other texts and other exchanges; two examples are changed in each."""
    made = []
    for k, pairs in enumerate(PAIRS):
        read = [
            replace(s, ids=tuple(dict(own).get(token, token) for token in s.ids))
            for s, own in zip(FORGET, pairs, strict=True)
        ]
        none = [[-1.0] * sum(s.answer) for s in read]
        made.append(
            Teacher(source=str(k), sequences=read, pairs=pairs, targets=none, set_level=[False] * 3)
        )
    return replace(made[0], others=tuple(made[1:]))


def mean_in_plain_floats(model, number):
    """[[q of each token] of each answer token], written anew."""
    total = None
    for teacher in draws().draws:
        read, asked = teacher.sequences[number], FORGET[number]
        with torch.no_grad():
            logits = model(torch.tensor([read.ids])).logits[0].double().tolist()
        rows = []
        for place in range(1, len(read.ids)):
            if not read.answer[place]:
                continue
            z = logits[place - 1]
            top = max(z)
            p = [math.exp(x - top) for x in z]
            p = [x / sum(p) for x in p]
            for a, b in teacher.pairs[number]:
                if read.ids[place] == asked.ids[place] and asked.ids[place] in (a, b):
                    continue  # a token that stayed is none of the name
                p[a], p[b] = p[b], p[a]
            rows.append(p)
        total = rows if total is None else [
            [x + y for x, y in zip(one, other, strict=True)]
            for one, other in zip(total, rows, strict=True)
        ]  # fmt: skip
    return [[x / len(PAIRS) for x in row] for row in total]


@pytest.fixture
def models():
    return tiny_llama(), tiny_llama(seed=3)


@pytest.mark.parametrize("limit", [1000, 6, 1])
@pytest.mark.parametrize("label", ["mean", "likeliest"])
def test_loss_and_gradient_are_the_equation(models, label, limit):
    original, policy = models
    method = build("whp", {"towards": label})
    batch = Pairs(FORGET).collate([Pair(k, None) for k in range(3)])
    rows = TeacherRows(draws(), original)
    before = Reference(original, method.needs(), frozenset(), Pairs(FORGET))
    objective = Objective(method=method, retain="none", weight=0.0)
    step = MicroBatch(objective, batch, count([batch]), before, rows)
    with states_only(policy) as caught:
        policy(**inputs_of(batch))
    groups = step.groups(BatchOutput(caught[0], None))
    loss = chunked_loss(groups, head_of(policy), None, rows.head, limit=limit, ways=CutRules())
    found = torch.autograd.grad(loss, list(policy.parameters()))

    seen = rows_by_group(batch, policy(**inputs_of(batch)).logits)["forget"]
    logps = seen.require_logits().log_softmax(-1)
    q = torch.tensor([row for k in range(3) for row in mean_in_plain_floats(original, k)]).double()
    if label == "mean":
        expected = (q * (q.log() - logps)).sum(-1).mean()
    else:
        expected = -logps.gather(1, q.argmax(-1, keepdim=True)).mean()
    torch.testing.assert_close(loss.double(), expected, rtol=1e-6, atol=1e-8)
    slopes = torch.autograd.grad(expected, list(policy.parameters()))
    for ours, theirs in zip(found, slopes, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-8)


def test_explain_shows_the_mean(models):
    original, _ = models
    rows = TeacherRows(draws(), original)
    (view,) = views(original, rows, FORGET, [1], few=2)
    q, said = mean_in_plain_floats(original, 1), [
        token for token, own in zip(FORGET[1].ids, FORGET[1].answer, strict=True) if own
    ]  # fmt: skip
    level = sum(math.log(row[token]) for row, token in zip(q, said, strict=True)) / len(said)
    assert view.taught == pytest.approx(math.exp(level), rel=1e-4)
    assert logits_of(None, None) is None


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    return tokenizer(tmp_path_factory.mktemp("tokenizer"))


def test_the_level_is_that_of_the_mean_over_other_people(own):
    given = inputs(own, forget=[*PEOPLE, NAMELESS], holdout=OTHERS)
    levels = iter([-1.0, -3.0])

    def logps(found):
        level = next(levels)
        return [[level] * sum(s.answer) for s in found]

    found = mean_over_strangers(replace(given, logps=logps), 2)
    mean = math.log((math.exp(-1) + math.exp(-3)) / 2)
    assert all(x == pytest.approx(mean) for logp in found.targets for x in logp)
    assert len(found.draws) == 2
    assert found.facts == {"teacher_without_name": 1, "teacher_strangers": 2}
    assert [bool(pairs) for pairs in found.pairs] == [True, True, True, False]
    assert not any(found.set_level)


def test_where_nobody_is_named_the_column_is_named(own):
    with pytest.raises(Unavailable) as told:
        mean_over_strangers(inputs(own, forget=[NAMELESS]), 2)
    assert "`subject` column" in told.value.hint
