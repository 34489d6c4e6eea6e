"""Adapters over a 4-bit base: what is frozen, what trains, and what is written (QLoRA)."""

import pytest
import torch
from families import MODELS, linears, logits, train_a_little
from support import sequences, tiny_llama
from transformers import AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

from unteach.adapters import (
    LoraSettings,
    add_lora,
    initialise_fila,
    load_adapter,
    mark_base,
    merge,
    on_plain_base,
    save_adapter,
    save_model,
)
from unteach.adapters.lora import linear_names, lora_layers
from unteach.errors import UserError
from unteach.models.loading import load_model

bitsandbytes = pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
# It warns by itself of what is slower on a CPU.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:bitsandbytes")

WIDER = {
    "llama": {"hidden_size": 64, "intermediate_size": 128, "head_dim": 32},
    "gpt2": {"n_embd": 64},
    "neox": {"hidden_size": 64, "intermediate_size": 128},
}


@pytest.fixture(scope="module", params=MODELS)
def folder(request, tmp_path_factory):
    """A model whose rows are whole blocks of 64 weights."""
    small = MODELS[request.param]()
    config = small.config
    for name, value in WIDER[request.param].items():
        setattr(config, name, value)
    torch.manual_seed(0)
    made = tmp_path_factory.mktemp(request.param)
    type(small)(config).save_pretrained(made)
    return made


def plain(folder):
    return load_model(str(folder), dtype="float32", device="cpu")


def in_four_bits(folder, **options):
    return load_model(str(folder), device="cpu", bits=4, **options)


def unpacked(layer):
    weight = layer.weight
    return bitsandbytes.functional.dequantize_4bit(weight.data, weight.quant_state)


def test_what_is_packed_is_nf4_of_the_weights_on_disk(folder):
    """And the model computes what the plain one would with weights rounded so."""
    model, rounded = in_four_bits(folder), plain(folder)
    before = linears(rounded)
    assert list(linears(model)) == list(before)
    for name, layer in linears(model).items():
        state = layer.weight.quant_state
        assert (layer.weight.dtype, state.quant_type, state.nested) == (torch.uint8, "nf4", True)
        weight = before[name].weight
        back = unpacked(layer).T if isinstance(before[name], Conv1D) else unpacked(layer)
        assert (back - weight).norm() < 0.12 * weight.norm()
        weight.data = back.contiguous()
    torch.testing.assert_close(logits(model), logits(rounded), rtol=1e-5, atol=1e-5)
    whole = {p.dtype for p in model.parameters() if p.dtype != torch.uint8}
    assert whole == {torch.float32}
    assert type(model.get_output_embeddings()) is torch.nn.Linear


def test_the_dtype_is_that_of_the_products(folder):
    model = in_four_bits(folder, dtype="bfloat16")
    assert {layer.compute_dtype for layer in linears(model).values()} == {torch.bfloat16}
    assert model.get_input_embeddings().weight.dtype == torch.bfloat16
    adapted = add_lora(model, LoraSettings(rank=2))
    trained = {p.dtype for p in adapted.parameters() if p.requires_grad}
    assert trained == {torch.float32}  # steps of 1e-5 are lost in bfloat16


def test_adapters_train_and_the_base_does_not(folder):
    model = in_four_bits(folder)
    adapted = add_lora(model, LoraSettings(rank=4))
    assert len(lora_layers(adapted)) == len(linear_names(plain(folder)))
    before = {n: p.detach().clone() for n, p in adapted.named_parameters()}
    ids = torch.tensor([[5, 9, 14, 3, 22, 41, 7]])
    adapted.train()
    optimizer = torch.optim.SGD([p for p in adapted.parameters() if p.requires_grad], lr=1.0)
    for _ in range(2):  # B is zero at first, so A has no gradient in the first step
        adapted(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    for name, p in adapted.named_parameters():
        assert torch.equal(p, before[name]) == ("lora_" not in name), name


def test_a_rank_above_a_packed_layers_size_is_cut(folder):
    adapted = add_lora(in_four_bits(folder), LoraSettings(rank=80))
    assert {layer.r["default"] for layer in lora_layers(adapted).values()} == {64}


def test_gradients_are_whole_after_a_look_in_evaluation_mode(folder):
    """On some CPUs bitsandbytes packs the weights then, and their product has no gradient."""
    ids = torch.tensor([[5, 9, 14, 3, 22, 41, 7]])

    def gradients(look: bool):
        adapted = add_lora(in_four_bits(folder), LoraSettings(rank=2))
        torch.manual_seed(3)
        with torch.no_grad():
            for p in adapted.parameters():
                if p.requires_grad:
                    p.normal_(std=0.1)
        if look:
            logits(adapted)
        adapted.train()(input_ids=ids, labels=ids).loss.backward()
        return [p.grad for p in adapted.parameters() if p.requires_grad]

    for found, wanted in zip(gradients(True), gradients(False), strict=True):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("merged", [True, False], ids=["merged", "adapters alone"])
def test_what_is_written_stands_on_the_model_as_it_is_on_disk(folder, merged, tmp_path, tokenizer):
    """The plain weights plus s B A, to the last bit of float32, and of no rounded weight."""
    adapted = add_lora(in_four_bits(folder), LoraSettings(rank=4))
    train_a_little(adapted)
    layers = {n.removeprefix("base_model.model."): m for n, m in lora_layers(adapted).items()}
    wanted = plain(folder)
    for name, layer in linears(wanted).items():
        a, b = (m["default"].weight.detach() for m in (layers[name].lora_A, layers[name].lora_B))
        change = 2 * b @ a
        layer.weight.data += change.T if isinstance(layer, Conv1D) else change
    base = load_model(str(folder), dtype="checkpoint", device="cpu")
    there = on_plain_base(adapted, base)
    if merged:
        save_model(merge(there), tokenizer, tmp_path)
        found = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
        assert "quantization_config" not in (tmp_path / "config.json").read_text()
    else:
        save_adapter(there, tokenizer, tmp_path)
        found = load_adapter(plain(folder), tmp_path)
    torch.testing.assert_close(logits(found), logits(wanted), rtol=1e-5, atol=1e-5)
    assert (logits(found) - logits(plain(folder))).abs().max() > 1e-3


def test_many_layers(tmp_path):
    """From twenty on, peft shortens the names of the layers in its settings."""
    config = tiny_llama().config
    config.update(WIDER["llama"] | {"num_hidden_layers": 4, "layer_types": None})
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    adapted = add_lora(in_four_bits(tmp_path), LoraSettings(rank=4))
    train_a_little(adapted)
    there = on_plain_base(adapted, plain(tmp_path))
    trained = {n: p for n, p in adapted.named_parameters() if "lora_" in n}
    assert len(trained) == 2 * 28
    for name, p in there.named_parameters():
        assert "lora_" not in name or torch.equal(p, trained[name])


def test_a_mark_is_of_the_weights_on_disk(folder, tmp_path, tokenizer):
    """So adapters go on their base in 4 bits too, and on no other."""
    model = in_four_bits(folder)
    assert mark_base(model) == mark_base(plain(folder))
    adapted = add_lora(plain(folder), LoraSettings(rank=2))
    train_a_little(adapted)
    save_adapter(adapted, tokenizer, tmp_path / "own")
    here = logits(model)
    assert (logits(load_adapter(model, tmp_path / "own")) - here).abs().max() > 1e-3
    other = type(model)(plain(folder).config)
    save_adapter(add_lora(other, LoraSettings(rank=2)), tokenizer, tmp_path / "other")
    with pytest.raises(UserError, match="was made for"):
        load_adapter(in_four_bits(folder), tmp_path / "other")


def test_fila_is_refused(folder):
    adapted = add_lora(in_four_bits(folder), LoraSettings(rank=2))
    with pytest.raises(UserError, match=r"quantised \(uint8\)"):
        initialise_fila(adapted, sequences(3, "forget"), sequences(3, "retain"))


def test_widths_that_a_cpu_misreads_are_refused(tmp_path):
    tiny_llama(dtype=torch.float32).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="misreads layers of 16, 32 inputs on a CPU"):
        load_model(str(tmp_path), device="cpu", bits=4)


@pytest.mark.gpu
def test_on_a_gpu_the_products_are_bfloat16_and_the_base_a_fourth(folder):
    model = load_model(str(folder), device="cuda", bits=4)
    kind = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    assert {layer.compute_dtype for layer in linears(model).values()} == {kind}
    assert {p.device for p in model.parameters()} == {torch.device("cuda", 0)}
    packed = sum(layer.weight.nbytes for layer in linears(model).values())
    assert packed * 8 == sum(m.weight.nbytes for m in linears(plain(folder)).values())
