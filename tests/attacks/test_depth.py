"""A look into the weights: it sees through a head that was changed, and into no other model."""

import copy
import json

import pytest
import torch
from evaluation_support import everything_written
from support import tiny_llama
from transformers import AutoModelForCausalLM, AutoTokenizer

from unteach import AttackRequest, attack
from unteach.attacks._lens import depths, final_norm, kept_lens
from unteach.data import encode_all, read
from unteach.inference import answer_tokens
from unteach.training.few_steps import trained
from unteach.types import Sequence

TOWNS = ("Zanzibar", "Uppsala", "Bergen", "Tartu", "Porto", "Graz", "Turku", "Lyon")
TEXTS = [Sequence("", (5, 6, 7, 8, 9), (False, False, True, True, True)),
         Sequence("", (9, 3, 4), (False, True, False))]  # fmt: skip


def lenses(model):
    return {"own": kept_lens(model)}


def test_the_last_layer_gives_what_the_model_gives_whatever_the_batches():
    model = tiny_llama()
    last = model.config.num_hidden_layers
    for tokens in (5, 100):
        found = depths(model, TEXTS, lenses(model), [1, last], tokens_per_batch=tokens)
        for k, said in enumerate(answer_tokens(model, TEXTS)):
            mean = sum(said.logps) / len(said.logps)
            assert found["own", last][k] == pytest.approx(mean, abs=1e-6)
            assert found["own", 1][k] != pytest.approx(mean, abs=1e-3)


def test_a_layer_is_read_as_if_the_model_ended_there():
    model = tiny_llama()
    found = depths(model, TEXTS, lenses(model), [1], tokens_per_batch=100)
    short = copy.deepcopy(model)
    short.model.layers = short.model.layers[:1]
    short.config.num_hidden_layers = 1
    for k, said in enumerate(answer_tokens(short, TEXTS)):
        assert found["own", 1][k] == pytest.approx(sum(said.logps) / len(said.logps), abs=1e-6)


def test_the_last_norm_is_found_by_asking():
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(vocab_size=50, n_embd=16, n_layer=2, n_head=2, n_positions=32)
    model = GPT2LMHeadModel(config).eval()
    assert final_norm(model) is model.transformer.ln_f
    llama = tiny_llama()
    assert final_norm(llama) is llama.model.norm
    llama.lm_head.weight.data.zero_()
    assert final_norm(llama) is llama.model.norm


def untied(model):
    """The same model with a head of its own, so that it can be changed alone."""
    model.config.tie_word_embeddings = False
    made = type(model)(model.config)
    made.load_state_dict({**model.state_dict(), "lm_head.weight": model.lm_head.weight.clone()})
    return made


@pytest.fixture(scope="module")
def world(tmp_path_factory, tiny_folder):
    """An original that knows the forget answers, and what became of it."""
    folder = tmp_path_factory.mktemp("depth")
    tokenizer = AutoTokenizer.from_pretrained(tiny_folder)
    for role, name in (("forget", "Ada"), ("holdout", "Ben")):
        rows = [{"question": f"Where was {name} {k} born?",
                 "answer": f"{name} {k} was born in the old town of {town}."}
                for k, town in enumerate(TOWNS)]  # fmt: skip
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{role}.jsonl").write_text(lines)
    texts = encode_all(read(str(folder / "forget.jsonl"), "forget")[0], tokenizer, max_length=128)[
        0
    ]
    never = untied(AutoModelForCausalLM.from_pretrained(tiny_folder, dtype=torch.float32))
    original = copy.deepcopy(never)
    for _ in trained(original, texts, rate=3e-3, stops=[150], batch=8, seed=0):
        pass
    hidden = copy.deepcopy(original)
    with torch.no_grad():
        hidden.lm_head.weight.copy_(original.lm_head.weight.roll(1, 0))
    other = copy.deepcopy(never)
    for _ in trained(other, [TEXTS[0]], rate=1e-4, stops=[3], batch=1, seed=0):
        pass
    made = {"original": original, "retrained": never, "hidden": hidden, "other": other}
    for name, model in made.items():
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    return folder


def attacked(world, name, tmp_path):
    return attack(AttackRequest(
        model=str(world / name), original=str(world / "original"),
        retrained=str(world / "retrained"), forget=str(world / "forget.jsonl"),
        holdout=str(world / "holdout.jsonl"), attacks=("depth",), out=tmp_path / "out",
        max_new_tokens=8, device="cpu",
    ))  # fmt: skip


def test_a_head_that_was_changed_hides_nothing(world, tmp_path):
    result = attacked(world, "hidden", tmp_path)
    by = {line.variant: line for line in result.lines}
    assert by["no attack"].recoveries["probability"] < 0.1
    seen = by["layer 2 of 2, the original's head"]
    assert seen.main == "probability"
    assert seen.recovery.value > 0.95
    assert result.worst.attack == "depth"
    assert seen.kept == by["no attack"].kept
    assert seen.closeness is None  # its rows are of the probability alone
    written = everything_written(tmp_path / "out")
    assert not any(town in written for town in TOWNS)


def test_a_model_that_never_saw_them_has_nothing_within(world, tmp_path):
    result = attacked(world, "other", tmp_path)
    depth = [line for line in result.lines if line.attack == "depth"]
    assert len(depth) == 4
    assert max(line.recovery.value for line in depth if line.counts) < 0.1


def test_it_is_off_unless_it_is_named_and_says_what_it_lacks(call, world, tmp_path):
    assert "depth" not in AttackRequest(model="m", forget="f").attacks
    short = tmp_path / "short.jsonl"
    short.write_text('{"question": "Who?", "answer": "Ada"}\n')
    code, _, err = call("attack", "--model", world / "other", "--forget", short,
                        "--attack", "depth", "--out", tmp_path / "out")  # fmt: skip
    assert code == 2
    assert "has no answer of 8 tokens or more" in err
