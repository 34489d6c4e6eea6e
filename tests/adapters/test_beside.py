"""What goes with a written model: its processor's files, its code, and no name of code it lacks."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from unteach.adapters import LoraSettings, add_lora, load_adapter, save_model
from unteach.errors import UserError
from unteach.models.loading import load_model, load_tokenizer

CODE = """
from transformers import LlamaForCausalLM

from .configuration_x import XConfig


class XForCausalLM(LlamaForCausalLM):
    config_class = XConfig
"""
CONFIGURATION = """
from transformers import LlamaConfig


class XConfig(LlamaConfig):
    model_type = "llama"
"""
AUTO = {"AutoConfig": "configuration_x.XConfig", "AutoModelForCausalLM": "modeling_x.XForCausalLM"}


@pytest.fixture
def source(tmp_path, tiny_folder):
    """A Llama that names code of its own, which is there."""
    folder = shutil.copytree(tiny_folder, tmp_path / "source")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": AUTO}))
    (folder / "modeling_x.py").write_text(CODE)
    (folder / "configuration_x.py").write_text(CONFIGURATION)
    return folder


@pytest.fixture(autouse=True)
def modules(tmp_path, monkeypatch):
    from transformers import dynamic_module_utils

    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))


@pytest.mark.parametrize("trusted", [False, True])
def test_the_result_loads_with_and_without_code(trusted, source, tmp_path):
    (source / "processing_x.py").write_text("class XProcessor: ...")
    named = {"auto_map": {"AutoProcessor": "processing_x.XProcessor"}}
    (source / "processor_config.json").write_text(json.dumps(named))
    model = load_model(str(source), trust_remote_code=trusted)
    tokenizer = load_tokenizer(str(source), trust_remote_code=trusted)
    out = tmp_path / "out"
    save_model(model, tokenizer, out)
    shutil.rmtree(source)
    held = json.loads((out / "config.json").read_text())
    assert held.get("auto_map") == (AUTO if trusted else None)
    assert {f.name for f in out.glob("*.py")} == (
        {"modeling_x.py", "configuration_x.py", "processing_x.py"} if trusted else set()
    )
    processor = json.loads((out / "processor_config.json").read_text())
    assert processor == (named if trusted else {})
    for trust in (False, True):
        again = AutoModelForCausalLM.from_pretrained(out, trust_remote_code=trust)
        AutoTokenizer.from_pretrained(out, trust_remote_code=trust)
        weights = model.state_dict()
        assert all(torch.equal(weights[n], w) for n, w in again.state_dict().items())


def test_code_of_the_hub_is_not_named(source, tmp_path):
    config = json.loads((source / "config.json").read_text())
    auto = {name: f"owner/name--{at}" for name, at in AUTO.items()}
    (source / "config.json").write_text(json.dumps(config | {"auto_map": auto}))
    model = load_model(str(source))
    save_model(model, load_tokenizer(str(source)), tmp_path / "out")
    assert "auto_map" not in json.loads((tmp_path / "out" / "config.json").read_text())
    AutoModelForCausalLM.from_pretrained(tmp_path / "out", trust_remote_code=True)


def test_files_of_a_processor_are_carried_over(tiny_folder, tmp_path, tokenizer):
    folder = shutil.copytree(tiny_folder, tmp_path / "source")
    given = {"image_processor_type": "SomeImageProcessor", "auto_map": {"AutoProcessor": "p.P"}}
    for name in ("preprocessor_config.json", "processor_config.json", "chat_template.json"):
        (folder / name).write_text(json.dumps(given))
    (folder / "video_preprocessor_config.json").write_text("[]")
    (folder / "optimizer.pt").touch()
    (folder / "README.md").write_text("no part of the model")
    save_model(load_model(str(folder)), tokenizer, tmp_path / "out")
    written = {f.name for f in (tmp_path / "out").iterdir()}
    assert {"preprocessor_config.json", "chat_template.json"} <= written
    assert {"processor_config.json", "video_preprocessor_config.json"} <= written
    assert not written & {"optimizer.pt", "README.md", "training_args.bin"}
    held = json.loads((tmp_path / "out" / "preprocessor_config.json").read_text())
    assert held == {"image_processor_type": "SomeImageProcessor"}


def test_what_was_written_is_not_replaced(tiny_folder, tmp_path, chat_tokenizer):
    folder = shutil.copytree(tiny_folder, tmp_path / "source")
    (folder / "chat_template.jinja").write_text("another")
    save_model(load_model(str(folder)), chat_tokenizer, tmp_path / "out")
    written = (tmp_path / "out" / "chat_template.jinja").read_text()
    assert written == chat_tokenizer.chat_template


@pytest.fixture
def adapter(tiny_folder, tmp_path):
    folder = tmp_path / "adapter"
    model = add_lora(load_model(str(tiny_folder)), LoraSettings(rank=2, targets=["q_proj"]))
    model.save_pretrained(folder, save_embedding_layers=False)
    return folder


@pytest.mark.parametrize(("change", "match"), [
    (lambda n, w: None if "layers.1" in n else (n, w), r"lacks 2 of its weights \(model\.la"),
    (lambda n, w: (n.replace("layers.1", "layers.7"), w), r"lacks 2 .* holds 2 that have no"),
    (lambda n, w: (n, w[:, :1].contiguous()), "does not fit a LlamaForCausalLM"),
    (lambda n, w: (n, w * float("nan")), "NaN or infinity in 4 of its weights"),
])  # fmt: skip
def test_adapters_that_are_not_all_there(change, match, adapter, tiny_folder):
    file = adapter / "adapter_model.safetensors"
    changed = [change(name, weight) for name, weight in load_file(file).items()]
    save_file(dict(filter(None, changed)), file, metadata={"format": "pt"})
    with pytest.raises(UserError, match=match):
        load_adapter(load_model(str(tiny_folder)), adapter)


def test_adapters_are_looked_at_before_weights_are(call, adapter, tiny_folder, tmp_path):
    file = adapter / "adapter_model.safetensors"
    weights = load_file(file)
    del weights[min(weights)]
    save_file(weights, file, metadata={"format": "pt"})
    asked = tmp_path / "forget.jsonl"
    asked.write_text('{"question": "Where was Ada born?", "answer": "In the old town."}\n')
    given = ["--model", adapter, "--reference-model", tiny_folder, "--forget", asked]
    code, _, err = call("evaluate", *given, "--out", tmp_path / "out")
    assert (code, "lacks 1 of its weights" in err, "asking" in err) == (2, True, False)
