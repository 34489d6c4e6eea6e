"""What is uploaded, and what is not; and what a person is told where it cannot be."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from gates.test_gates import BEFORE, GONE
from hub import TOKEN
from huggingface_hub import constants

import unteach
from unteach.adapters.beside import PROCESSOR
from unteach.errors import UserError
from unteach.evaluation import push as module
from unteach.evaluation.card import write_card
from unteach.evaluation.results import judge, write
from unteach.files import CARD, PRIVATE, RUN, hashes, write_sealed
from unteach.report import Report
from unteach.settings.gates import DEFAULT, Gates
from unteach.settings.request import load

MODEL = {"config.json", "generation_config.json", "model.safetensors"}
TOKENIZER = {"tokenizer.json", "tokenizer_config.json"}
WORD = "Zanzibar"


def made(folder, tiny_folder, now=GONE, **more):
    """A result as a run leaves it, with the word of the data wherever a run may put one."""
    shutil.copytree(tiny_folder, folder)
    gates = Gates(**DEFAULT)
    rows = {"original": BEFORE, "unlearned": now}
    report = Report(**judge(rows, gates=gates), label="npo", request={"gates": DEFAULT})
    write(report, rows, folder)
    given = {"model": "/srv/ada/secret", "forget": f"/srv/ada/{WORD}.jsonl", "out": "o"}
    request = load(None, given)
    (folder / "request.yaml").write_text(request.to_yaml())
    write_card(report, request, folder)
    for name, text in more.items():
        (folder / name).write_text(text)
    listed = hashes(folder, RUN)
    files = {name: found for name, found in listed.items() if name not in (CARD, PRIVATE)}
    write_sealed(folder / RUN, {"facts": {}, "files": files})
    (folder / PRIVATE).write_text(WORD)
    (folder / "notes.py").write_text(WORD)  # of its user, and in no list
    return folder


def why(call, *args, **options):
    with pytest.raises(UserError) as error:
        call(*args, **options)
    return str(error.value)


def test_the_model_and_its_card_alone_are_uploaded(hub, tmp_path, tiny_folder):
    folder = made(tmp_path / "out", tiny_folder, **{"odd.vocab": "a b"})
    done = unteach.push(folder, "ada/forgot", private=True)
    held = hub.files["ada/forgot@main"]
    assert set(held) == MODEL | TOKENIZER | {CARD}
    assert all(held[name] == (folder / name).read_bytes() for name in held)
    assert hub.private == {"ada/forgot": True}
    assert done.url.startswith(f"{hub.endpoint}/ada/forgot/commit/")
    assert (set(done.files), done.left_out, done.older) == (set(held), ("odd.vocab",), False)
    assert WORD.encode() not in hub.sent
    assert b"/srv/ada" not in hub.sent


def test_a_repository_that_is_there_takes_a_commit_by_its_branch_alone(hub, tmp_path, tiny_folder):
    folder = made(tmp_path / "out", tiny_folder)
    hub.create({"organization": "ada", "name": "forgot"})
    before = {"pytorch_model.bin": b"old", "model-00001-of-00002.safetensors": b"old", "a.md": b"a"}
    hub.files["ada/forgot@main"] |= before
    said = why(unteach.push, folder, "ada/forgot")
    assert "exists already" in said
    assert "--revision main" in said
    assert hub.files["ada/forgot@main"] == before
    done = unteach.push(folder, "ada/forgot", revision="main")
    assert done.older
    assert set(hub.files["ada/forgot@main"]) == MODEL | TOKENIZER | {CARD, "a.md"}
    unteach.push(folder, "ada/forgot", revision="v2")
    assert set(hub.files["ada/forgot@v2"]) == MODEL | TOKENIZER | {CARD}


def test_a_result_that_failed_its_gates_goes_there_only_when_asked_again(
    hub, tmp_path, tiny_folder
):
    folder = made(tmp_path / "out", tiny_folder, now=BEFORE)
    said = why(unteach.push, folder, "ada/forgot")
    assert "failed its gates: membership AUC" in said
    assert f"unteach push {folder} ada/forgot --anyway" in said
    assert hub.asked == []
    unteach.push(folder, "ada/forgot", anyway=True)
    assert b"still recognisable" in hub.files["ada/forgot@main"][CARD]
    assert hub.private == {"ada/forgot": False}


def test_what_was_not_measured_is_not_uploaded(hub, tmp_path, tiny_folder):
    folder = made(tmp_path / "out", tiny_folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert "model.safetensors is not as it was written" in why(unteach.push, folder, "ada/a")
    assert "no finished result" in why(unteach.push, tiny_folder, "ada/a")
    assert "no finished result" in why(unteach.push, tmp_path / "none", "ada/a")
    assert hub.asked == []


@pytest.mark.parametrize(
    ("status", "told"),
    [(401, "does not take the token"), (403, "may not be written to"), (418, "with status 418")],
)
def test_refusals_are_told(status, told, hub, tmp_path, tiny_folder):
    folder = made(tmp_path / "out", tiny_folder)
    hub.refuses = status
    assert told in why(unteach.push, folder, "ada/forgot")


def test_everything_that_is_missing_is_told_at_once(hub, tmp_path, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    said = why(unteach.push, tmp_path / "none", "no/such/name")
    assert "no name of a repository" in said
    assert "hf auth login" in said
    assert "no finished result" in said
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set" in why(unteach.push, tmp_path / "none", "ada/a")
    assert hub.asked == []


def test_no_network_is_told(hub, tmp_path, tiny_folder, monkeypatch):
    folder = made(tmp_path / "out", tiny_folder)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    said = why(unteach.push, folder, "ada/forgot", private=True)
    assert "the hub (http://127.0.0.1:9): cannot be reached" in said
    assert f"unteach push {folder} ada/forgot --private" in said


def test_folders_of_this_machine_are_named_by_their_last_part(tmp_path):
    file = tmp_path / "adapter_config.json"
    file.write_text(json.dumps({"base_model_name_or_path": "/srv/ada/base", "r": 8}))
    found = json.loads(module.without_folders(file))
    assert found == {"base_model_name_or_path": "base", "r": 8}
    file.write_text(json.dumps({"base_model_name_or_path": "owner/name"}))
    assert module.without_folders(file) == str(file)


def test_the_list_has_all_that_a_model_is_loaded_from_and_nothing_of_a_report():
    shards = ("model-00001-of-00002.safetensors", "model.safetensors.index.json")
    adapters = ("adapter_model.safetensors", "adapter_config.json", "unteach_base.json")
    templates = ("chat_template.jinja", "additional_chat_templates/tool_use.jinja")
    loaded = {*MODEL, *TOKENIZER, *PROCESSOR, *shards, *adapters, *templates, "modeling_own.py"}
    assert [name for name in loaded if not module.MODEL_FILE.fullmatch(name)] == []
    kept = ("rows/unlearned.jsonl", "scores.json", "request.yaml", "report.html", PRIVATE, RUN)
    other = ("attacks/config.json", "known.json", "forget.jsonl", "training_args.bin", "../a.py")
    assert [name for name in (*kept, *other) if module.MODEL_FILE.fullmatch(name)] == []


def test_the_command_uploads_in_a_process_of_its_own(hub, tmp_path, tiny_folder):
    folder = made(tmp_path / "out", tiny_folder)
    hub.large = (".safetensors",)
    own = {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1"}
    kept = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    command = [sys.executable, "-m", "unteach", "push", str(folder), "ada/forgot", "--private"]
    done = subprocess.run(
        command, env={**kept, **own}, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().startswith(f"{hub.endpoint}/ada/forgot/commit/")
    assert "uploaded 6 files to ada/forgot" in done.stderr
    assert set(held := hub.files["ada/forgot@main"]) == MODEL | TOKENIZER | {CARD}
    assert held["model.safetensors"] == (folder / "model.safetensors").read_bytes()
    assert [one.split("/")[1] for one in hub.asked if one.startswith("PUT")] == ["store"]
