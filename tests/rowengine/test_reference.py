"""What is kept of the model before: the right rows, for the right examples, and no second model."""

import gc

import pytest
import torch
from support import sequences, tiny_llama
from trainers import FORGET, INSTEAD, RETAIN, lora, trainer
from transformers import PreTrainedModel

from unteach.adapters import LoraSettings, add_lora, initialise_fila
from unteach.inference import answer_tokens
from unteach.methods import Selection
from unteach.rowengine import reference as module
from unteach.rowengine.batch import Pair, Pairs
from unteach.rowengine.reference import Reference
from unteach.rowengine.rows import BatchOutput, rows_by_group

READS = frozenset({"reference_logits", "reference_logps", "prompt", "reference_hidden"})
MANY = sequences(80, "retain")
BATCHES = [[Pair(2, 1), Pair(0, 4)], [Pair(5, 0)], [Pair(k, k % 5) for k in range(8)]]


def pairs(alternates=INSTEAD):
    return Pairs(FORGET, RETAIN, [Selection(frozenset()) for _ in FORGET], alternates)


def shown(model, batch, layer=0):
    """From a forward over the very batch, its logits whole."""
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        out = model(**inputs, output_hidden_states=True)
    return rows_by_group(batch, BatchOutput(out.logits, out.hidden_states[layer + 1]), prompts=True)


def rows(batch, **options):
    """Of a batch, with nothing where final states are to be."""
    return rows_by_group(batch, torch.zeros(*batch["input_ids"].shape, 16), **options)


@pytest.mark.parametrize("numbers", BATCHES)
@pytest.mark.parametrize("make", [tiny_llama, lora], ids=["full", "lora"])
@pytest.mark.parametrize("tokens", [4096, 30])
def test_the_rows_are_those_of_a_forward_over_the_batch(make, numbers, tokens, monkeypatch):
    monkeypatch.setattr(module, "TOKENS", tokens)
    model = make()
    kept = Reference(model, READS, READS, pairs(), layer=0)
    batch = pairs().collate(numbers)
    plain = shown(model, batch)
    with torch.no_grad():  # what comes after changes nothing
        for p in model.parameters():
            if p.requires_grad:
                p += 0.1
    seen = kept.beside(rows(batch, prompts=True), batch)
    own, other = seen["forget"], plain["forget"]
    pairings = (own, other), (own.prompt, other.prompt), (own.alternate, other.alternate)
    for mine, theirs in (*pairings, (seen["retain"], plain["retain"])):
        found = kept.head.logits(mine.reference_logits)
        torch.testing.assert_close(found, theirs.logits)
    for name in ("forget", "retain"):
        torch.testing.assert_close(seen[name].reference_hidden, plain[name].hidden)
    assert not own.reference_logits.requires_grad
    torch.testing.assert_close(kept.logps(batch), other.logps.float())
    torch.testing.assert_close(kept.alternate_logps(batch), other.alternate.logps.float())


def test_a_model_in_training_is_asked_without_dropout_and_left_in_training():
    model = add_lora(tiny_llama(), LoraSettings(rank=2, dropout=0.5)).double()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lora_B" in name:
                p.fill_(0.1)
    batch = pairs().collate([Pair(2, 1)])
    plain = shown(model.eval(), batch)["forget"].logits
    kept = Reference(model.train(), READS, READS, pairs(), layer=0)
    assert model.training
    seen = kept.beside(rows(batch, prompts=True), batch)["forget"]
    torch.testing.assert_close(kept.head.logits(seen.reference_logits), plain)


def test_log_probabilities_are_those_of_the_probes():
    kept = Reference(tiny_llama(), frozenset({"reference_logps"}), frozenset(), pairs([]))
    batch = pairs([]).collate([Pair(2, None), Pair(0, None)])
    expected = [sum(a.logps) for a in answer_tokens(tiny_llama(), [FORGET[2], FORGET[0]])]
    assert kept.logps(batch).tolist() == pytest.approx(expected, abs=1e-4)
    assert kept.alternate_logps(batch) is None


def test_nothing_is_kept_when_nothing_is_read():
    kept = Reference(tiny_llama(), frozenset(), frozenset(), pairs())
    assert kept.bytes == 0
    assert kept.head is None
    assert kept.logps(pairs().collate([Pair(0, None)])) is None


def test_only_what_training_comes_to_is_kept():
    """16 columns of 8 bytes for each answer row of these two texts."""
    kept = Reference(
        tiny_llama(), frozenset(), frozenset({"reference_logits"}), pairs(), drawn={1, 3}
    )
    assert kept.bytes == 16 * 8 * sum(sum(RETAIN[k].answer) for k in (1, 3))
    batch, other = (pairs().collate([Pair(0, k)]) for k in (3, 2))
    assert kept.beside(rows(batch), batch)
    with pytest.raises(KeyError):
        kept.beside(rows(other), other)


def test_the_head_is_copied_only_where_it_is_trained():
    model = tiny_llama()
    assert Reference(model, READS, READS, pairs(), layer=0).head.weight is not model.lm_head.weight
    model = add_lora(model, LoraSettings(rank=2))
    kept = Reference(model, READS, READS, pairs(), layer=0)
    assert kept.head.weight is model.get_output_embeddings().weight


@pytest.mark.parametrize("method", ["undial", "npo", "dto", "kl-min", "unilogit"])
@pytest.mark.parametrize("make", [tiny_llama, lora], ids=["full", "lora"])
def test_no_second_model_is_made(method, make, tmp_path):
    gc.collect()
    before = sum(issubclass(type(o), PreTrainedModel) for o in gc.get_objects())
    run = trainer(method, tmp_path, model=make(), retain="kl", num_train_epochs=2)
    run.train()
    gc.collect()
    now = sum(issubclass(type(o), PreTrainedModel) for o in gc.get_objects())
    assert now <= before + 2  # the model, and its backbone


def test_after_fila_the_reference_is_the_original_not_the_bare_base(tmp_path):
    policy = add_lora(tiny_llama(), LoraSettings(rank=2))
    initialise_fila(policy, FORGET, RETAIN)
    run = trainer("undial", tmp_path, model=policy, num_train_epochs=1)
    run.train()
    batch = run.pairs.collate([Pair(0, None)])
    seen = run._reference.beside(rows(batch), batch)["forget"]
    found = run._reference.head.logits(seen.reference_logits)
    torch.testing.assert_close(found, shown(tiny_llama(), batch)["forget"].logits)


@pytest.mark.parametrize(
    "options",
    [
        {"num_train_epochs": 1},
        {"num_train_epochs": 3},
        {"num_train_epochs": 1.5},
        {"max_steps": 5, "per_device_train_batch_size": 3},
        {"max_steps": 3, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 3},
        {"num_train_epochs": 2, "packing": True, "per_device_train_batch_size": 4},
    ],
)
def test_what_is_drawn_is_what_training_comes_to(options, tmp_path):
    """All of that, and little more."""
    run = trainer("ascent", tmp_path, kept=MANY, retain="kl", **{"stop_at": 0} | options)
    drawn, seen, collate = run._drawn(), set(), run.data_collator

    def watched(pairs):
        seen.update(pair.retain for pair in pairs)
        return collate(pairs)

    run.data_collator = watched
    run.train()
    kept = run._reference._stores[module.RETAIN, "answers"]._places.keys()
    assert seen <= drawn == kept
    assert len(drawn) < len(MANY)
    if "max_steps" not in options and options["num_train_epochs"] != 1.5:
        assert seen == drawn
