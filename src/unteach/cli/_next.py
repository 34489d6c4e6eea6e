"""After the gates: the outcome, its exit code, and the next command, made from the user's own."""

import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from unteach.cli._show import say

FAILED = 3  # exit code


def gated(report: Any, command: Callable[[Any], list[str]]) -> int:
    """Say what the gates came to and what to try next; the exit code.

    Args:
        report: with its gates; without any, only that an earlier request came back is said.
        command: from a step to the arguments that try it.
    """
    from unteach.report import gate_sentence
    from unteach.report.nextstep import next_step, step_of_earlier

    if not report.gates:
        if step := step_of_earlier(report):
            say("an earlier request came back with this run")
            say(f"next: {step.why}:")
            say(f"  {shlex.join(['unteach', *command(step)])}")
        return 0
    say(gate_sentence(report.gates))
    step = next_step(report)
    if step is None:
        return 0
    say(f"next: {step.why}:")
    say(f"  {shlex.join(['unteach', *command(step)])}")
    return FAILED


def again(step: Any, out: Path, arguments: Sequence[str] | None = None) -> list[str]:
    """The user's own arguments with a step's changes, into a folder that is free.

    Args:
        step: what to change.
        out: where this result is.
        arguments: of the command; what was typed when left out.
    """
    kept = list(sys.argv[1:] if arguments is None else arguments)
    if "--method" in step.flags:  # its options are another's
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
    """The next name of a folder that nothing stands at.

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
    """With a flag's value in the place of the one that was given; at the end where none was.

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
    """Without `--set NAME=...` and `--set NAME.part=...` of some names.

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
