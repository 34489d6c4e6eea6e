"""What cannot be right in a model's own files: all named at once, before a weight is read."""

import json

import pytest
from hostile.broken import configure

from unteach.checks.model import check_model
from unteach.errors import UserError
from unteach.models.loading import load_model

GENERATION = {
    "temperature": ("hot", "a number"),
    "top_p": (True, "a number"),
    "top_k": (2.5, "a whole number"),
    "do_sample": ("yes", "true or false"),
    "eos_token_id": (-5, "the id of the token that ends an answer"),
    "pad_token_id": ("<pad>", "the id of a token"),
    "suppress_tokens": (3, "a list of ids"),
    "cache_implementation": ("nosuch", "Choose one of"),
    "max_new_tokens": (-3, "greater than 0"),
    "watermarking_config": ({"seeding_scheme": "x"}, "seeding_scheme"),
    "compile_config": ({"a": 1}, "CompileConfig"),
}
FINE = {
    "temperature": 0.6, "top_k": 50.0, "top_p": 1, "do_sample": True, "eos_token_id": [1, 2],
    "pad_token_id": -1, "suppress_tokens": [3], "max_length": 4096, "cache_implementation": None,
    "a_key_of_others": "x",
}  # fmt: skip
CONFIG = [  # what is changed, and what the message names beside the file
    ({"rope_scaling": {"rope_type": "linear"}}, "factor"),
    ({"rope_parameters": {"rope_type": "llama3", "factor": 8.0}}, "low_freq_factor"),
    ({"rope_parameters": {"rope_type": "linear", "factor": "2"}}, 'factor is "2"'),
    ({"rope_parameters": {"rope_type": "nosuch", "factor": 2.0}}, 'rope_type is "nosuch"'),
    ({"rope_parameters": "linear"}, 'rope_parameters is "linear"'),
    ({"hidden_act": "nosuch"}, 'hidden_act is "nosuch"'),
    ({"hidden_act": None}, "hidden_act"),
    ({"num_attention_heads": 0}, "num_attention_heads is 0"),
    ({"num_attention_heads": 3}, "number of attention heads (3)"),
    ({"num_key_value_heads": "2"}, "num_key_value_heads"),
    ({"head_dim": 0}, "head_dim is 0"),
    ({"vocab_size": 0}, "vocab_size is 0"),
    ({"num_hidden_layers": None}, "num_hidden_layers"),
    ({"rms_norm_eps": "1e-6"}, "rms_norm_eps"),
    ({"dtype": "float33"}, 'dtype is "float33"'),
    ({"quantization_config": "gptq"}, 'quantization_config is "gptq"'),
    ({"architectures": 3}, "architectures is 3"),
    ({"eos_token_id": -5}, "eos_token_id is -5"),
    ({"pad_token_id": 99_999}, "pad_token_id is 99999"),
    ({"model_type": "qwen3", "layer_types": ["nosuch"] * 2}, "layer_types"),
    ({"model_type": "qwen3", "layer_types": ["full_attention"]}, "layer_types"),
]


def wrong(model):
    with pytest.raises(UserError) as caught:
        check_model(str(model), "--model")
    return caught.value.problems


def test_all_of_how_texts_are_made_at_once(copy):
    file = copy / "generation_config.json"
    file.write_text(json.dumps({key: value for key, (value, _) in GENERATION.items()}))
    found = {p.what.split(": ")[1].split(" is ")[0]: p for p in wrong(copy)}
    assert found.keys() == GENERATION.keys()
    for key, (value, wanted) in GENERATION.items():
        assert found[key].what.startswith("generation_config.json: ")
        assert json.dumps(value)[:30] in found[key].what
        assert wanted in found[key].hint
    file.write_text(json.dumps({"num_return_sequences": 2, "num_beams": 1}))
    assert "num_return_sequences" in str(wrong(copy)[0])
    file.write_text(json.dumps({"num_return_sequences": 2, "num_beams": 4}))
    check_model(str(copy), "--model")  # together they are right
    file.write_text(json.dumps(FINE))
    check_model(str(copy), "--model")
    load_model(str(copy))


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_how_texts_are_made_is_an_object(text, copy):
    """transformers takes config.json in the place of one that it cannot read, unasked."""
    (copy / "generation_config.json").write_text(text)
    assert "its generation_config.json is no JSON object" in wrong(copy)[0].what


@pytest.mark.parametrize(("changes", "named"), CONFIG, ids=lambda given: str(given)[:40])
def test_a_key_that_is_wrong_is_named(changes, named, copy):
    configure(copy, **{"rope_parameters": None, "architectures": None, **changes})
    said = " ".join(map(str, wrong(copy)))
    assert named in said
    assert "config.json" in said


def test_every_value_that_is_wrong_is_named(copy):
    configure(copy, head_dim=0, vocab_size=-1, architectures="Llama")
    (copy / "generation_config.json").write_text('{"top_p": "x"}')
    assert len(wrong(copy)) == 4


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"
PAGE = b"\n<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>"


@pytest.mark.parametrize(
    ("content", "what", "hint"),
    [(POINTER, "is a pointer of Git LFS", "git lfs pull"), (PAGE, "is a web page", "/resolve/"),
     (b"", "is empty: it has 0 bytes", "again")],
    ids=["pointer", "page", "empty"],
)  # fmt: skip
def test_what_stands_in_for_a_file_of_a_model(content, what, hint, copy):
    names = ("model.safetensors", "tokenizer.json", "config.json")
    for name in names:
        (copy / name).write_bytes(content)
    found = wrong(copy)
    assert {p.what for p in found if what in p.what and hint in p.hint} == {p.what for p in found}
    assert all(any(name in p.what for p in found) for name in names)


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet", "a.arrow", "a.json"])
def test_what_stands_in_for_data(name, tmp_path):
    from unteach.data import read

    for content, what in ((POINTER, "is a pointer of Git LFS"), (PAGE, "is a web page")):
        (tmp_path / name).write_bytes(content)
        _, (problem,) = read(tmp_path / name, "forget")
        assert what in problem.what
    (tmp_path / "a.txt").write_bytes(PAGE)  # which may be what is to be forgotten
    assert len(read(tmp_path / "a.txt", "forget")[0]) == 1


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_a_tokenizer_that_is_cut_short_is_named(name, copy):
    from unteach.models.loading import load_tokenizer

    data = (copy / name).read_bytes()
    (copy / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=f"its {name} is torn"):
        load_tokenizer(str(copy))


def test_weights_that_are_cut_short_are_named(copy):
    data = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(data[:-100])
    for take in (lambda m: check_model(m, "--model"), load_model):
        with pytest.raises(UserError, match=r"model\.safetensors is torn"):
            take(str(copy))
