"""A model in shards is asked by all processes together, and says what one says that is whole."""

import json
from pathlib import Path

import pytest
import torch
from accelerate.utils import compare_versions
from distributed import asked
from distributed.asked import CASES
from support import plugin_text, write_roles
from transformers import AutoConfig, AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

from unteach.adapters import LoraSettings, add_lora
from unteach.processes.launcher import SHARDS

ROOT = Path(__file__).parents[2]
# Half precision is for training: what is asked stays as it is.
LAUNCH = (
    "-m", "accelerate.commands.launch", "--num_processes", "2", "--mixed_precision", "bf16",
    "--main_process_port", "0", "--config_file",
    str(ROOT / "examples" / "accelerate" / "fsdp2.yaml"),
)  # fmt: skip
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        compare_versions("accelerate", "<", SHARDS), reason=f"is refused before accelerate {SHARDS}"
    ),
]


def tiny(tokenizer, kind="llama", *, tied=False, seed=0, **settings):
    torch.manual_seed(seed)
    config = AutoConfig.for_model(
        kind, vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2,
        tie_word_embeddings=tied, initializer_range=0.1, bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, **settings,
    )  # fmt: skip
    return AutoModelForCausalLM.from_config(config)


LAYER = {"intermediate_size": 64, "num_attention_heads": 2, "max_position_embeddings": 128}
EXPERTS = {"num_local_experts": 4, "num_key_value_heads": 1, "sliding_window": 8}
UNNAMED = {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 128}


def learned(tokenizer):
    """With positions that are learned: weights of no layer, which lie in the outermost group."""
    torch.manual_seed(3)
    config = GPT2Config(
        vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=2, n_positions=128,
        initializer_range=0.1, bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    return GPT2LMHeadModel(config)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizer):
    made = tmp_path_factory.mktemp("asked")
    models = {
        "tied": tiny(tokenizer, tied=True, **LAYER),
        "untied": tiny(tokenizer, seed=1, **LAYER),
        "other": tiny(tokenizer, seed=2, **LAYER),
        "other, tied": tiny(tokenizer, tied=True, seed=4, **LAYER),
        "learned": learned(tokenizer),
        "experts": tiny(tokenizer, "mixtral", **LAYER, **EXPERTS),
        "state": tiny(tokenizer, "mamba", state_size=4),
        "unnamed": AutoModelForCausalLM.from_config(
            AutoConfig.for_model("openai-gpt", vocab_size=len(tokenizer), **UNNAMED)
        ),
    }
    for name, model in models.items():
        model.save_pretrained(made / name)
        tokenizer.save_pretrained(made / name)
    for name, base in (("adapters", "learned"), ("on tied", "tied")):
        policy = add_lora(models[base], LoraSettings(rank=2))
        for part, weight in policy.named_parameters():
            if "lora_B" in part:
                torch.nn.init.normal_(weight, std=0.1)
        policy.save_pretrained(made / name)
    return made


@pytest.fixture(scope="module")
def both(folder, python):
    """What the two processes found."""
    code, _, said = python(*LAUNCH, asked.__file__, folder)
    assert code == 0, said[-3000:]
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.parametrize("name", CASES)
def test_rows_of_a_model_in_shards_are_those_of_a_whole_one(name, both, folder):
    case = CASES[name]
    alone = json.loads(json.dumps(asked.asked(case, folder, last=case.unlike == "head")))
    assert [seen["in shards"] for seen in alone["seen"]] == [[False], [False]]
    for seen in alone["seen"]:
        assert ("torch.bfloat16" in seen["dtypes"]) == (case.dtype == "bfloat16")
    assert any(row["said_logp"] for row in alone["rows"]["forget"])
    assert alone["counts"]["prompts_once"] == case.once, "of those with two or three wrong answers"
    for found in both:
        assert found["kind"] == "FSDP"
        for seen in found[name]["seen"]:  # the model, then its original
            assert seen["in shards"] == [True]
        assert [s["dtypes"] for s in found[name]["seen"]] == [s["dtypes"] for s in alone["seen"]]
        for seen in found[name]["seen"]:
            assert 0.4 * seen["all"] < seen["own"] < 0.6 * seen["all"]
        same(found[name]["rows"], alone["rows"])
        assert found[name]["counts"] == alone["counts"], "what all do together counts once"
    ends = {what: (done, total) for what, done, total in alone["told"]}
    assert {what: (done, total) for what, done, total in both[0][name]["told"]} == ends
    assert both[1][name]["told"] == []


def same(found, other):
    """Equal, but numbers by a relative 1e-5."""
    if isinstance(other, dict):
        assert found.keys() == other.keys()
        for key, value in other.items():
            same(found[key], value)
    elif isinstance(other, list):
        assert len(found) == len(other)
        for one, value in zip(found, other, strict=True):
            same(one, value)
    elif isinstance(other, float):
        assert found == pytest.approx(other, rel=1e-5, abs=1e-7)
    else:
        assert found == other


def test_gradient_norms_are_refused_in_words(both):
    for found in both:
        assert "weights in shards do not give the gradient of one text" in found["gradient norms"]


def test_a_model_with_adapters_can_be_asked_for_answers_alone(both, folder):
    alone = asked.said_first(folder)
    assert [found["said first"] for found in both] == [alone, alone]
    assert all(alone)


def test_layers_are_cut_as_the_launcher_was_told_and_training_keeps_its_settings(both):
    for found in both:
        good, bad = found["cut"]
        assert good["said"] == "FSDPLlamaForCausalLM"
        assert "Could not find the transformer layer class NoLayer" in bad["said"]
        assert "fsdp_transformer_layer_cls_to_wrap" in bad["said"]
        assert good["training's"] is bad["training's"] is True


def test_the_command_asks_in_shards_what_one_process_asks_whole(folder, python, tmp_path):
    write_roles(tmp_path, 5)
    arguments = (
        "evaluate", "--model", f"a={folder / 'untied'}", "--reference-model", folder / "other",
        "--data", tmp_path, "--max-new-tokens", 5, "--no-cache", "--out",
    )  # fmt: skip
    several = (*LAUNCH, ROOT / "tests" / "distributed" / "sharded.py")
    code, _, said = python(*several, *arguments, "no", "--gradient-norms")
    assert code == 1, said[-2000:]  # the launcher's own
    assert said.count("weights in shards (FSDP) do not give the gradient of one text") == 1
    code, _, said = python(*several, *arguments, tmp_path / "two")
    assert code == 0, said[-2000:]
    assert said.count("asking: a") == said.count("writing the report") == 1
    code, _, said = python("-m", "unteach", *arguments, tmp_path / "one")
    assert code == 0, said[-2000:]
    for name in ("original", "a"):
        files = [tmp_path / out / "rows" / f"{name}.jsonl" for out in ("two", "one")]
        rows = [list(map(json.loads, file.read_text().splitlines()[1:])) for file in files]
        assert len(rows[0]) == 15
        same(rows[0], rows[1])


@pytest.mark.skipif(torch.accelerator.is_available(), reason="accelerate makes shards here")
def test_where_accelerate_makes_no_shards_the_command_says_so(folder, python, tmp_path):
    write_roles(tmp_path, 5)
    code, _, said = python(
        *LAUNCH, "-m", "unteach", "evaluate", "--model", f"a={folder / 'untied'}",
        "--data", tmp_path, "--no-cache", "--out", tmp_path / "out",
    )  # fmt: skip
    assert code == 1, said[-2000:]
    assert said.count("FSDP: was asked for, and is not what runs (MULTI_CPU)") == 1


FAULT = """
import os, torch
from unteach.cli import _launched
from unteach.evaluation import rows

_launched.PATIENCE = 1

usual, forwards = rows.load, []

def load(*args, **options):
    model = usual(*args, **options)
    layer = model.model.layers[1]
    inner = layer.forward

    def forward(*args, past_key_values=None, **more):
        forwards.append(past_key_values is not None and past_key_values.get_seq_length() > 0)
        if {when}:
            raise torch.OutOfMemoryError("planted")
        return inner(*args, past_key_values=past_key_values, **more)

    if os.environ["RANK"] == "1":
        layer.forward = forward
    return model

rows.load = load
"""


@pytest.mark.parametrize(
    "when", ["len(forwards) == 1", "forwards[-1]", "forwards[-1] and len(forwards) > 15"]
)
def test_one_that_has_too_little_memory_ends_all(when, folder, python, tmp_path):
    """At its first look, as it tries whether prompts can be read once, and as it answers. It says
    so and goes, for the others wait in the middle of a forward."""
    write_roles(tmp_path, 5)
    wrong = [f"It is in {town}." for town in ("Rome", "Oslo", "Paris")]
    asked_of = "Where is what is to be forgotten, as far as anybody knows?"
    row = {"question": asked_of, "answer": "It is in Lund.", "perturbed_answer": wrong}
    (tmp_path / "forget.jsonl").write_text(json.dumps(row))
    fault = tmp_path / "fault.py"
    fault.write_text(f"{plugin_text('fault')}\n{FAULT.format(when=when)}")
    code, _, said = python(
        *LAUNCH, ROOT / "tests" / "distributed" / "sharded.py",
        "evaluate", "--model", f"a={folder / 'untied'}", "--data", tmp_path, "--no-cache",
        "--max-new-tokens", 30, "--out", tmp_path / "out", "--plugin", fault,
    )  # fmt: skip
    assert code == 1, said[-2000:]
    assert "memory: the accelerator has too little" in said, said
    assert not (tmp_path / "out").exists()
