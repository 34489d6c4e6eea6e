"""Print the outcome of the gates and the next command, and return the exit code."""

import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from unteach.cli._show import say

FAILED = 3  # exit code of a failed gate


def gated(report: Any, command: Callable[[Any], list[str]]) -> int:
    """Print the outcome of the gates and what to try next; return the exit code.

    Args:
        report: the report; without gates the exit code is 0, whatever is wrong.
        command: function from a `report.nextstep` step to command line arguments.
    """
    from unteach.report import gate_sentence
    from unteach.report.nextstep import next_step, step_of_earlier

    if not report.gates:
        if step := step_of_earlier(report):
            say("an earlier request came back with this run")
    else:
        say(gate_sentence(report.gates))
        step = None
    if (step := step or next_step(report)) is None:
        return 0
    say(f"next: {step.why}:")
    say(f"  {shlex.join(['unteach', *command(step)])}")
    return FAILED if report.gates else 0


def again(step: Any, out: Path, arguments: Sequence[str] | None = None) -> list[str]:
    """Return the user's arguments with the changes of a step, and a new output folder.

    Args:
        step: the changes.
        out: folder of this result.
        arguments: arguments of the command; by default those of this process.
    """
    kept = list(sys.argv[1:] if arguments is None else arguments)
    if "--method" in step.flags:  # options of the old method do not fit the new one
        kept = _without_settings(kept, ["method"])
    kept = _without_settings(kept, list(step.sets))
    for flag, value in {**step.flags, "--out": str(free(out))}.items():
        kept = _put(kept, flag, value)
    for name, value in step.sets.items():
        kept += ["--set", f"{name}={value}"]
    several = int(os.environ.get("WORLD_SIZE", "1"))
    if several > 1 and "--processes" not in kept:
        kept += ["--processes", str(several)]
    return kept


def free(out: Path) -> Path:
    """Return the next numbered name of a folder that does not exist.

    Example:
        >>> free(Path("no/such-1")).name, free(Path("no/such")).name
        ('such-2', 'such-2')
    """
    stem = re.sub(r"-\d{1,3}$", "", out.name)
    number = int(out.name.removeprefix(f"{stem}-") or 1) if stem != out.name else 1
    while True:
        number += 1
        there = out.with_name(f"{stem}-{number}")
        if not there.exists():
            return there


def _put(arguments: list[str], flag: str, value: str) -> list[str]:
    """Replace the value of a flag; append flag and value if it was not given.

    Example:
        >>> _put(["run", "--out", "a"], "--out", "b"), _put(["run", "--out=a"], "--out", "b")
        (['run', '--out', 'b'], ['run', '--out', 'b'])
    """
    for k, argument in enumerate(arguments):
        if argument == flag:
            return [*arguments[: k + 1], value, *arguments[k + 2 :]]
        if argument.startswith(f"{flag}="):
            return [*arguments[:k], flag, value, *arguments[k + 1 :]]
    return [*arguments, flag, value]


def _without_settings(arguments: list[str], names: list[str]) -> list[str]:
    """Remove `--set NAME=...` and `--set NAME.part=...` of some names.

    Example:
        >>> _without_settings(["run", "--set", "a.b=1", "--set=c=2", "--set", "d=3"], ["a", "c"])
        ['run', '--set', 'd=3']
    """
    kept: list[str] = []
    skip = False
    for k, argument in enumerate(arguments):
        if skip:
            skip = False
            continue
        setting = ""
        if argument == "--set" and k + 1 < len(arguments):
            setting = arguments[k + 1]
        elif argument.startswith("--set="):
            setting = argument.removeprefix("--set=")
        key = setting.partition("=")[0]
        if setting and any(key == name or key.startswith(f"{name}.") for name in names):
            skip = argument == "--set"
            continue
        kept.append(argument)
    return kept
