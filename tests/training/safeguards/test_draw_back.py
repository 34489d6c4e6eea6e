"""A model that went too far is drawn back to where never-seen answers stand, and no other is."""

import copy
import os
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from overshoot import FORGET, HOLDOUT, RETAIN, auc, moved
from support import Listener, Vocabulary, tiny_llama

from unteach.checks.defaults import resolve
from unteach.checks.training import _stopping_rules
from unteach.inference import answer_tokens
from unteach.methods import build
from unteach.settings.request import load
from unteach.training import unlearn as module
from unteach.training.safeguards.draw_back import PROBE, DrawBack
from unteach.training.training_data import TrainingData


@pytest.fixture(scope="module")
def knowing():
    model = moved(tiny_llama(), 1, 30)
    assert auc(model) > 0.9
    return model


@pytest.fixture(scope="module")
def over(knowing):
    model = moved(copy.deepcopy(knowing), -1, 60)
    assert auc(model) < 0.2
    return model


def too_far(knowing, over):
    """A model that went too far, and what kept its weights before that."""
    model = copy.deepcopy(knowing)
    kept = DrawBack(model)
    model.load_state_dict(over.state_dict())
    return model, kept


def test_it_ends_on_the_line_where_forget_and_holdout_are_alike(knowing, over):
    model, kept = too_far(knowing, over)
    end = kept.now(model)
    drawn = kept.to_never_seen(model, FORGET, HOLDOUT)
    assert drawn.before < 0.2
    assert 0 < drawn.share < 1
    assert drawn.after == pytest.approx(0.5, abs=0.1)
    assert auc(model) == drawn.after
    for (name, now), first in zip(model.named_parameters(), knowing.parameters(), strict=True):
        there = first + drawn.share * (end[name] - first)
        torch.testing.assert_close(now, there, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("tokens", [16, 100_000])
def test_the_cut_into_batches_changes_nothing(knowing, over, tokens):
    model, kept = too_far(knowing, over)
    other, too = too_far(knowing, over)
    drawn = kept.to_never_seen(model, FORGET, HOLDOUT, tokens_per_batch=tokens)
    assert drawn == too.to_never_seen(other, FORGET[::-1], HOLDOUT[::-1])


def test_a_model_that_did_not_go_too_far_stays_bit_for_bit(knowing):
    model = copy.deepcopy(knowing)
    kept = DrawBack(tiny_llama(1))
    drawn = kept.to_never_seen(model, FORGET, HOLDOUT)
    assert (drawn.share, drawn.before) == (1.0, drawn.after)
    for now, then in zip(model.parameters(), knowing.parameters(), strict=True):
        assert now.equal(then)


def test_weights_that_are_not_trained_are_neither_kept_nor_moved(knowing, over):
    model = copy.deepcopy(knowing)
    model.get_input_embeddings().requires_grad_(False)
    kept = DrawBack(model)
    for now, then in zip(model.parameters(), over.parameters(), strict=True):
        now.data.copy_(then if now.requires_grad else now)
    model.requires_grad_(True)  # as RMU leaves it
    assert kept.to_never_seen(model, FORGET, HOLDOUT).share < 1
    assert model.get_input_embeddings().weight.equal(knowing.get_input_embeddings().weight)
    assert "model.embed_tokens.weight" not in kept.now(model)


class OneWeight(torch.nn.Module):
    """A model of one weight, which training moves from 0 to 1."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))


def drawn_by(monkeypatch, forget, holdout):
    """Where a model is drawn to whose answers are as likely as functions of the weight say."""

    def scored(model, sequences, **how):
        likely = [forget(model.weight.item()), *holdout]
        return [SimpleNamespace(logps=(x,)) for x in likely]

    monkeypatch.setattr("unteach.training.safeguards.draw_back.answer_tokens", scored)
    model, others = OneWeight(), [HOLDOUT[0]] * len(holdout)
    kept = DrawBack(model)
    model.weight.data.fill_(1.0)
    drawn = kept.to_never_seen(model, FORGET[:1], others)
    assert model.weight.item() == drawn.share, "the model is where it is said to be"
    return drawn


def test_the_best_share_is_taken_though_a_later_one_was_tried(monkeypatch):
    """Up to a third of the way above 3 of 5 holdout answers, beyond it above none."""
    levels = [-5.0, -4.0, -3.0, -0.5, -0.1]
    drawn = drawn_by(monkeypatch, lambda w: -1.0 if w < 1 / 3 else -99.0, levels)
    assert (drawn.before, drawn.after) == (0.0, 0.6)
    assert 1 / 3 - 1 / 64 < drawn.share < 1 / 3


def test_where_the_auc_leaps_from_one_to_none_it_ends_at_the_leap(monkeypatch):
    """Both sides are as far from one half; the end of training lies furthest beyond."""
    drawn = drawn_by(monkeypatch, lambda w: -1.0 if w < 1 / 3 else -99.0, [-5.0] * 5)
    assert drawn.before == 0.0
    assert drawn.share == pytest.approx(1 / 3, abs=1 / 64)


@pytest.mark.parametrize(("below", "drawn_back"), [(12, False), (11, True)])
def test_what_chance_explains_is_left(below, drawn_back, monkeypatch):
    """An AUC of 12 of 25 is left as it is, and one of 11 of 25 is drawn back."""
    levels = [-5.0] * below + [-0.5] * (25 - below)
    drawn = drawn_by(monkeypatch, lambda w: -2.0 if w > 1 / 3 else -0.1, levels)
    assert drawn.before == below / 25
    assert (drawn.share < 1) == drawn_back


def test_dropout_takes_no_part(knowing, over):
    """A model comes out of training in its training mode."""
    model, kept = too_far(knowing, over)
    with_dropout = torch.nn.Dropout(0.5)
    model.model.norm.register_forward_hook(lambda module, args, output: with_dropout(output))
    model.model.norm.dropout = with_dropout
    drawn = kept.to_never_seen(model.train(), FORGET, HOLDOUT)
    other, too = too_far(knowing, over)
    assert drawn == too.to_never_seen(other, FORGET, HOLDOUT)


def test_of_many_answers_some_are_scored_from_the_first_to_the_last(knowing, over, monkeypatch):
    """Else drawing back would cost nine passes over a large forget set."""
    asked = []

    def counted(model, sequences, **how):
        asked.append([s.id for s in sequences])
        return answer_tokens(model, sequences, **how)

    monkeypatch.setattr("unteach.training.safeguards.draw_back.answer_tokens", counted)
    model, kept = too_far(knowing, over)
    many = [replace(s, id=f"{s.id}-{k}") for k in range(20) for s in FORGET]
    drawn = kept.to_never_seen(model, many, HOLDOUT)
    assert drawn.share < 1
    assert {len(ids) for ids in asked} == {-(-len(many) // 3) + len(HOLDOUT)}
    assert len(asked[0]) <= 2 * PROBE
    assert asked[0][0] == many[0].id
    assert len({ids[0] for ids in asked}) == 1


def request(*sets, **flags):
    given = {"model": "m", "forget": "f", "out": "o", **flags}
    return load(flags=given, sets=["device=cpu", "data.max_length=64", *sets])


@pytest.mark.parametrize(
    ("adapter", "draw_back"),
    [("full", "holdout"), ("lora", "holdout"), ("fila", "holdout"), ("full", "never")],
)
def test_a_run_draws_back_and_tells(adapter, draw_back, knowing):
    kind = "lora" if adapter == "fila" else adapter
    sets = [f"train.draw_back={draw_back}", f"adapter.kind={kind}", "train.epochs=30"]
    sets += ["train.learning_rate=0.02", "train.stop_at=0", "train.lr_scheduler_type=constant"]
    sets += ["adapter.init=fila"] if adapter == "fila" else []
    sets += ["train.retain=none", "adapter.alpha=4", "adapter.rank=2"]
    ears, model = Listener(), copy.deepcopy(knowing).float()
    done = module.unlearn_model(
        model, Vocabulary(), build("ascent", {}),  # type: ignore[arg-type]
        TrainingData(forget=FORGET, retain=RETAIN, holdout=HOLDOUT),
        request(*sets, holdout="h"), ears,
    )  # fmt: skip
    if draw_back == "never":
        assert "drawn_back_to" not in done.facts
        assert auc(done.model) < 0.2
        return
    assert 0 < done.facts["drawn_back_to"] < 1
    assert done.facts["auc_where_training_ended"] < 0.2
    assert done.facts["auc_drawn_back"] == pytest.approx(auc(done.model), abs=0.006)
    assert auc(done.model) == pytest.approx(0.5, abs=0.15)
    (note,) = [note for note in ears.problems if note.where == "train.draw_back"]
    assert f"{done.facts['drawn_back_to']:.0%}" in note.what


CONFIG, TOKENIZER = tiny_llama().config, SimpleNamespace(model_max_length=64)


@pytest.mark.parametrize(
    ("method", "flags", "sets", "expected"),
    [
        ("unilogit", {"holdout": "h"}, (), "holdout"),
        ("unilogit", {}, (), "never"),
        ("unseen", {"holdout": "h"}, (), "holdout"),
        ("unseen", {"retain": "r"}, (), "never"),
        ("npo", {"retain": "r"}, (), "made"),
        ("unseen", {"holdout": "h", "base": "b"}, (), "never"),
        ("unilogit", {"holdout": "h", "base": "b"}, (), "holdout"),
        ("unseen", {"holdout": "h"}, ("train.stop_at=holdout",), "holdout"),
        ("unseen", {"holdout": "h"}, ("train.draw_back=holdout",), "holdout"),
        ("unilogit", {"holdout": "h"}, ("train.draw_back=never",), "never"),
    ],
)
def test_when_it_is_done(method, flags, sets, expected, monkeypatch):
    asked = request(*sets, method=method, **flags)
    found, _ = resolve(asked, build(method, {}), CONFIG, TOKENIZER)
    assert found.train.draw_back == expected
    if not asked.train.draw_back:
        monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
        found, _ = resolve(asked, build(method, {}), CONFIG, TOKENIZER)
        assert found.train.draw_back == "never", "what is in shards is not copied"


def test_what_cannot_be_is_told(monkeypatch):
    (problem,) = _stopping_rules(request("train.draw_back=holdout"))
    assert problem.where == "train.draw_back"
    assert "--holdout" in problem.hint
    assert not _stopping_rules(request("train.draw_back=holdout", holdout="h"))
    monkeypatch.setitem(os.environ, "ACCELERATE_USE_DEEPSPEED", "true")
    (problem,) = _stopping_rules(request("train.draw_back=holdout", holdout="h"))
    assert "DeepSpeed" in problem.what
