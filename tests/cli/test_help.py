"""Each help text has examples, and these are commands that there are."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from unteach.cli import app

GROUP = typer.main.get_command(app)


def commands(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


COMMANDS = dict(commands(GROUP))


def examples(text: str) -> list[list[str]]:
    """The arguments of each example."""
    _, _, listed = text.partition("Examples:\n")
    listed = listed.partition("\n\n")[0]
    return [shlex.split(one) for one in re.split(r"^\$ ", listed, flags=re.M)[1:]]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_example_is_a_command_with_flags_that_exist(name):
    found = examples(COMMANDS[name].help or "")
    assert found, "no example"
    assert any(" ".join(one[1:]).startswith(name) for one in found)
    for one in found:
        assert one[0] == "unteach"
        called = " ".join(one[1:3]) if one[1] == "ledger" else one[1]
        known = {flag for parameter in COMMANDS[called].params for flag in parameter.opts}
        flags = {argument for argument in one if argument.startswith("--")}
        assert flags <= known, called


def test_the_main_help_has_examples_and_every_exit_code():
    text = GROUP.help or ""
    assert examples(text)
    for code in ("0", "1", "2", "3"):
        assert f"\n{code}  " in text


def test_the_first_options_are_those_that_a_new_user_needs():
    for name in ("run", "check"):
        flags = [p.opts[0] for p in COMMANDS[name].params if p.opts[0].startswith("--")]
        assert flags[:5] == ["--model", "--forget", "--out", "--retain", "--holdout"]
