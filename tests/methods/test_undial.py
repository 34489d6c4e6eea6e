"""UnDIAL and FUnDIAL (arXiv 2402.10052): which rows count, how much, and over what."""

import math

import pytest
import torch

from unteach.errors import UserError
from unteach.losses.answer_rows import Term
from unteach.methods import METHODS, Selection, build
from unteach.rowengine.batch import Pair, Pairs
from unteach.rowengine.rows import count, reduce, restrict, rows_by_group
from unteach.types import Sequence

# "Q ? | Ada lives in Lund <end>": the tokens 2 to 6 are the answer.
SAID = Sequence("forget-0", (9, 8, 20, 21, 22, 23, 1), (False, False, *(True,) * 5))
SHORT = Sequence("forget-1", (9, 8, 30, 1), (False, False, True, True))
SILENT = Sequence("forget-2", (7, 6, 31, 32, 1), (False, False, True, True, True))
FORGET = [SAID, SHORT, SILENT]
CHOICES = [Selection(frozenset({2, 5})), Selection(frozenset({2})), Selection(frozenset())]
CUTS = ([3], [1, 2], [2, 1], [1, 1, 1])
VARIANTS = [
    {"focus": "spans"},
    {"focus": "spans", "normalise": "all"},
    {"focus": "spans", "focus_mode": "soft"},
    {"focus": "spans", "focus_mode": "soft", "normalise": "all"},
    {"focus": "spans", "focus_mode": "soft", "focus_weight": 0.25},
]


def batches(cut, choices=CHOICES):
    data = Pairs(FORGET, None, choices)
    starts = [sum(cut[:k]) for k in range(len(cut))]
    return [
        data.collate([Pair(i, None) for i in range(a, a + n)])
        for a, n in zip(starts, cut, strict=True)
    ]


def logits_of(model, batch):
    return model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits


def loss_of(method, cut, models, choices=CHOICES):
    policy, reference = models
    made = batches(cut, choices)
    counts = count(made)
    parts = []
    for batch in made:
        with torch.no_grad():
            before = logits_of(reference, batch)
        seen = rows_by_group(batch, logits_of(policy, batch), before)["forget"]
        parts += [
            reduce(t, "forget", counts) for t in method.forget(restrict(seen, method.needs()))
        ]
    return torch.stack(parts).sum()


def gradient(loss, model):
    found = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    return torch.cat([g.flatten() for g in found if g is not None])


def cross_entropies(models, strength):
    """In plain Python: of every answer token, by sequence and position."""
    policy, reference = models
    found = {}
    for number, sequence in enumerate(FORGET):
        ids = torch.tensor([sequence.ids])
        z, t = policy(ids).logits[0].tolist(), reference(ids).logits[0].tolist()
        for i, is_answer in enumerate(sequence.answer):
            if is_answer:
                row, target = z[i - 1], list(t[i - 1])  # token i is predicted by row i - 1
                target[sequence.ids[i]] -= strength
                top, peak = max(target), max(row)
                q = [math.exp(x - top) for x in target]
                total = sum(q)
                norm = peak + math.log(sum(math.exp(x - peak) for x in row))
                found[number, i] = -sum(w / total * (x - norm) for w, x in zip(q, row, strict=True))
    return found


@pytest.mark.parametrize("options", [{}, *VARIANTS], ids=str)
def test_the_loss_by_hand(options, models):
    """10 answer tokens, 3 of them chosen."""
    method = build("undial", options)
    values = cross_entropies(models, method.strength)
    chosen = {(k, i) for k, choice in enumerate(CHOICES) for i in choice.chosen}
    assert (len(values), len(chosen)) == (10, 3)
    high, low = {"hard": (1.0, 0.0), "soft": (method.focus_weight, 1.0)}[method.focus_mode]
    if not options:
        high, low = 1.0, 1.0
    weights = {place: high if place in chosen else low for place in values}
    total = 10 if method.normalise == "all" else sum(weights.values())
    by_hand = sum(weights[place] * value for place, value in values.items()) / total
    assert loss_of(method, [3], models).item() == pytest.approx(by_hand, rel=1e-9)


@pytest.mark.parametrize("options", VARIANTS, ids=str)
@pytest.mark.parametrize("cut", CUTS[1:], ids=str)
def test_the_cut_of_the_batch_changes_nothing(options, cut, models):
    """Though an answer without chosen tokens may be a batch of its own."""
    method = build("undial", options)
    whole, parts = loss_of(method, [3], models), loss_of(method, cut, models)
    torch.testing.assert_close(parts, whole, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        gradient(parts, models[0]), gradient(whole, models[0]), rtol=1e-9, atol=1e-12
    )


def test_hard_focus_moves_the_rows_before_the_chosen_tokens_alone(models):
    (batch,) = batches([3])
    logits = logits_of(models[0], batch)
    logits.retain_grad()
    seen = rows_by_group(batch, logits, logits_of(models[1], batch).detach())["forget"]
    method = build("undial", {"focus": "spans"})
    (term,) = method.forget(restrict(seen, method.needs()))
    reduce(term, "forget", count([batch])).backward()
    moved = (logits.grad.abs().amax(-1) > 0).nonzero().tolist()
    assert moved == [[0, 1], [0, 4], [1, 1]]


def test_an_answer_with_nothing_chosen_adds_zero(models):
    method = build("undial", {"focus": "spans"})
    (batch,) = batches([3], [Selection(frozenset())] * 3)
    seen = rows_by_group(batch, logits_of(models[0], batch), logits_of(models[1], batch))["forget"]
    (term,) = method.forget(restrict(seen, method.needs()))
    assert reduce(term, "forget", count([batch])).item() == 0


def test_counts_may_be_a_weighted_sum():
    values = torch.tensor([1.0, 2.0], dtype=torch.float64)
    (batch,) = batches([3])
    counts = count([batch])
    term = Term("forget", values, {"tokens": 1.0, "selected": 9.0}, weight=2.0)
    assert reduce(term, "forget", counts).item() == pytest.approx(2 * 3 / (10 + 9 * 3))
    for over, size in (("tokens", 10), ("selected", 3), ("unselected", 7), ("answers", 3)):
        assert reduce(Term("forget", values, over), "forget", counts).item() == 3 / size


def test_soft_focus_of_weight_one_is_no_focus(models):
    plain = loss_of(build("undial", {}), [3], models)
    soft = build("undial", {"focus": "spans", "focus_mode": "soft", "focus_weight": 1.0})
    torch.testing.assert_close(loss_of(soft, [3], models), plain, rtol=1e-12, atol=0)


def test_what_is_read_depends_on_the_focus():
    assert METHODS.get("undial").reads == {"reference_logits"}
    assert build("undial", {}).needs() == {"reference_logits"}
    focused = build("undial", {"focus": "informative"})
    assert focused.needs() == {"reference_logits", "selected"}
    assert focused.title() == "FUnDIAL (undial, hard focus on informative)"
    assert build("undial", {}).title() == "undial"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"focus": "spam"}, "one of none, delta, entities"),
        ({"focus_mode": "sof"}, 'Did you mean "soft"'),
        ({"focus_weight": 0}, "more than 0"),
        ({"normalise": "none"}, "one of chosen, all"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(UserError, match=message):
        build("undial", options)
