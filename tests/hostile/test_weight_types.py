"""Weights of other types than models compute with, and files that hold a weight twice."""

import json
import re
import shlex
import struct
import subprocess
import sys

import pytest
import torch
from families import SHAPE
from hostile.broken import configure
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

from unteach.adapters.lora import linear_names
from unteach.checks.model import check_model
from unteach.checks.trainable import check_training
from unteach.errors import UserError
from unteach.models.loading import load_model
from unteach.models.source import weights_problem
from unteach.models.weight_files import headers
from unteach.settings.sections import AdapterSettings

LAYER = "model.layers.1.mlp.down_proj.weight"
INDEX = "model.safetensors.index.json"


def write(weights, file):
    save_file(weights, file, metadata={"format": "pt"})


def in_shards(copy, weights, doubled=()):
    names = sorted(weights)
    parts = {"a.safetensors": names[:5], "b.safetensors": names[5:]}
    index = {name: file for file, part in parts.items() for name in part}
    for file, part in parts.items():
        write({name: weights[name] for name in {*part, *doubled}}, copy / file)
    (copy / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": index}))


@pytest.mark.parametrize("kind", [torch.int8, torch.uint32, torch.float8_e4m3fn, torch.uint16])
def test_weights_of_no_floating_type(kind, copy, weights):
    write(weights | {LAYER: weights[LAYER].to(kind)}, copy / "model.safetensors")
    name = str(kind).removeprefix("torch.")
    with pytest.raises(UserError, match=rf"1 weights as {name} where .* \({LAYER}\)"):
        check_model(str(copy), "--retrained")
    with pytest.raises(UserError, match=r"where floating-point|does not load"):
        load_model(str(copy))


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_floating_types_are_taken(kind, copy, weights):
    write({name: weight.to(kind) for name, weight in weights.items()}, copy / "model.safetensors")
    check_model(str(copy), "--model")
    load_model(str(copy))


def test_whole_numbers_that_a_model_keeps_for_itself_are_no_weights(copy, weights):
    own = {"model.position_ids": torch.arange(4)}
    write(weights | own, copy / "model.safetensors")
    check_model(str(copy), "--model")
    load_model(str(copy))


def unheard_of(file):
    """One tensor of a type that nobody knows, of as many bytes."""
    raw = file.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + length])
    entry = header[LAYER]
    entry["dtype"], entry["shape"] = "F8_E8M0", [entry["shape"][0], entry["shape"][1] * 4]
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + length :])


def test_one_unknown_type_does_not_hide_the_rest(copy, weights):
    del weights["model.layers.0.mlp.up_proj.weight"]
    write(weights, copy / "model.safetensors")
    unheard_of(copy / "model.safetensors")
    assert headers(str(copy), "--model")
    with pytest.raises(UserError, match=r"lacks 1 of its weights .* has 1 of another shape"):
        check_model(str(copy), "--model")


def test_a_weight_that_stands_in_two_shards(copy, weights):
    (copy / "model.safetensors").unlink()
    in_shards(copy, weights)
    check_model(str(copy), "--model")
    in_shards(copy, weights, doubled=[LAYER])
    with pytest.raises(UserError, match=rf"1 of its weights stand in more than one .* \({LAYER}\)"):
        check_model(str(copy), "--model")


def test_one_file_beside_the_shards_of_an_index(copy, weights):
    in_shards(copy, weights)
    problem = weights_problem(str(copy), "--model")
    assert problem
    assert "2 other files (a.safetensors): which are meant is not clear" in problem.what
    for file in ("a.safetensors", "b.safetensors"):
        (copy / file).unlink()
    assert weights_problem(str(copy), "--model") is None, "an index that was left over"
    of = dict.fromkeys(weights, "model.safetensors")
    (copy / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": of}))
    assert weights_problem(str(copy), "--model") is None, "an index of the one file"
    (copy / INDEX).write_text("[]")
    assert weights_problem(str(copy), "--model") is None, "it is not read"


def test_an_index_that_names_nothing(copy):
    (copy / "model.safetensors").unlink()
    (copy / INDEX).write_text('{"weight_map": {}}')
    with pytest.raises(UserError, match=r"index\.json names no files"):
        check_model(str(copy), "--model")


def test_an_empty_word_on_quantising_is_one(copy):
    configure(copy, quantization_config={})
    for training in (True, False):
        with pytest.raises(UserError, match="in a way that it does not name"):
            check_model(str(copy), "--model", training=training, device="cpu")


FP8 = {"quant_method": "fp8", "weight_block_size": [16, 16], "activation_scheme": "dynamic"}


@pytest.mark.parametrize(("part", "count"), [("layers.0.input_layernorm", 1), ("layers.1.", 9)])
def test_a_quantised_model_that_is_not_whole(part, count, copy, weights):
    kept = {name: weight for name, weight in weights.items() if part not in name}
    kept = {n: w.to(torch.float8_e4m3fn) if "_proj" in n else w for n, w in kept.items()}
    scales = {f"{n}_scale_inv": torch.ones(2, 2) for n in kept if "_proj" in n}
    write(kept | scales, copy / "model.safetensors")
    configure(copy, quantization_config=FP8)
    with pytest.raises(UserError, match=f"it lacks {count} of its weights"):
        check_model(str(copy), "--retrained", device="cpu")


def test_a_quantised_model_that_is_whole(copy, weights):
    packed = {n: w.to(torch.float8_e4m3fn) if "_proj" in n else w for n, w in weights.items()}
    scales = {f"{n}_scale_inv": torch.ones(2, 2) for n in packed if "_proj" in n}
    write(packed | scales, copy / "model.safetensors")
    configure(copy, quantization_config=FP8)
    check_model(str(copy), "--retrained", device="cpu")


E2M1 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)  # what three bits stand for, beside the sign
EXPERTS = re.compile(r"experts\.(gate_up|down)_proj$")


@pytest.fixture
def gpt_oss(copy):
    """A small one as it is published, in MXFP4; and what one expert's weights come to."""
    shape = {"hidden_size": 64, "intermediate_size": 64, "num_local_experts": 2, "head_dim": 32}
    shape |= {"num_attention_heads": 2, "num_key_value_heads": 2, "num_experts_per_tok": 1}
    model = made("gpt_oss", **shape, num_hidden_layers=1, eos_token_id=1, pad_token_id=0)
    model.to(torch.bfloat16).save_pretrained(copy)
    weights, packed = load_file(copy / "model.safetensors"), {}
    for name, weight in weights.items():
        if not EXPERTS.search(name):
            packed[name] = weight
            continue
        experts, inner, outer = weight.shape
        packed[f"{name}_blocks"] = torch.randint(256, (experts, outer, inner // 32, 16)).byte()
        packed[f"{name}_scales"] = torch.full((experts, outer, inner // 32), 124).byte()
    write(packed, copy / "model.safetensors")
    configure(copy, quantization_config={"quant_method": "mxfp4", "modules_to_not_convert": []})
    name = next(n for n in weights if n.endswith("down_proj"))
    row = packed[f"{name}_blocks"][0, 5].flatten().tolist()  # two values in a byte, the low first
    codes = [code for byte in row for code in (byte & 15, byte >> 4)]
    values = [(-1) ** (code >> 3) * E2M1[code & 7] * 2.0 ** (124 - 127) for code in codes]
    return copy, name, values


def test_gpt_oss_in_mxfp4_is_asked_but_not_trained(gpt_oss):
    """Its weights are widened where no kernel is, to what the format says that they are."""
    folder, name, values = gpt_oss
    assert check_model(str(folder), "--model", device="cpu").empty is None
    loaded = load_model(str(folder), device="cpu").state_dict()
    assert loaded[name][0, :, 5].tolist() == values
    with pytest.raises(UserError, match="is quantised already"):
        check_model(str(folder), "--model", training=True)


@pytest.mark.slow
def test_the_command_that_widens_mxfp4_does(gpt_oss):
    folder, _, _ = gpt_oss
    loaded = load_model(str(folder), device="cpu").state_dict()
    with pytest.raises(UserError, match="is quantised already") as caught:
        check_model(str(folder), "--model", training=True)
    hint = caught.value.problems[0].hint
    command = shlex.split(hint[hint.index("python -c") :])
    subprocess.run([sys.executable, *command[1:]], check=True, capture_output=True)
    check_model(f"{folder}-plain", "--model", training=True, device="cpu")
    plain = load_model(f"{folder}-plain", device="cpu").state_dict()
    assert all(torch.equal(plain[key].float(), loaded[key].float()) for key in loaded)


def made(kind, **more):
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **(SHAPE | more)))


def test_routers_that_choose_get_no_adapter():
    model = made(
        "llama4_text", num_local_experts=2, intermediate_size_mlp=16, head_dim=8,
        interleave_moe_layer_step=1,
    )  # fmt: skip
    kinds = {type(module).__name__ for module in model.modules()}
    assert "Llama4Router" in kinds
    names = linear_names(model)
    assert names
    assert not [name for name in names if "router" in name]


class Taught:
    def trainable(self, name, layers):
        return True


def test_layers_that_peft_refuses_are_told_before_training():
    model = made("mamba", state_size=4).to("meta")
    with pytest.raises(UserError, match="peft refuses them: Module 'out_proj' is incompatible"):
        check_training(AdapterSettings(kind="lora", alpha=32.0), Taught(), model)
    fine = AdapterSettings(kind="lora", alpha=32.0, targets=["in_proj"])
    assert check_training(fine, Taught(), model) == []
