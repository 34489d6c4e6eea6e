"""Kinds of models that are refused before a weight is loaded, each with what to do."""

import shlex
import shutil

import pytest
from families import SHAPE
from hostile.broken import configure
from transformers import AutoConfig

from unteach.checks.model import check_model
from unteach.errors import UserError
from unteach.models.loading import load_model


def refusal(take, *given, **options):
    with pytest.raises(UserError) as caught:
        take(*map(str, given), **options)
    (problem,) = caught.value.problems
    return problem


METHODS = ["gptq", "awq", "compressed-tensors", "fp8", "mxfp4", "hqq", "quanto", "torchao", "own"]


@pytest.mark.parametrize("method", [*METHODS, "bitsandbytes", None])
def test_quantised_models_are_not_trained(method, copy):
    found = {"quant_method": method, "bits": 4, "load_in_4bit": method == "bitsandbytes"}
    configure(copy, quantization_config={k: v for k, v in found.items() if v})
    problem = refusal(check_model, copy, "--model", training=True)
    assert f"is quantised already ({method or 'in a way that it does not name'})" in problem.what
    assert "the model that it was made of" in problem.hint
    assert ("dequantize=True" in problem.hint) == (method in ("fp8", "mxfp4"))


@pytest.mark.parametrize("bits", [None, 4])
@pytest.mark.parametrize("method", ["gptq", "quanto", "own"])
def test_quantised_models_are_asked_where_the_libraries_are_there(method, bits, copy):
    found = {"quant_method": method, "bits": 4, "weights": "int8", "group_size": 128}
    configure(copy, quantization_config=found)
    said = [refusal(check_model, copy, "--model", bits=bits).what]
    if not bits:
        said.append(refusal(load_model, copy, device="cpu").what)
    for what in said:
        assert f"({method})" in what
        named = {"gptq": "optimum", "quanto": "quanto", "own": "Unknown quantization type"}[method]
        assert ("not put in 4 bits" if bits else named) in what


def test_fp8_is_asked_but_not_trained(copy):
    configure(copy, quantization_config={"quant_method": "fp8", "weight_block_size": [16, 16]})
    assert check_model(str(copy), "--model", device="cpu").empty is None
    load_model(str(copy), device="cpu")


@pytest.mark.parametrize("key", ["attn_implementation", "_attn_implementation"])
@pytest.mark.parametrize(("value", "what"), [
    ("flash_attention_2", "FlashAttention2 has been toggled on"),
    ("flex_attention", "does not run or train on a CPU"),
    ("no_such", "is not supported"),
    ("kernels-community/flash-attn2", "code from the hub"),
])  # fmt: skip
def test_an_attention_that_is_not_here(key, value, what, copy):
    configure(copy, **{key: value})
    for take, given in ((check_model, [copy, "--model"]), (load_model, [copy])):
        problem = refusal(take, *given, device="cpu")
        assert what in problem.what
        assert "take attn_implementation" in problem.hint


def test_an_attention_that_is_everywhere(copy):
    configure(copy, attn_implementation="eager")
    check_model(str(copy), "--model")


def test_the_package_that_is_missing_is_named(copy, monkeypatch):
    from transformers import AutoModelForCausalLM

    def lacking(*given, **options):
        raise ImportError("Loading this needs `pip install nowhere`")

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", lacking)
    problem = refusal(load_model, copy)
    assert "pip install nowhere" in problem.what
    assert problem.hint.startswith("install what it names")


def test_gguf_files_and_folders(tmp_path, copy):
    folder = tmp_path / "of llama.cpp"
    folder.mkdir()
    file = folder / "m.Q4_K_M.gguf"
    file.write_bytes(b"GGUF")
    shutil.copy(copy / "config.json", tmp_path)
    for given in (folder, file):
        for take in (load_model, lambda m: check_model(m, "--model")):
            problem = refusal(take, given)
            assert "format of llama.cpp (m.Q4_K_M.gguf)" in problem.what
            line = shlex.split(problem.hint[problem.hint.index("python -c") :])
            compile(line[2], "the command", "exec")
            assert line[3:5] == [str(folder), file.name]
    shutil.copy(copy / "config.json", folder)
    assert "llama.cpp" in refusal(check_model, folder, "--model").what
    shutil.copy(file, copy)
    check_model(str(copy), "--model")  # beside plain weights it is passed over


@pytest.mark.parametrize(("names", "what"), [
    (["LlamaModel"], "is a LlamaModel, which has no head"),
    (["LlamaForSequenceClassification"], "LlamaForSequenceClassification, which has no head"),
    (["LlamaForCausalLM"], None),
    (["SomebodysLlama"], None),
    (None, None),
])  # fmt: skip
def test_a_class_without_a_head(names, what, copy):
    configure(copy, architectures=names)
    if what is None:
        check_model(str(copy), "--model")
    else:
        assert what in refusal(check_model, copy, "--model").what
        assert what in refusal(load_model, copy).what


@pytest.mark.parametrize(("kind", "what"), [
    ("bert", "reads its text both ways"),
    ("roberta", "reads its text both ways"),
    ("bart", "has an encoder and a decoder"),
    ("t5", "a t5 has no causal head"),
])  # fmt: skip
def test_encoders_are_refused_in_words(kind, what, tmp_path):
    config = AutoConfig.for_model(
        kind, vocab_size=61, hidden_size=16, d_model=16, num_hidden_layers=1
    )
    bart = ["BartForConditionalGeneration"]
    config.architectures = bart if kind == "bart" else None
    config.save_pretrained(tmp_path)
    assert what in refusal(check_model, tmp_path, "--model").what


def test_a_decoder_of_an_encoders_family_is_taken():
    from unteach.models.supported import kind_problem

    assert kind_problem(AutoConfig.for_model("bert", is_decoder=True), "here") is None
    assert kind_problem(AutoConfig.for_model("gpt_neox"), "here") is None


def test_adapters_beside_weights_are_refused(copy):
    from peft import LoraConfig, get_peft_model

    adapted = get_peft_model(load_model(str(copy)), LoraConfig(target_modules=["q_proj"]))
    adapted.save_pretrained(copy)
    for take, given in ((check_model, [copy, "--retrained"]), (load_model, [copy])):
        problem = refusal(take, *given)
        assert "holds whole weights and, in adapter_config.json, adapters" in problem.what
        assert "a folder of their own" in problem.hint


def test_weights_under_another_name(copy):
    configure(copy, transformers_weights="other.safetensors")
    assert "other.safetensors" in refusal(check_model, copy, "--model").what


def test_every_text_family_is_taken():
    """No family is refused by its kind alone."""
    from families import OWN

    from unteach.models.supported import kind_problem

    assert [k for k in OWN if kind_problem(AutoConfig.for_model(k, **SHAPE), "here")] == []
