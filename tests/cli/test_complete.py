"""What the Tab key offers, asked as the scripts ask that typer writes for the shells."""

import json
import os
import subprocess
import sys

import pytest

from unteach.attacks import ATTACKS
from unteach.cli import main
from unteach.methods._headers import known
from unteach.settings.listing import settings
from unteach.suites import SUITES

HEAVY = ("torch", "transformers", "peft", "datasets", "accelerate", "huggingface_hub")
PROGRAM = f"""
import json, os, sys
from unteach.cli import main
sys.argv = ["unteach"]
for environment in json.load(sys.stdin):
    os.environ.update(environment)
    try:
        main()
    except SystemExit as stop:
        assert not stop.code, stop.code
print(*(name for name in {HEAVY} if name in sys.modules), file=sys.stderr)
"""


@pytest.fixture
def asked(monkeypatch, capsys):
    """The lines that a shell reads."""

    def ask(**environment) -> list[str]:
        with monkeypatch.context() as patch:
            patch.setattr("sys.argv", ["unteach"])
            # Else the program is called "python -m pytest".
            patch.setattr(sys.modules["__main__"], "__package__", None, raising=False)
            patch.setattr("os.environ", {**os.environ, **environment})
            with pytest.raises(SystemExit) as stopped:
                main()
        assert not stopped.value.code
        printed = capsys.readouterr().out
        return printed.split("\n")[:-1] if printed.strip() else []

    return ask


def typed(*words) -> dict[str, str]:
    """What bash asks with: the cursor is at the end of the last word."""
    line = "\n".join(("unteach", *words))
    return {"_UNTEACH_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words))}


@pytest.fixture
def bash(asked):
    return lambda *words: asked(**typed(*words))


def test_no_heavy_library_is_loaded_for_them():
    some = [("run", "--method", ""), ("evaluate", "--suite", "tofu", "--set", "sp"),
            ("attack", "--attack", "relearn", "--set", ""), ("run", "--set", ""),
            ("run", "--method", "npo", "--set", "method.b")]  # fmt: skip
    command, given = [sys.executable, "-c", PROGRAM], json.dumps([typed(*words) for words in some])
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "method.beta=" in done.stdout
    assert done.stderr.split() == []


def test_names_of_methods(bash):
    assert bash("run", "--method", "") == [*known()]
    assert bash("check", "--method", "uni") == ["unilogit"]


def test_names_of_suites_and_their_options(bash):
    assert bash("evaluate", "--suite", "") == [*SUITES]
    assert bash("evaluate", "--suite", "tofu", "--set", "sp") == [
        "split=", "split=forget01", "split=forget05", "split=forget10",
    ]  # fmt: skip


def test_names_of_attacks_one_after_the_other(bash):
    assert bash("run", "--attack", "int4,") == [f"int4,{n}" for n in ATTACKS if n != "int4"]
    assert bash("attack", "--attack", "relearn", "--set", "int4.") == []
    assert "relearn.steps=" in bash("attack", "--attack", "relearn", "--set", "")


def test_every_setting_and_the_values_of_one_that_has_choices(bash):
    offered = bash("run", "--set", "")
    assert offered == [f"{setting.name}=" for setting in settings()]
    assert bash("run", "--set", "data.te") == [
        "data.template=", "data.template=auto", "data.template=chat", "data.template=plain",
        "data.template=none",
    ]  # fmt: skip
    assert bash("run", "--set", "train.seed") == ["train.seed=", "train.seed=0"]


def test_options_of_the_method_that_was_named(bash):
    assert bash("run", "--method", "npo", "--set", "method.b") == [
        "method.beta=",
        "method.beta=0.1",
    ]
    assert "method.beta=" not in bash("run", "--method", "ascent", "--set", "method.")


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (("data.template", "="), ["auto", "chat", "plain", "none"]),
        (("data.template", "=", "c"), ["chat"]),
        (("train.deterministic", "=", "t"), ["true"]),
    ],
)
def test_bash_parts_words_at_the_sign_and_gets_the_value_alone(words, values, bash):
    assert bash("run", "--set", *words) == values


def test_other_shells_get_the_whole_word(asked):
    zsh = {"_UNTEACH_COMPLETE": "complete_zsh"}
    (line,) = asked(**zsh, _TYPER_COMPLETE_ARGS="unteach run --set data.template=c")
    assert line == "_arguments '*: :((\"data.template=chat\"))'"
    fish = {"_UNTEACH_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    lines = asked(**fish, _TYPER_COMPLETE_ARGS="unteach run --method ")
    assert [line.split("\t")[0] for line in lines] == [*known()]
    assert all(len(line.split("\t")[1]) > 10 for line in lines)


def test_an_empty_value_is_no_mistake_yet(call, bash):
    """It is one as soon as the command is given."""
    assert bash("run", "--model", '""', "--method", "np") == ["npo"]
    code, _, err = call("run", "--model", "", "--method", "npo")
    assert code == 2
    assert "--model: is empty" in err
