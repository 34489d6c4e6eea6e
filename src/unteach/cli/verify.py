"""`unteach verify`: check that a result is unchanged, and that it can be reproduced."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from unteach.cli import _options as options
from unteach.cli._json import show_json
from unteach.cli._options import argument, option
from unteach.errors import listed

SHOWN = 5  # number of files or tensors to name


def verify(
    folder: Annotated[Path, argument("A folder that `run` or `evaluate` wrote.", "DIR")],
    rerun: Annotated[
        bool, option("Also repeat the unlearning, and compare the weights.", flags="--rerun")
    ] = False,
    json: options.Json = False,
) -> None:
    """Check that a result is unchanged: each file by its hash, each score against the rows.

    With --rerun the unlearning is repeated from the result's request.yaml, in a temporary folder
    beside it, and the weights are compared. On the same machine with the same libraries they are
    equal bit for bit; otherwise the differences are printed. It takes as long as the training, and
    disk space for the weights. The hashes detect accidents: an attacker can write new ones.

    Examples:
      $ unteach verify unlearned
      $ unteach verify unlearned --rerun

    Exit codes:
      0  nothing was changed, and with --rerun the weights are equal
      1  something was changed, or the weights differ
      2  the command is wrong
    """
    from unteach.cli._show import say
    from unteach.evaluation.verify import verify as check

    say("reading every file, and computing every score again")
    found = check(folder)
    if json:
        values: dict[str, Any] = {"folder": str(folder), **asdict(found)}
        made = _repeated(folder) if rerun else None
        values |= {"rerun": {**asdict(made), "equal": made.equal}} if made else {}
        show_json(values)
        if made and not made.equal:
            raise typer.Exit(1)
        return
    files = f"{found.files} files are as they were written" if found.files else "no file is listed"
    typer.echo(f"whole: {files}; {found.scores} numbers of scores.json follow from the rows")
    if found.surplus:
        say(f"files added since: {listed(found.surplus, SHOWN)}")
    if rerun and not _again(folder):
        raise typer.Exit(1)


def _again(folder: Path) -> bool:
    """Repeat the unlearning, print the outcome, and return whether the weights are equal."""
    from unteach.cli._show import say

    made = _repeated(folder)
    if made.equal:
        typer.echo(f"repeated: all {made.tensors} tensors are the same, bit for bit")
    else:
        typer.echo(f"repeated: {len(made.differ)} of {made.tensors} tensors differ: {_most(made)}")
    for line in made.changed:
        say(f"changed since then: {line}")
    if made.same_inputs is False:
        say("changed since then: the model, data or code, or the modification time of a file")
    elif not made.equal and not made.changed:
        say("models, data, code and libraries are unchanged: was the result made elsewhere?")
    return made.equal


def _repeated(folder: Path) -> Any:
    """Repeat the unlearning, and return how the weights compare."""
    from unteach.cli._show import working

    with working() as listener:
        from unteach.rerun import rerun

        return rerun(folder, listener)


def _most(made: Any) -> str:
    """List the tensors that differ most, each with its largest difference."""
    order = sorted(made.differ.items(), key=lambda item: -item[1])
    return listed([f"{name} ({_gap(gap)})" for name, gap in order], SHOWN)


def _gap(gap: float) -> str:
    return f"by at most {gap:.2g}" if math.isfinite(gap) else "of another shape, or missing"
