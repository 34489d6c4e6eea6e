"""DTO: which tokens become targets (our reading of the paper, arXiv 2510.00125)."""

import math
import re
from itertools import product

import pytest
import torch
from methods.test_unseen import FORGET, knows  # noqa: F401
from support import ANSWER, Copier, sequences, tiny_llama
from trainers import trainer

from unteach.errors import UserError
from unteach.inference import answer_tokens
from unteach.losses import unlikelihood
from unteach.losses.answer_rows import AnswerRows
from unteach.methods import METHODS, build
from unteach.rowengine.batch import Pair, Pairs
from unteach.rowengine.rows import count, reduce, restrict, rows_by_group
from unteach.selectors.delta import split_answer
from unteach.types import Sequence


@pytest.mark.parametrize("suffix", ["held", "target", "ignored"])
def test_targets_are_as_many_as_asked_and_masks_cover_the_answer(suffix):
    for length, ratio, cut in product(range(1, 12), (0.1, 0.3, 1.0), (0.1, 0.5, 1.0)):
        targets_are_as_many_as_asked(length, ratio, cut, suffix)


def targets_are_as_many_as_asked(length, ratio, suffix_ratio, suffix):
    sequence = Sequence("forget-0", tuple(range(length + 3)), (False,) * 3 + (True,) * length)
    method = build("dto", {"ratio": ratio, "suffix_ratio": suffix_ratio, "suffix": suffix})
    (choice,) = method.choose([sequence], Copier(4, 4), 0)
    prefix, rest = split_answer(sequence, suffix_ratio)
    answer = set(range(3, length + 3))
    assert choice.chosen <= answer
    assert not choice.chosen & choice.ignored
    if length == 1:
        assert choice.chosen == answer
        return
    assert set(prefix) | set(rest) == answer
    assert len(rest) == min(math.ceil(suffix_ratio * length), length - 1)
    wanted = max(math.ceil(ratio * len(prefix)), 1)
    assert len(choice.chosen & set(prefix)) == wanted
    assert set(rest) <= {"held": answer - choice.chosen, "target": choice.chosen}.get(
        suffix, choice.ignored
    )


def test_ratio_of_the_whole_answer():
    method = build("dto", {"ratio": 0.5, "ratio_of": "answer", "suffix": "held"})
    (choice,) = method.choose([ANSWER], Copier(4, 14), 0)
    assert len(choice.chosen) == 4


def terms_of(method, policy, reference):
    forget = sequences(4, "forget")
    choices = list(method.choose(forget, Copier(5, 5), 0))
    batch = Pairs(forget, None, choices).collate([Pair(i, None) for i in range(4)])
    inputs = {k: batch[k] for k in ("input_ids", "attention_mask")}
    logits = policy(**inputs).logits
    logits.retain_grad()
    seen = rows_by_group(batch, logits, reference(**inputs).logits)["forget"]
    return batch, logits, method.forget(restrict(seen, method.reads))


def test_holding_costs_nothing_at_the_start():
    model = tiny_llama()
    batch, _, terms = terms_of(build("dto", {}), model, model)
    hold = next(t for t in terms if t.name == "hold")
    assert reduce(hold, "forget", count([batch])).item() == pytest.approx(0, abs=1e-12)


def test_ascent_touches_the_rows_of_targets_only():
    method = build("dto", {"hold": 0.0})
    batch, logits, terms = terms_of(method, tiny_llama(), tiny_llama())
    reduce(terms[0], "forget", count([batch])).backward()
    touched = logits.grad.abs().amax(-1)[:, :-1] > 0
    assert torch.equal(touched, batch["selected"][:, 1:])


def test_no_weight_no_hold_term():
    assert [t.name for t in build("dto", {"hold": 0}).forget(seen_of_nothing())] == ["forget"]


def seen_of_nothing() -> AnswerRows:
    none = torch.zeros(0, dtype=torch.long)
    return AnswerRows(torch.zeros(0, 3), none, none, 0, selected=none.bool())


def softplus(x: float) -> float:
    return math.log1p(math.exp(-abs(x))) + max(x, 0.0)


@pytest.mark.parametrize("margin", [-60.0, -3.0, 0.0, 2.0, 25.0])
def test_unlikelihood_is_minus_log_of_what_is_left(margin):
    x = torch.tensor([margin], dtype=torch.float64, requires_grad=True)
    value = unlikelihood(x)
    assert value.item() == pytest.approx(softplus(margin), rel=1e-12)
    p = 1 / (1 + math.exp(-margin))
    if p < 1 - 1e-9:
        assert value.item() == pytest.approx(-math.log1p(-p), rel=1e-9)
    (slope,) = torch.autograd.grad(value.sum(), x)
    assert slope.item() == pytest.approx(p, rel=1e-9)  # of ascent: 1 - p
    assert value.item() >= 0


def test_the_objectives_by_hand():
    """Rows of two tokens: margins 2, -1, -20; the second and the third are targets."""
    margins = [2.0, -1.0, -20.0]
    logits = torch.tensor([[m, 0.0] for m in margins], dtype=torch.float64)
    chosen = torch.tensor([False, True, True])
    place = torch.zeros(3, dtype=torch.long)
    levels = torch.tensor([-9.0, -1.0, -3.0], dtype=torch.float64)
    given = {"selected": chosen, "teacher_targets": levels}
    seen = AnswerRows(logits, place, place, 1, logits, **given)
    near, far = -softplus(1.0) + 1.0, -softplus(20.0) + 3.0
    cases = (
        ({"objective": "ascent"}, -softplus(1.0), -softplus(20.0)),
        (
            {"objective": "ascent", "ceiling": 12.0},
            -softplus(1.0),
            -12.0,
        ),  # the ceiling holds the last one
        ({"objective": "unlikelihood"}, softplus(-1.0), softplus(-20.0)),
        ({}, *(-softplus(m) / (1 + math.exp(m)) for m in (1.0, 20.0))),
        ({"objective": "level"}, near**2 / 2, -far - 0.5),
    )
    for options, second, third in cases:
        forget, hold = build("dto", options).forget(seen)
        assert forget.values.tolist() == pytest.approx([0.0, second, third], rel=1e-12)
        assert (forget.over, hold.over) == ("selected", "unselected")
        assert hold.values.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"selector": "subjects"}, 'Did you mean "subject"'),
        ({"objective": "descent"}, "one of ascent, unlikelihood"),
        ({"pipeline": 3}, "give a name"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(UserError, match=message):
        build("dto", options)


def test_with_a_holdout_targets_end_at_its_level():
    usual = METHODS.get("dto").defaults_for
    assert usual(retain=True, holdout=True) == {"objective": "level"}
    assert usual(retain=False, holdout=True) == {"objective": "level", "hold": 100.0}
    assert usual(retain=True, holdout=False) == {}
    level, plain = (build("dto", o) for o in ({"objective": "level"}, {}))
    assert level.needs() == {"reference_logits", "selected", "teacher_targets"}
    found, before = level.training_defaults(), plain.training_defaults()
    assert (found.stop_at, found.rounds, found.adam_epsilon) == (None, 3, "auto")
    assert (before.stop_at, before.rounds, before.adam_epsilon) == (0.3, 1, None)
    assert "holdout" in level.title()


def test_targets_end_at_their_level_and_the_rest_stays(tmp_path, knows):  # noqa: F811
    """Targets end at their levels, and the KL holds the other tokens of the same answers."""
    before = [list(a.logps) for a in answer_tokens(knows, FORGET)]
    method = build("dto", {"objective": "level", "hold": 10.0})
    more = {"optim": "adamw_torch", "max_grad_norm": 1.0, "retain": "none"}
    run = trainer(
        method, tmp_path, model=knows, kept=[], learning_rate=1e-2, num_train_epochs=60, **more
    )
    chosen = [choice.chosen for choice in run.pairs.choices]
    for own, old, choice, s in zip(run.teacher.targets, before, chosen, FORGET, strict=True):
        others = [i not in choice for i, answer in enumerate(s.answer) if answer]
        stay, were = ([x for x, o in zip(of, others, strict=True) if o] for of in (own, old))
        assert stay == pytest.approx(were)  # a level that the KL lets be reached
    assert run.level == run.teacher.probability
    run.train()
    after = [list(a.logps) for a in answer_tokens(knows, FORGET)]
    off, moved = [], []
    for k, s in enumerate(FORGET):
        places = [i for i, answer in enumerate(s.answer) if answer]
        for place, wanted, was, now in zip(
            places, run.teacher.targets[k], before[k], after[k], strict=True
        ):
            (off if place in chosen[k] else moved).append(
                abs(now - wanted) if place in chosen[k] else abs(now - was)
            )
    assert sum(off) / len(off) < 0.5
    assert sum(moved) / len(moved) < 0.5


def test_a_changed_dto_is_not_called_our_reading():
    assert build("dto", {"objective": "ascent"}).title() == "DTO (our reading of the paper)"
    assert build("dto", {"ratio": 0.5}).title() == "DTO (our reading, with bounded ascent)"
    changed = build("dto", {"selector": "subject"}).title()
    assert changed == "DTO, changed: wga on targets by subject"


def test_a_selector_has_options_of_its_own():
    method = build("dto", {"selector": "subject", "selector_options": {"swaps": 1}})
    assert method.selector_options == {"swaps": 1}  # type: ignore[attr-defined]
    for options, said in (
        ({"selector_options": {"swap": 1}}, "selector_options.swap: the selector delta has no"),
        ({"selector": "subject", "selector_options": {"swap": 1}}, 'Did you mean "swaps"?'),
        ({"selector_options": 3}, "give a mapping"),
        ({"selector": "subjekt"}, 'Did you mean "subject"?'),
    ):
        with pytest.raises(UserError, match=re.escape(said)):
            build("dto", options)
