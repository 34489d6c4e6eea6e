"""Short and long sequences forwarded apart give the states and the gradient of one forward."""

import pytest
import torch
from families import FAMILIES
from support import VOCABULARY, sequences, tiny_llama
from trainers import lora, trainer, weights

from unteach.methods import build
from unteach.rowengine import lengths
from unteach.rowengine.forward import ending_in
from unteach.rowengine.lengths import LEAST, TIGHT, length_parts

LENGTHS = 3, 12, 1, 11, 7, 12, 2
NEAR = {"rtol": 1e-4, "atol": 1e-4}
MADE = FAMILIES | {"adapters": lora, "untied": lambda dtype: tiny_llama(dtype=dtype, tied=False)}


def inputs():
    generator = torch.Generator().manual_seed(0)
    shape = len(LENGTHS), max(LENGTHS)
    mask = torch.tensor([[k < n for k in range(max(LENGTHS))] for n in LENGTHS]).long()
    ids = torch.randint(2, VOCABULARY, shape, generator=generator)
    return {"input_ids": ids * mask, "attention_mask": mask, "use_cache": False}


def found(model, *, by_length):
    """States of the real tokens, the gradients of a sum of them, and the shapes of the forwards."""
    given, shapes, kept = inputs(), [], []
    here = given["attention_mask"].bool()

    def after(final, output):
        kept.append(final[here])
        weigh = torch.randn(kept[0].shape, generator=torch.Generator().manual_seed(1))
        return (kept[0] * weigh).sum()

    embedding = model.get_input_embeddings()
    handle = embedding.register_forward_pre_hook(lambda _, args: shapes.append(args[0].shape))
    model.zero_grad()
    with ending_in(model, after, by_length=by_length):
        model(**given).loss.backward()
    handle.remove()
    gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    return kept[0].detach(), gradients, [tuple(shape) for shape in shapes]


@pytest.mark.parametrize("family", MADE)
def test_states_and_gradients_are_those_of_one_forward(family, monkeypatch):
    monkeypatch.setattr(lengths, "LEAST", 4)
    model = MADE[family](dtype=torch.float32)
    states, gradients, shapes = found(model, by_length=True)
    whole, expected, one = found(model, by_length=False)
    assert (shapes, one) == ([(3, 12), (1, 7), (2, 3), (1, 1)], [(7, 12)])
    torch.testing.assert_close(states, whole, **NEAR)
    assert gradients.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(gradients[name].to_dense(), gradient.to_dense(), **NEAR)


def test_a_training_ends_at_the_weights_of_one_forward_a_step(tmp_path, monkeypatch):
    """With a retain term beside it; answers longer than others by far."""
    ends, forwards = [], []
    for least in (1, LEAST):
        monkeypatch.setattr(lengths, "LEAST", least)
        texts = sequences(8, "forget")
        policy = tiny_llama()
        counted = []
        policy.get_input_embeddings().register_forward_pre_hook(lambda *_, c=counted: c.append(1))
        run = trainer(
            build("undial", {}), tmp_path / str(least), model=policy, forget=texts,
            per_device_train_batch_size=4, num_train_epochs=2, stop_at=0,
        )  # fmt: skip
        run.train()
        ends.append(weights(run.model))
        forwards.append(len(counted))
    assert forwards[0] > forwards[1]
    torch.testing.assert_close(*ends, rtol=1e-6, atol=1e-9)


def test_parts_hold_every_sequence_once_and_little_padding(monkeypatch):
    monkeypatch.setattr(lengths, "LEAST", 0)
    drawn = torch.randint(1, 400, (64,), generator=torch.Generator().manual_seed(0)).tolist()
    parts = length_parts(drawn)
    assert sorted(k for part in parts for k in part) == [*range(64)]
    assert all(min(drawn[k] for k in part) >= TIGHT * drawn[part[0]] for part in parts)
    assert [drawn[part[0]] for part in parts] == sorted((drawn[p[0]] for p in parts), reverse=True)


def test_few_tokens_stay_together():
    assert length_parts([LEAST // 4, 1, 2]) == [[0, 2, 1]]
    assert length_parts([LEAST, 1, 2]) == [[0], [2, 1]]
    assert length_parts([]) == [[]]


@pytest.mark.parametrize("kind", ["dynamic", "longrope"])
def test_positions_that_depend_on_the_longest_text_are_not_parted(kind):
    model = tiny_llama(dtype=torch.float32)
    assert lengths.may_part(model)
    model.model.rotary_emb.rope_type = kind
    assert not lengths.may_part(model)
