"""Packed texts give what padded ones give, or the model is known not to pack."""

from itertools import pairwise

import pytest
import torch
from families import FAMILIES, tiny
from support import VOCABULARY, sequences
from trainers import RETAIN, lora, trainer, weights
from transformers import AutoConfig, AutoModelForCausalLM
from transformers import modeling_flash_attention_utils as flash

from unteach.rowengine.batch import FORGET, Pairs
from unteach.rowengine.packing import keeps_apart, pack, packs, unpack
from unteach.training.order import PairOrder

LENGTHS = 12, 1, 7, 9, 2
# Its masks are made without the positions, so packed texts see each other.
JOINED = {"opt"}


def texts(*, left: bool = False):
    """[B, T] ids and mask of texts of unequal lengths; padding is made of tokens."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(VOCABULARY, (len(LENGTHS), max(LENGTHS)), generator=generator)
    mask = torch.tensor([[k < n for k in range(max(LENGTHS))] for n in LENGTHS]).long()
    return ids, mask.flip(1) if left else mask


def two_ways(model):
    """Logits at the texts' tokens, [L, V], and the gradients of a sum of them: padded, packed."""
    ids, mask = texts()
    here = mask.bool()
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn((*ids.shape, VOCABULARY), generator=generator).to(model.dtype)
    found = []
    for packed in (False, True):
        model.zero_grad()
        if packed:
            logits = unpack(model(**pack(ids, mask), use_cache=False).logits, mask)
        else:
            logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
        logits[here].mul(weights[here]).sum().backward()
        found.append((logits[here].detach(), [p.grad.clone() for p in model.parameters()]))
    return found


def same(model, **near):
    (padded, padded_gradients), (packed, packed_gradients) = two_ways(model)
    torch.testing.assert_close(packed, padded, **near)
    for one, two in zip(packed_gradients, padded_gradients, strict=True):
        torch.testing.assert_close(one, two, **near)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("family", FAMILIES)
def test_packed_is_padded_to_rounding_or_the_model_is_known_not_to_pack(family, attention):
    model = FAMILIES[family](dtype=torch.float32)
    if family != "gemma2":  # which has eager attention alone
        model.set_attn_implementation(attention)
    assert keeps_apart(model) == (family not in JOINED)
    if family in JOINED:
        (padded, _), (packed, _) = two_ways(model)
        assert (packed - padded).abs().max() > 0.1
    else:
        same(model, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_answer_does_not_hang_on_the_precision(family, dtype):
    assert keeps_apart(FAMILIES[family](dtype=dtype)) == (family not in JOINED)


@pytest.mark.parametrize("adapters", [False, True])
def test_asked_as_it_is_trained(adapters):
    """Under autocast, and with adapters around it; nothing of the asking stays."""
    model = lora(torch.float32) if adapters else tiny("qwen3", torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        assert keeps_apart(model.train())
    assert model.training
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("kind", ["mamba", "bloom", "rwkv"])
def test_states_carried_over_and_positions_counted_on_are_found(kind):
    """Recurrent states, biases by distance: none of them looks at the positions it is given."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        kind, vocab_size=VOCABULARY, hidden_size=16, num_hidden_layers=2, state_size=4,
        attention_hidden_size=16, n_head=2, initializer_range=0.2, pad_token_id=1,
        bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    assert not keeps_apart(AutoModelForCausalLM.from_config(config))


def test_positions_that_are_counted_on_are_found():
    """Only those: the texts do not see each other."""
    model = FAMILIES["gpt2"]()
    table = model.transformer.wpe

    def counted_on(module, args, output):
        return table.weight[: output.shape[1]].expand_as(output)

    assert keeps_apart(model)
    table.register_forward_hook(counted_on)
    assert not keeps_apart(model)


def test_a_model_that_takes_no_positions_does_not_pack():
    class Old(torch.nn.Module):
        device = torch.device("cpu")

        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(VOCABULARY, 4)

        def get_input_embeddings(self):
            return self.table

        def forward(self, input_ids, attention_mask, use_cache):
            raise AssertionError("asked before")

    assert not keeps_apart(Old())


@pytest.mark.parametrize("left", [False, True])
def test_unpacking_undoes_packing(left):
    ids, mask = texts(left=left)
    packed = pack(ids, mask)
    assert packed["position_ids"][0].tolist() == [k for n in LENGTHS for k in range(n)]
    back = unpack(packed["input_ids"][..., None], mask)[..., 0]
    assert torch.equal(back, ids * mask)
    hidden = torch.randn(1, sum(LENGTHS), 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda h: unpack(h, mask), hidden)


def test_one_text_is_a_row_of_its_own():
    packed = pack(torch.tensor([[4, 5, 6]]), torch.ones(1, 3))
    assert packed["input_ids"].tolist() == [[4, 5, 6]]
    assert packed["cu_seq_lens_k"].tolist() == [0, 3]


def attend(q, k, v, cu_seqlens_q, *, softmax_scale=None, window_size=(-1, -1), softcap=0.0):
    """Causal attention of unequal texts in a row, [L, heads, D], as flash attention has it."""
    found = []
    for start, end in pairwise(cu_seqlens_q.tolist()):
        at = torch.arange(end - start)
        ago = at[:, None] - at
        seen = (ago >= 0) & ((window_size[0] < 0) | (ago <= window_size[0]))
        one = [x[start:end].transpose(0, 1) for x in (q, k, v)]
        one = [x.repeat_interleave(q.shape[1] // x.shape[0], 0) for x in one]
        score = one[0] @ one[1].mT * (softmax_scale or q.shape[-1] ** -0.5)
        score = softcap * torch.tanh(score / softcap) if softcap else score
        found.append(score.masked_fill(~seen, -torch.inf).softmax(-1) @ one[2])
    return torch.cat(found, 1).transpose(0, 1)


@pytest.fixture
def on_flash(monkeypatch):
    """Puts a model on flash attention, of which only the kernel is ours; counts its calls."""
    calls = []

    def unequal(q, k, v, cu_seqlens_q=None, cu_seqlens_k=None, max_seqlen_q=None,
                max_seqlen_k=None, dropout_p=0.0, softmax_scale=None, causal=False,
                window_size=(-1, -1), softcap=0.0, deterministic=False):  # fmt: skip
        calls.append((cu_seqlens_q.tolist(), max_seqlen_q))
        return attend(q, k, v, cu_seqlens_q, softmax_scale=softmax_scale,
                      window_size=window_size, softcap=softcap)  # fmt: skip

    def equal(q, k, v, **settings):
        raise AssertionError("the texts are of unequal lengths")

    kernels = equal, unequal, None, flash._pad_input, flash._unpad_input
    monkeypatch.setattr(flash, "_loaded_implementation", None)  # so it imports, now and after us
    monkeypatch.setattr(flash, "_lazy_imports", lambda *args, **options: kernels)

    def put(model):
        model.config._attn_implementation = "flash_attention_2"
        return model, calls

    return put


@pytest.mark.parametrize("family", FAMILIES)
def test_flash_attention_takes_packed_texts(family, on_flash):
    """Even OPT: there the texts' beginnings are given, and no mask is made."""
    model, calls = on_flash(FAMILIES[family]())
    assert packs(model)
    calls.clear()
    same(model, rtol=1e-4, atol=1e-4)
    layers = model.config.num_hidden_layers
    assert len(calls) == 2 * layers
    assert all(call == ([0, 12, 13, 20, 29, 31], 12) for call in calls)


def test_other_attention_is_padded_though_it_could_pack():
    """A mask of [L, L] costs more than padding, once texts of like length share a batch."""
    model = tiny("qwen2")
    assert keeps_apart(model)
    assert not packs(model)
    model.set_attn_implementation("eager")
    assert not packs(model)


SHORT, LONG = sequences(24, "forget"), sequences(31, "retain")


def padding_of(run) -> int:
    return sum(int((b["attention_mask"] == 0).sum()) for b in run.get_train_dataloader())


def test_training_groups_lengths_where_the_model_does_not_pack(tmp_path):
    plain, grouped = (
        trainer("npo", tmp_path, forget=SHORT, kept=LONG, packing=packing, num_train_epochs=2,
                per_device_train_batch_size=4)
        for packing in (False, True)
    )  # fmt: skip
    assert padding_of(grouped) < 0.7 * padding_of(plain)
    seen = torch.cat([b["index"][b["group"] == FORGET] for b in grouped.get_train_dataloader()])
    assert sorted(seen.tolist()) == list(range(len(SHORT)))
    grouped.train()
    assert grouped.state.global_step == 12


def test_training_leaves_the_order_alone_where_the_model_packs(tmp_path, monkeypatch):
    monkeypatch.setattr("unteach.training.trainer.packs", lambda model: True)
    run = trainer("npo", tmp_path, forget=SHORT, packing=True)
    run.train()
    assert list(run._get_train_sampler()) == list(PairOrder(len(SHORT), 5, seed=42))


def test_grouping_changes_no_step_of_the_whole_set(tmp_path):
    """One step over all examples is the same, however they are paired."""
    found = []
    for packing in (False, True):
        run = trainer("npo", tmp_path, kept=RETAIN, packing=packing, per_device_train_batch_size=4,
                      gradient_accumulation_steps=2)  # fmt: skip
        run.train()
        found.append(weights(run.model))
    torch.testing.assert_close(found[1], found[0], rtol=1e-8, atol=1e-10)


def test_the_longer_of_two_answers_counts():
    forget, alternates = sequences(6, "forget"), sequences(6, "alternate", seed=9)
    found, none = Pairs(forget, alternates=alternates).lengths()
    assert found == [max(len(a.ids), len(b.ids)) for a, b in zip(forget, alternates, strict=True)]
    assert none == []


@pytest.mark.parametrize("method", ["undial", "npo", "rmu"])
def test_training_on_packed_texts_ends_where_padded_ones_do(method, tmp_path, monkeypatch):
    """As if attention took unequal texts: SDPA does, at a price."""
    found = []
    for packed in (False, True):
        monkeypatch.setattr("unteach.training.trainer.packs", lambda model, packed=packed: packed)
        run = trainer(method, tmp_path, packing=packed, retain="kl", num_train_epochs=2)
        run.train()
        assert run._packs == packed
        found.append(weights(run.model))
    torch.testing.assert_close(found[1], found[0], rtol=1e-6, atol=1e-9)
