"""What the Tab key offers, asked as the scripts ask that typer writes for the shells."""

import os
import subprocess
import sys

import pytest

from unteach.attacks import ATTACKS
from unteach.methods._headers import known
from unteach.settings.listing import settings
from unteach.suites import SUITES

COMMAND = "sys.argv = ['unteach']; from unteach.cli import main; main()"
WATCHED = """
import atexit, sys
heavy = ("torch", "transformers", "peft", "datasets", "accelerate", "huggingface_hub")
atexit.register(lambda: print(*(m for m in heavy if m in sys.modules), file=sys.stderr))
"""


def asked(**environment) -> list[str]:
    """The lines that a shell reads; none of the heavy libraries was loaded for them."""
    done = subprocess.run(
        [sys.executable, "-c", WATCHED + COMMAND], capture_output=True, text=True, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.split() == []
    return done.stdout.split("\n")[:-1] if done.stdout.strip() else []


def bash(*words) -> list[str]:
    """The cursor is at the end of the last word."""
    typed = "\n".join(("unteach", *words))
    return asked(_UNTEACH_COMPLETE="complete_bash", COMP_WORDS=typed, COMP_CWORD=str(len(words)))


def test_names_of_methods():
    assert bash("run", "--method", "") == [*known()]
    assert bash("check", "--method", "uni") == ["unilogit"]


def test_names_of_suites_and_their_options():
    assert bash("evaluate", "--suite", "") == [*SUITES]
    assert bash("evaluate", "--suite", "tofu", "--set", "sp") == [
        "split=", "split=forget01", "split=forget05", "split=forget10",
    ]  # fmt: skip


def test_names_of_attacks_one_after_the_other():
    assert bash("run", "--attack", "int4,") == [f"int4,{n}" for n in ATTACKS if n != "int4"]
    assert bash("attack", "--attack", "relearn", "--set", "int4.") == []
    assert "relearn.steps=" in bash("attack", "--attack", "relearn", "--set", "")


def test_every_setting_and_the_values_of_one_that_has_choices():
    offered = bash("run", "--set", "")
    assert offered == [f"{setting.name}=" for setting in settings()]
    assert bash("run", "--set", "data.te") == [
        "data.template=", "data.template=auto", "data.template=chat", "data.template=plain",
        "data.template=none",
    ]  # fmt: skip
    assert bash("run", "--set", "train.seed") == ["train.seed=", "train.seed=0"]


def test_options_of_the_method_that_was_named():
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
def test_bash_parts_words_at_the_sign_and_gets_the_value_alone(words, values):
    assert bash("run", "--set", *words) == values


def test_other_shells_get_the_whole_word():
    zsh = {"_UNTEACH_COMPLETE": "complete_zsh"}
    (line,) = asked(**zsh, _TYPER_COMPLETE_ARGS="unteach run --set data.template=c")
    assert line == "_arguments '*: :((\"data.template=chat\"))'"
    fish = {"_UNTEACH_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    lines = asked(**fish, _TYPER_COMPLETE_ARGS="unteach run --method ")
    assert [line.split("\t")[0] for line in lines] == [*known()]
    assert all(len(line.split("\t")[1]) > 10 for line in lines)


def test_an_empty_value_is_no_mistake_yet(call):
    """It is one as soon as the command is given."""
    assert bash("run", "--model", '""', "--method", "np") == ["npo"]
    code, _, err = call("run", "--model", "", "--method", "npo")
    assert code == 2
    assert "--model: is empty" in err
