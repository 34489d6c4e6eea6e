"""Models that bring code, and models of the hub, by the commands that take them."""

import json
import shutil

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OWN = """
from transformers import LlamaConfig, LlamaForCausalLM


class OwnConfig(LlamaConfig):
    model_type = "own_model"


class OwnModel(LlamaForCausalLM):
    config_class = OwnConfig
"""


@pytest.fixture
def given(tmp_path):
    file = tmp_path / "forget.jsonl"
    file.write_text('{"question": "Where was Ada born?", "answer": "In Lund."}\n')
    return ["--forget", file, "--out", tmp_path / "out"]


def test_code_is_run_when_asked_for_alone(call, given, tmp_path, tiny_folder, monkeypatch):
    from transformers import dynamic_module_utils

    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    model = shutil.copytree(tiny_folder, tmp_path / "model")
    (model / "own.py").write_text(OWN)
    config = json.loads((model / "config.json").read_text())
    auto = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
    config |= {"model_type": "own_model", "architectures": ["OwnModel"], "auto_map": auto}
    (model / "config.json").write_text(json.dumps(config))
    code, _, err = call("check", "--model", model, *given)
    assert (code, "add --trust-remote-code" in err) == (2, True)
    code, _, err = call("check", "--model", model, *given, "--trust-remote-code")
    assert code == 0
    code, _, err = call("evaluate", "--model", model, *given)
    assert (code, "add --trust-remote-code" in err) == (2, True)


@pytest.mark.parametrize("revision", ["", "@v1", f"@{COMMIT}"])
def test_the_commit_of_a_hub_id_is_said(revision, call, given, tmp_path, tiny_folder, monkeypatch):
    from huggingface_hub import constants

    here = tmp_path / "hub" / "models--owner--name"
    shutil.copytree(tiny_folder, here / "snapshots" / COMMIT)
    (here / "refs").mkdir()
    for name in ("main", "v1"):
        (here / "refs" / name).write_text(COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    code, _, err = call("check", "--model", f"owner/name{revision}", *given)
    assert code == 0
    assert (f"is commit {COMMIT} today" in err) == (COMMIT not in revision)
    from unteach.checks.request import check
    from unteach.settings.request import load

    flags = {"model": f"owner/name{revision}", "forget": str(given[1]), "out": str(given[3])}
    assert check(load(None, flags)).request.model == f"owner/name@{COMMIT}"
