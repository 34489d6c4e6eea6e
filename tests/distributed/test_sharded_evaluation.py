"""A model in shards is asked by all processes together, and says what one says that is whole."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from accelerate.utils import compare_versions
from distributed import asked
from distributed.asked import CASES
from support import write_roles
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from unteach.adapters import LoraSettings, add_lora
from unteach.engine.devices import SHARDS

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


def llama(tokenizer, *, tied, seed):
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=128, tie_word_embeddings=tied,
        initializer_range=0.1, bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return LlamaForCausalLM(config)


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
        "tied": llama(tokenizer, tied=True, seed=0),
        "untied": llama(tokenizer, tied=False, seed=1),
        "other": llama(tokenizer, tied=False, seed=2),
        "other, tied": llama(tokenizer, tied=True, seed=4),
        "learned": learned(tokenizer),
    }
    for name, model in models.items():
        model.save_pretrained(made / name)
        tokenizer.save_pretrained(made / name)
    policy = add_lora(models["learned"], LoraSettings(rank=2))
    for name, weight in policy.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    policy.save_pretrained(made / "adapters")
    return made


@pytest.fixture(scope="module")
def both(folder):
    """What the two processes found."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, *LAUNCH, asked.__file__, str(folder)], capture_output=True, text=True,
        env=environment, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.parametrize("name", CASES)
def test_rows_of_a_model_in_shards_are_those_of_a_whole_one(name, both, folder):
    alone = json.loads(json.dumps(asked.asked(CASES[name], folder, last=False)))
    assert [seen["in shards"] for seen in alone["seen"]] == [[False], [False]]
    assert any(row["said_logp"] for row in alone["rows"]["forget"])
    assert alone["counts"]["prompts_once"] == 7, "those with two or three wrong answers"
    for found in both:
        assert found["kind"] == "FSDP"
        for seen in found[name]["seen"]:  # the model, then its original
            assert (seen["in shards"], seen["dtypes"]) == ([True], ["torch.float32"])
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


def test_the_command_asks_in_shards_what_one_process_asks_whole(folder, tiny_folder, tmp_path):
    write_roles(tmp_path, 5)
    arguments = (
        "evaluate", "--model", f"a={folder / 'untied'}", "--reference-model", folder / "other",
        "--data", tmp_path, "--max-new-tokens", 5, "--no-cache", "--out",
    )  # fmt: skip
    several = (*LAUNCH, ROOT / "tests" / "distributed" / "sharded.py")
    code, said = command(*several, *arguments, "no", "--gradient-norms")
    assert code == 1, said[-2000:]  # the launcher's own
    assert said.count("weights in shards (FSDP) do not give the gradient of one text") == 1
    code, said = command(*several, *arguments, tmp_path / "two")
    assert code == 0, said[-2000:]
    assert said.count("asking: a") == said.count("writing the report") == 1
    code, said = command("-m", "unteach", *arguments, tmp_path / "one")
    assert code == 0, said[-2000:]
    for name in ("original", "a"):
        files = [tmp_path / out / "rows" / f"{name}.jsonl" for out in ("two", "one")]
        rows = [list(map(json.loads, file.read_text().splitlines()[1:])) for file in files]
        assert len(rows[0]) == 15
        same(rows[0], rows[1])


def command(*arguments):
    """The exit code and what was said on standard error."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    given = [sys.executable, *map(str, arguments)]
    done = subprocess.run(given, capture_output=True, text=True, env=environment, timeout=240)
    return done.returncode, done.stderr
