"""Models beside the one that forgets: other tokens, other lengths and lost weights are told."""

import json
import shutil
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel

from unteach import pipeline
from unteach.checks.model_pair import ModelInfo, unlike
from unteach.checks.request import check
from unteach.errors import UserError
from unteach.evaluation import of_run
from unteach.evaluation.check import check as check_evaluation
from unteach.evaluation.request import evaluation_request as evaluation
from unteach.models.loading import load_model, load_tokenizer
from unteach.progress import NoProgress
from unteach.settings.request import load


def rows(name, count=3):
    asked = [
        {"question": f"Where is {name} {k}?", "answer": f"{name} in Lund."} for k in range(count)
    ]
    return "".join(json.dumps(row) + "\n" for row in asked)


@pytest.fixture
def files(tmp_path):
    for role in ("forget", "retain"):
        (tmp_path / f"{role}.jsonl").write_text(rows(role.title()))
    return tmp_path


@pytest.fixture
def asked(files, tiny_folder):
    def request(*sets, **given):
        named = {role: str(files / f"{role}.jsonl") for role in ("forget", "retain")}
        named |= {"model": str(tiny_folder), "out": str(files / "out")}
        return load(None, named | given, list(sets))

    return request


def renumbered(folder, into):
    """The very same function of a text, by a tokenizer with two tokens in each other's place."""
    shutil.copytree(folder, into)
    file = into / "tokenizer.json"
    found = json.loads(file.read_text())
    vocabulary = found["model"]["vocab"]
    (a, i), (b, j) = list(vocabulary.items())[-2:]
    vocabulary[a], vocabulary[b] = j, i
    file.write_text(json.dumps(found))
    weights = load_file(into / "model.safetensors")
    embedding = weights["model.embed_tokens.weight"]
    embedding[[i, j]] = embedding[[j, i]]
    save_file(weights, into / "model.safetensors", metadata={"format": "pt"})
    return into


def widened(folder, into):
    model = AutoModelForCausalLM.from_pretrained(folder)
    model.resize_token_embeddings(len(AutoTokenizer.from_pretrained(folder)) + 8)
    model.save_pretrained(into)
    AutoTokenizer.from_pretrained(folder).save_pretrained(into)
    return into


def shortened(folder, into):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    config = GPT2Config(
        vocab_size=len(tokenizer), n_embd=16, n_head=2, n_layer=1, n_positions=16,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(into)
    tokenizer.save_pretrained(into)
    return into


def speechless(folder, into):
    return shutil.copytree(folder, into, ignore=shutil.ignore_patterns("tokenizer*"))


UNLIKE = {
    renumbered: "has another tokenizer than --model",
    widened: r"has a vocabulary of \d+ tokens, and --model one of",
    shortened: "reads 16 tokens, and the texts have up to 128",
    speechless: r"has no tokenizer that loads \(there is no tokenizer.json\)",
}


@pytest.mark.parametrize("flag", ["retrained", "base"])
@pytest.mark.parametrize("make", UNLIKE)
def test_a_model_beside_that_is_not_read_alike(make, flag, asked, files, tiny_folder):
    other = make(tiny_folder, files / "other")
    with pytest.raises(UserError, match=UNLIKE[make]) as caught:
        check(asked(method="unseen", **{flag: str(other)}))
    assert [p.where for p in caught.value.problems if p.kind != "note"] == [f"--{flag} {other}"]


def test_a_retrained_model_that_is_read_alike(asked, files, tiny_folder):
    check(asked(retrained=str(shutil.copytree(tiny_folder, files / "other"))))


def test_a_base_of_another_tokenizer_or_size_is_no_teacher():
    def one(vocabulary, size):
        config = SimpleNamespace(vocab_size=size)
        config.get_text_config = lambda: config
        return ModelInfo(config, SimpleNamespace(get_vocab=lambda: vocabulary))

    assert unlike(one({"a": 0}, 8), one({"a": 0}, 8)) == ("", "")
    assert "tokenizer" in unlike(one({"b": 0}, 8), one({"a": 0}, 8))[0]
    assert "vocabulary" in unlike(one({"a": 0}, 9), one({"a": 0}, 8))[0]


@pytest.mark.parametrize("given", [{"model": True}, {"retrained": True}])
def test_an_evaluation_beside_a_model_of_other_tokens(given, files, tiny_folder):
    other = str(renumbered(tiny_folder, files / "other"))
    model = other if "model" in given else str(tiny_folder)
    options = {role: str(files / f"{role}.jsonl") for role in ("forget", "retain")}
    with pytest.raises(UserError, match="has another tokenizer than --reference-model") as caught:
        check_evaluation(
            evaluation(
                models={"model": model},
                original=str(tiny_folder),
                retrained=other if "retrained" in given else None,
                out=files / "out",
                options=options,
            )
        )
    (problem,) = caught.value.problems
    assert problem.where == f"--{next(iter(given))} {other}"


def test_no_numbers_in_the_base_are_told_before_anything_is_asked(
    asked, files, tiny_folder, monkeypatch
):
    base = shutil.copytree(tiny_folder, files / "base")
    weights = load_file(base / "model.safetensors")
    weights["model.norm.weight"][0] = torch.nan
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    monkeypatch.setattr(pipeline, "rows_of", lambda *_: pytest.fail("a model was asked"))
    with pytest.raises(UserError, match=rf"--base {base}: NaN or infinity is in 1"):
        pipeline.run(asked(method="unseen", base=str(base)))


@pytest.mark.parametrize("load_it", [load_model, load_tokenizer])
def test_what_does_not_load_is_called_by_its_flag(load_it, tmp_path):
    with pytest.raises(UserError, match=rf"--retrained {tmp_path}: "):
        load_it(str(tmp_path), flag="--retrained")


def test_a_retrained_model_is_called_so_as_it_is_asked(asked, files, tiny_folder):
    retrained = shutil.copytree(tiny_folder, files / "other")
    asked = of_run.RunEvaluation(check(asked(retrained=str(retrained))))
    (retrained / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(UserError, match=f"--retrained {retrained}: "):
        asked.answers("retrained", str(retrained), NoProgress())


@pytest.fixture
def added(files, tiny_folder):
    """A model whose tokenizer was given a token that the model has no row for."""
    folder = shutil.copytree(tiny_folder, files / "added")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["Tom"])
    tokenizer.save_pretrained(folder)
    return folder


BESIDE = {
    "perturbed_answer": ["Tom"],
    "paraphrased_answer": "By Tom",
    "alternate": "Tom",
}


@pytest.mark.parametrize("column", BESIDE)
def test_tokens_without_a_row_in_answers_beside(column, asked, files, added):
    row = {"question": "Who?", "answer": "Ben.", column: BESIDE[column]}
    (files / "forget.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(UserError, match="the forget set has 1 kinds of tokens beyond") as caught:
        check(asked(model=str(added)))
    assert "Tom" not in str(caught.value)
    options = {role: str(files / f"{role}.jsonl") for role in ("forget", "retain")}
    with pytest.raises(UserError, match="the forget set has 1 kinds of tokens beyond"):
        check_evaluation(
            evaluation(models={"model": str(added)}, out=files / "out", options=options)
        )


@pytest.mark.parametrize(
    ("method", "setting"), [("idk", "data.refusals"), ("jensun", "data.refusal")]
)
def test_tokens_without_a_row_in_refusals(method, setting, asked, files, added):
    (files / "refusals.txt").write_text("Ask Tom\n")
    value = files / "refusals.txt" if setting.endswith("s") else "Tom"
    with pytest.raises(UserError, match=f"{setting} has 1 kinds of tokens beyond"):
        check(asked(f"{setting}={value}", model=str(added), method=method))
    check(asked(model=str(added), method=method))
