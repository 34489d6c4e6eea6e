"""FILA under any loss: what the loss takes for the model before is the model before."""

import math

import pytest
import torch
from support import Listener, Vocabulary, sequences, tiny_llama

from unteach.adapters.lora import lora_layers
from unteach.methods import build
from unteach.rowengine.reference import Reference
from unteach.settings.request import load
from unteach.training import unlearn as module
from unteach.training.training_data import TrainingData

FORGET, RETAIN = sequences(8, "forget"), sequences(8, "retain")
DATA = TrainingData(forget=FORGET, retain=RETAIN)
START = ("adapter.kind=lora", "adapter.init=fila", "adapter.rank=2", "device=cpu")
TRAIN = ("train.epochs=1", "train.learning_rate=1e-9", "train.retain=kl", "train.retain_weight=1")


def unlearn(method, *sets, model=None):
    ears = Listener()
    request = load(
        flags={"model": "m", "forget": "f", "out": "o"},
        sets=[*START, *TRAIN, "data.max_length=64", "train.stop_at=0", *sets],
    )
    model = tiny_llama(dtype=torch.float32) if model is None else model
    tokenizer = Vocabulary()
    method = build(method, {}) if isinstance(method, str) else method
    done = module.unlearn_model(model, tokenizer, method, DATA, request, ears)  # type: ignore[arg-type]
    return done, ears


@pytest.fixture
def taken_wrongly(monkeypatch):
    """As if the adapters off were the model before: W - s B A."""
    init = Reference.__init__

    def wrong(self, policy, *args, **options):
        with policy.disable_adapter():
            init(self, policy, *args, **options)

    monkeypatch.setattr(Reference, "__init__", wrong)


def test_the_kl_to_the_model_before_is_nothing_at_step_0():
    _, ears = unlearn("loku")
    assert ears.terms[0]["retain"] == pytest.approx(0, abs=1e-6)


def test_npo_begins_at_its_value_for_an_unchanged_model():
    """2 / beta x log 2, its log-ratio being 0."""
    _, ears = unlearn("npo")
    assert ears.terms[0]["forget"] == pytest.approx(20 * math.log(2), rel=1e-5)
    assert ears.terms[0]["retain"] == pytest.approx(0, abs=1e-6)


def test_undial_begins_where_it_would_without_adapters():
    _, ears = unlearn("undial")
    done, plain = unlearn("undial", "adapter.kind=full", "adapter.init=default")
    assert ears.terms[0]["forget"] == pytest.approx(plain.terms[0]["forget"], rel=1e-5)
    assert done.facts["reference_bytes"] == kept_rows() * 16 * 4


def kept_rows():
    """Answer tokens whose states a loss with a KL reads; the first token of a text has no row."""
    return sum(sum(s.answer[1:]) for s in FORGET + RETAIN)


@pytest.mark.usefixtures("taken_wrongly")
def test_the_bare_base_as_reference_would_be_seen():
    _, ears = unlearn("npo")
    assert ears.terms[0]["retain"] > 1e-2
    assert ears.terms[0]["forget"] != pytest.approx(20 * math.log(2), rel=1e-3)


@pytest.mark.parametrize("method", ["ascent", "dto", "graddiff", "npo", "undial", "unilogit"])
def test_every_loss_starts_so_and_the_facts_say_how(method):
    done, ears = unlearn(method, "adapter.epsilon=1000")
    assert done.facts["fila_step0_error"] < 1e-4
    assert done.facts["fila_epsilon"] == 1000
    assert done.facts["fila_fisher_bytes"] == 2 * 4 * 2 * (4 * 256 + 3 * 512)
    assert [p.where for p in ears.problems] == ["adapter.epsilon"]
    assert any("MB of squared gradients" in text for text in ears.stages)
    assert len(done.start.factors) == len(lora_layers(done.model))


def test_the_settings_of_the_start_arrive(monkeypatch):
    from unteach import adapters

    seen = {}
    initialise = adapters.initialise_fila

    def spy(*args, **options):
        seen.update(options)
        return initialise(*args, **options)

    monkeypatch.setattr(adapters, "initialise_fila", spy)
    unlearn("loku")
    assert (seen["batch"], seen["max_samples"], seen["device"]) == (1, None, "auto")
    assert seen["epsilon"] == 1e-5
    unlearn("loku", "adapter.fisher=batch_mean", "adapter.fisher_samples=3")
    assert (seen["batch"], seen["max_samples"]) == (2, 3)
    unlearn("loku", "adapter.fisher=batch_mean", "adapter.fisher_batch=4", "adapter.epsilon=1e-9")
    assert (seen["batch"], seen["epsilon"]) == (4, 1e-9)
    unlearn("loku", "adapter.fisher_batch=4", "adapter.fisher_device=cpu")
    assert (seen["batch"], seen["device"]) == (1, "cpu")


def test_without_fila_nothing_is_said_of_it():
    done, ears = unlearn("loku", "adapter.init=default")
    assert done.start is None
    assert not any(name.startswith("fila") for name in done.facts)
    assert not any("FILA" in text for text in ears.stages)


def test_the_bound_of_dual_ascent_is_the_model_befores():
    """The loss starts the same, so the weight moves the same, whatever the adapters start from."""
    pdu = build("pdu", {"tolerance": 0.01})
    _, ears = unlearn(pdu, "train.retain=nll")
    _, plain = unlearn(pdu, "train.retain=nll", "adapter.init=default")
    found = [e["retain_weight"] for e in (ears.terms[0], plain.terms[0])]
    assert found[0] == pytest.approx(found[1], rel=1e-4)
    assert 0 < found[0] != 1
