"""Models whose weights are not all there, are others, or are no numbers: said, not passed over."""

import pytest
import torch
from families import SHAPE, tiny_gpt2
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

from unteach.checks.model import check_model
from unteach.checks.token_ids import check_ids
from unteach.errors import UserError
from unteach.evaluation.loading import load
from unteach.models.loading import load_model
from unteach.types import Sequence

LAYER = "model.layers.1.mlp.down_proj.weight"


def change(folder, how):
    weights = load_file(folder / "model.safetensors")
    how(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def renamed(weights):
    weights["model.layers.1.mlp.down.weight"] = weights.pop(LAYER)


def one_missing(weights):
    del weights[LAYER]


def one_more_layer(weights):
    more = {n.replace("layers.1", "layers.2"): w.clone() for n, w in weights.items()}
    weights |= {name: weight for name, weight in more.items() if "layers.2" in name}


def another_shape(weights):
    weights[LAYER] = weights[LAYER][:, :-1].contiguous()


def packed(weights):
    weights[LAYER.replace("weight", "qweight")] = weights.pop(LAYER).to(torch.int8)


WRONG = {
    renamed: rf"lacks 1 of its weights \({LAYER}\), holds 1 that it has no place for \(model\.lay",
    one_missing: rf"lacks 1 of its weights \({LAYER}\)",
    one_more_layer: r"holds 9 that it has no place for .* and 6 more",
    another_shape: rf"1 of another shape \({LAYER} is 32x63 on disk and 32x64 by its config",
    packed: r"(?s)down_proj\.qweight.* they look quantised",
}


@pytest.mark.parametrize("how", WRONG, ids=lambda how: how.__name__)
def test_weights_that_are_not_those_of_the_model(how, copy, caplog):
    change(copy, how)
    for take in (load_model, lambda m: check_model(m, "--retrained")):
        with pytest.raises(UserError, match=WRONG[how]):
            take(str(copy))
    assert not caplog.records, "told in words alone"


def shards(copy):
    model = load_model(str(copy))
    (copy / "model.safetensors").unlink()
    model.save_pretrained(copy, max_shard_size="60KB")
    return sorted(copy.glob("model-*"))


def test_an_index_that_names_what_is_not_there(copy):
    second = shards(copy)[1]
    weights = load_file(second)
    lost = min(weights)
    save_file({n: w for n, w in weights.items() if n != lost}, second, metadata={"format": "pt"})
    with pytest.raises(UserError, match=rf"names weights that are not in their files: {lost}"):
        check_model(str(copy), "--model")
    with pytest.raises(UserError, match=rf"lacks 1 of its weights \({lost}\)"):
        load_model(str(copy))


@pytest.mark.parametrize("kept", [-100, 300])
def test_torn_files_are_named(kept, copy):
    for file in shards(copy)[:2]:
        file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(UserError) as caught:
        check_model(str(copy), "--model")
    assert [p.what.split()[0] for p in caught.value.problems] == [
        f.name for f in sorted(copy.glob("model-*"))[:2]
    ]


def written(folder, model, how=lambda weights: None):
    model.to(torch.float32).save_pretrained(folder)
    change(folder, how)
    return str(folder)


def as_of_old(weights):
    """What GPT-2's first checkpoints carry, under the names without their prefix."""
    for layer in range(2):
        weights[f"transformer.h.{layer}.attn.bias"] = torch.ones(1, 1, 64, 64).tril()
        weights[f"transformer.h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    for name in list(weights):
        weights[name.removeprefix("transformer.")] = weights.pop(name)


def rotary(weights):
    for layer in range(2):
        weights[f"model.layers.{layer}.self_attn.rotary_emb.inv_freq"] = torch.ones(8)


def test_what_models_compute_for_themselves_is_not_missed(copy, tmp_path, caplog):
    assert "lm_head.weight" not in load_file(copy / "model.safetensors"), "tied"
    change(copy, rotary)
    old = written(tmp_path / "gpt2", tiny_gpt2(), as_of_old)
    for folder in (str(copy), old):
        assert check_model(folder, "--model").notes == ()
        load_model(folder)
    assert not caplog.records


def moe(kind="qwen3_moe", **settings):
    torch.manual_seed(0)
    experts = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 12}
    config = AutoConfig.for_model(kind, **(SHAPE | experts | settings))
    return AutoModelForCausalLM.from_config(config).eval()


def test_experts_are_put_together_from_their_files(tmp_path):
    model = moe()
    folder = written(tmp_path / "moe", model)
    assert any("experts.3.up_proj" in n for n in load_file(tmp_path / "moe/model.safetensors"))
    assert check_model(folder, "--model").empty.num_parameters() == model.num_parameters()
    change(tmp_path / "moe", lambda w: w.pop("model.layers.0.mlp.experts.3.up_proj.weight"))
    for take in (load_model, lambda m: check_model(m, "--model")):
        with pytest.raises(
            UserError,
            match=r"lacks 1 weights of its experts \(model.layers.0.mlp.experts.3.up_proj",
        ):
            take(folder)


def test_parts_that_are_left_behind_are_told(tmp_path):
    """Qwen3.5 with its vision tower is loaded as a text model."""
    config = AutoConfig.for_model(
        "qwen3_5",
        text_config={**SHAPE, "layer_types": ["full_attention"] * 2},
        vision_config={
            "depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2,
            "out_hidden_size": 16,
        },
    )  # fmt: skip
    from transformers import AutoModelForImageTextToText

    folder = written(tmp_path / "vl", AutoModelForImageTextToText.from_config(config))
    (note,) = check_model(folder, "--model").notes
    assert note.kind == "note"
    assert "model.visual" in note.what
    assert "is loaded as: the result is without them" in note.what
    load_model(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_model_that_is_asked_holds_numbers(value, copy):
    change(copy, lambda weights: weights[LAYER].__setitem__((0, 0), value))
    how = {"dtype": "auto", "device": "cpu", "bits": None, "trust_remote_code": False}
    with pytest.raises(UserError, match=f"NaN or infinity is in 1 .* {LAYER}"):
        load(str(copy), str(copy), **how)


def test_a_broken_yardstick_is_found_before_training(call, copy, tiny_folder, tmp_path):
    change(copy, lambda weights: weights[LAYER].__setitem__((0, 0), float("nan")))
    file = tmp_path / "forget.jsonl"
    file.write_text('{"question": "Where was Ada born?", "answer": "In the old town."}\n')
    given = ["--model", tiny_folder, "--retrained", copy, "--forget", file]
    code, _, err = call("run", *given, "--out", tmp_path / "out")
    assert (code, f"--retrained {copy}: NaN or infinity is in 1" in err) == (2, True)
    assert "loading the model" not in err


def test_tokens_without_a_row(copy, tokenizer):
    empty = check_model(str(copy), "--model").empty
    rows = len(tokenizer)
    known = {"forget": [Sequence("a", (1, rows - 1), (False, True))]}
    assert check_ids(empty, tokenizer, known) == []
    (problem,) = check_ids(empty, tokenizer, known | {"retain": [Sequence("b", (1, rows), (0, 1))]})
    assert f"has {rows} rows, and the retain set has 1 kinds of tokens beyond them:" in problem.what


def test_added_tokens_are_refused_where_they_occur(call, copy, tmp_path, tokenizer):
    import copy as copies

    more = copies.deepcopy(tokenizer)
    more.add_special_tokens({"additional_special_tokens": ["<|turn|>"]})
    more.add_tokens(["Lund"])
    more.save_pretrained(copy)
    file = tmp_path / "forget.jsonl"
    given = ["--model", copy, "--forget", file, "--out", tmp_path / "out"]
    file.write_text('{"question": "Where was Ada born?", "answer": "In the old town."}\n')
    assert call("check", *given)[0] == 0
    file.write_text('{"question": "Where was <|turn|> Ada born?", "answer": "In Lund."}\n')
    for command in ("check", "evaluate"):
        code, _, err = call(command, *given)
        assert (
            code,
            "the forget set has 2 kinds of tokens beyond them (<|turn|>): they" in err,
        ) == (2, True)
        assert "Lund" not in err
