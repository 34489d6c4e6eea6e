"""Model folders that hold code, pickles, or the names of files elsewhere."""

import json
import shlex
import shutil
import subprocess
import sys

import pytest
import torch
from hostile.broken import configure
from safetensors.torch import load_file

from unteach.adapters import load_adapter
from unteach.checks.model import check_model
from unteach.errors import UserError
from unteach.models.loading import load_config, load_model, load_tokenizer, source_of
from unteach.models.source import adapter_problem, commit_of, pin_note, pinned, weights_problem

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OWN = """
from transformers import LlamaConfig, LlamaForCausalLM

print("the code was run")


class OwnConfig(LlamaConfig):
    model_type = "own_model"


class OwnModel(LlamaForCausalLM):
    config_class = OwnConfig
"""


def unplain(copy):
    (copy / "model.safetensors").unlink()


def pickle_whole(copy, weights):
    torch.save(weights, copy / "pytorch_model.bin")


def pickle_shards(copy, weights):
    names = sorted(weights)
    halves = {"pytorch_model-00001-of-00002.bin": names[:9]}
    halves["pytorch_model-00002-of-00002.bin"] = names[9:]
    for file, part in halves.items():
        torch.save({name: weights[name] for name in part}, copy / file)
    of = {name: file for file, part in halves.items() for name in part}
    (copy / "pytorch_model.bin.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": of})
    )


def pickle_state(copy, weights):
    torch.save({**weights, "lm_head.weight": weights["model.embed_tokens.weight"]}, copy / "a.ckpt")


@pytest.mark.slow
@pytest.mark.parametrize("pickled", [pickle_whole, pickle_shards, pickle_state])
def test_the_command_that_converts_pickles_does(pickled, copy, weights):
    pickled(copy, weights)
    unplain(copy)
    with pytest.raises(UserError, match="pickled weights only") as caught:
        load_model(str(copy))
    hint = caught.value.problems[0].hint
    assert caught.value.problems == (weights_problem(str(copy), "--model"),)
    command = shlex.split(hint[hint.index("python -c") :])
    subprocess.run([sys.executable, *command[1:]], check=True, capture_output=True)
    made = load_model(f"{copy}-safetensors").state_dict()
    assert all(torch.equal(made[name], weight) for name, weight in weights.items())
    load_tokenizer(f"{copy}-safetensors")


def test_pickles_beside_plain_weights_are_passed_over(copy, weights):
    (copy / "pytorch_model.bin").write_bytes(b"would fail if it were read")
    check_model(str(copy), "--model")
    load_model(str(copy))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["optimizer.pt", "training_args.bin"], "has no weights"),
        (["other.safetensors"], "has no weights"),
        (["model.pth"], r"pickled weights only \(model.pth\)"),
    ],
)
def test_folders_without_plain_weights(names, message, copy):
    unplain(copy)
    for name in names:
        (copy / name).touch()
    with pytest.raises(UserError, match=message):
        check_model(str(copy), "--retrained")


@pytest.mark.parametrize(
    "name", ["../stolen.safetensors", "/a/stolen.safetensors", "..\\a.safetensors"]
)
def test_an_index_stays_in_its_folder(name, copy, weights):
    shutil.move(copy / "model.safetensors", copy.parent / "stolen.safetensors")
    index = {"metadata": {}, "weight_map": dict.fromkeys(weights, name)}
    (copy / "model.safetensors.index.json").write_text(json.dumps(index))
    for take in (lambda m: check_model(m, "--model"), load_model):
        with pytest.raises(UserError, match="outside the folder"):
            take(str(copy))


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"weight_map": 3}', "[" * 100_000, '{"weight_map": {"a": ["b"]}}']
)
def test_an_index_that_is_none(text, copy):
    unplain(copy)
    (copy / "model.safetensors.index.json").write_text(text)
    with pytest.raises(UserError, match=r"index\.json|lacks 1"):
        load_model(str(copy))


def test_links_as_the_hub_makes_them_are_followed(copy, tmp_path):
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    for number, file in enumerate(sorted(copy.iterdir())):
        file.rename(blobs / str(number))
        file.symlink_to(f"../blobs/{number}")
    check_model(str(copy), "--model")
    load_model(str(copy))
    load_tokenizer(str(copy))


@pytest.fixture
def own_code(copy):
    (copy / "own.py").write_text(OWN)
    auto = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
    configure(copy, model_type="own_model", architectures=["OwnModel"], auto_map=auto)
    return copy


def test_code_of_a_model_is_not_run_unless_asked_for(own_code, capfd, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("it asks on the terminal"))
    for take in (load_config, load_model, lambda m: check_model(m, "--model")):
        with pytest.raises(UserError, match="code of its own") as caught:
            take(str(own_code))
        assert "--trust-remote-code" in caught.value.problems[0].hint
    assert "the code was run" not in capfd.readouterr().out


def test_code_of_a_tokenizer_is_not_run_unless_asked_for(copy):
    file = copy / "tokenizer_config.json"
    of = {"AutoTokenizer": ["own.OwnTokenizer", None]}
    found = json.loads(file.read_text()) | {"tokenizer_class": "OwnTokenizer", "auto_map": of}
    file.write_text(json.dumps(found))
    (copy / "own.py").write_text("raise SystemExit('the code was run')")
    configure(copy, model_type="own_model")
    with pytest.raises(UserError, match=r"code of its own|has no tokenizer"):
        load_tokenizer(str(copy))


def test_code_of_a_model_is_run_when_asked_for(own_code, monkeypatch, tmp_path):
    from transformers import dynamic_module_utils

    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    check_model(str(own_code), "--model", trust_remote_code=True)
    model = load_model(str(own_code), trust_remote_code=True)
    assert type(model).__name__ == "OwnModel"


def test_an_attention_of_the_hub_is_code_too(copy):
    configure(copy, attn_implementation="somebody/kernel")
    with pytest.raises(UserError, match="code from the hub"):
        load_model(str(copy))


@pytest.mark.parametrize(
    "change",
    [{"hidden_size": "x"}, {"model_type": ["llama"]}, {"hidden_size": -5}, {"dtype": "os.system"}],
)
def test_configurations_with_odd_values(change, copy):
    configure(copy, **change)
    with pytest.raises(UserError, match=r"does not load|no causal head|hidden_size is -5|dtype is"):
        load_model(str(copy))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize("content", [b"[]", b"[" * 100_000, b"\xff", b"{}"])
def test_broken_files_of_a_model(name, content, copy):
    if (name, content) == ("tokenizer_config.json", b"{}"):
        pytest.skip("nothing in it is needed")
    (copy / name).write_bytes(content)
    take = load_config if name == "config.json" else load_tokenizer
    with pytest.raises(UserError):
        take(str(copy))


def test_torn_weights(copy):
    file = copy / "model.safetensors"
    file.write_bytes(file.read_bytes()[:400])
    with pytest.raises(UserError, match=r"model\.safetensors is torn"):
        load_model(str(copy))


def test_pickled_adapters_are_converted_by_the_command(tmp_path, copy):
    from peft import LoraConfig, get_peft_model

    base = load_model(str(copy))
    folder = tmp_path / "adapter"
    get_peft_model(base, LoraConfig(target_modules=["q_proj"])).save_pretrained(folder)
    weights = load_file(folder / "adapter_model.safetensors")
    torch.save(weights, folder / "adapter_model.bin")
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(UserError, match="pickled adapters only") as caught:
        load_adapter(load_model(str(copy)), folder)
    command = shlex.split(caught.value.problems[0].hint.removeprefix("convert them: "))
    subprocess.run([sys.executable, *command[1:]], check=True, capture_output=True)
    load_adapter(load_model(str(copy)), folder)


def test_adapters_name_no_modules_to_import(tmp_path):
    (tmp_path / "adapter_model.safetensors").touch()
    config = {"megatron_config": {"a": 1}, "megatron_core": "somebody.module"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    assert "names a Python module" in adapter_problem(tmp_path, "--model").what


@pytest.fixture
def hub(tmp_path, tiny_folder, monkeypatch):
    """A cache of the hub with one model in it, which has a branch and a tag."""
    from huggingface_hub import constants

    cache = tmp_path / "hub"
    here = cache / "models--owner--name"
    shutil.copytree(tiny_folder, here / "snapshots" / COMMIT)
    (here / "refs").mkdir()
    for name in ("main", "v1"):
        (here / "refs" / name).write_text(COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for module in ("transformers.utils.hub", "huggingface_hub.file_download"):
        if hasattr(sys.modules.get(module), "HF_HUB_CACHE"):
            monkeypatch.setattr(f"{module}.HF_HUB_CACHE", str(cache))
    return here


@pytest.mark.parametrize("revision", ["", "@v1", f"@{COMMIT}"])
def test_a_hub_id_is_pinned(revision, hub):
    model = f"owner/name{revision}"
    load_config(model)
    assert (commit_of(model), pinned(model)) == (COMMIT, f"owner/name@{COMMIT}")
    assert (pin_note(model, "--model") is None) == (COMMIT in model)
    load_tokenizer(model)
    assert weights_problem(model, "--model") is None
    assert source_of(load_model(model)) == pinned(model)


@pytest.mark.parametrize("model", ["owner/other", "owner/name@v2", "../name", "owner/.."])
def test_a_hub_id_that_is_not_here(model, hub):
    with pytest.raises(UserError, match=r"not in the cache of the hub|does not exist"):
        load_config(model)


def test_pickles_of_the_hub_are_refused_too(hub):
    folder = hub / "snapshots" / COMMIT
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(UserError, match="pickled weights only"):
        check_model("owner/name@v1", "--model")
