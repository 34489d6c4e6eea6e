"""Two models asked side by side, and what a bug report needs."""

import json
from importlib.metadata import version
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from typer.testing import CliRunner

from unteach.cli import app, chat
from unteach.errors import UserError


def shown(*arguments, **more):
    return CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False, **more)


def generated(folder, prompt, limit):
    """What transformers' own greedy generation says after a prompt as it is."""
    model, tokenizer = (
        kind.from_pretrained(folder) for kind in (AutoModelForCausalLM, AutoTokenizer)
    )
    ids = tokenizer(prompt, return_tensors="pt")
    said = model.generate(**ids, do_sample=False, max_new_tokens=limit)
    return tokenizer.decode(said[0][ids["input_ids"].shape[1] :], skip_special_tokens=True).strip()


def test_each_question_is_answered_by_each_model_as_it_would_be_alone(tiny_folder):
    model, tokenizer = chat._loaded(str(tiny_folder), "cpu", False)
    plain = "Question: Where?\nAnswer:"
    assert chat.answer(model, tokenizer, "Where?", 6, "plain") == generated(tiny_folder, plain, 6)
    done = shown("chat", tiny_folder, "--max-new-tokens", 6, input="Where?\n\nWho?\n/quit\nNo.\n")
    lines = done.stdout.splitlines()
    assert len([line for line in lines if line.startswith(str(tiny_folder))]) == 2


def test_a_model_twice_is_asked_once_and_answers_do_nothing_to_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(chat, "_loaded", lambda name, *_: (name, None))
    monkeypatch.setattr(chat, "answer", lambda model, *_: f"{model}\x1b[2J")
    done = shown("chat", "a", "bb", "a", input="Who?\n")
    assert done.stdout.splitlines()[:2] == ["a   a\\x1b[2J", "bb  bb\\x1b[2J"]


def test_a_template_that_is_none(tiny_folder):
    with pytest.raises(UserError, match="--template: is no template"):
        shown("chat", tiny_folder, "--template", "llama")


def test_what_a_bug_report_needs_and_no_path(monkeypatch):
    found = json.loads(shown("env", "--json").stdout)
    assert found["torch"] == version("torch")
    assert found["processors"] >= 1
    assert "/" not in json.dumps(found)
    card = SimpleNamespace(total_memory=24e9)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda k: card)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda k: "Card 9")
    assert "devices" in shown("env").stdout
    assert json.loads(shown("env", "--json").stdout)["devices"] == ["Card 9 (24 GB)"]
