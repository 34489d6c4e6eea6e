"""`unteach verify`: whether a result is as it was written, and whether it comes out again."""

import math
from pathlib import Path
from typing import Annotated, Any

import typer

SHOWN = 5  # files, or tensors, that are named


def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `run` or `evaluate` wrote.")],
    rerun: Annotated[
        bool, typer.Option("--rerun", help="Also repeat the removal, and compare the weights.")
    ] = False,
) -> None:
    """Check that a result is whole: every file by its hash, every score anew from the rows.

    With --rerun the removal is done once more, as the result's request.yaml says, in a temporary
    folder beside it; on the same machine with the same libraries every bit comes out again. Where
    not, it is said what differs. It takes as long as training did, and room for the weights.

    Exit 0 when all is as it was written, 1 when something is not. The hashes are against accidents:
    whoever means harm can write new ones.
    """
    from unteach.cli._show import say
    from unteach.evaluation.verify import verify as check

    say("reading every file, and computing every score anew")
    found = check(folder)
    files = f"{found.files} files are as they were written" if found.files else "no file is listed"
    typer.echo(f"whole: {files}; {found.scores} numbers of scores.json follow from the rows")
    if found.surplus:
        more = f" and {len(found.surplus) - SHOWN} more" if len(found.surplus) > SHOWN else ""
        say(f"there since: {', '.join(found.surplus[:SHOWN])}{more}")
    if rerun and not _again(folder):
        raise typer.Exit(1)


def _again(folder: Path) -> bool:
    """Whether the removal gives the same weights again; told either way."""
    from unteach.cli._show import say, shown_progress

    say("starting (loading libraries takes a few seconds)")
    from unteach.cli._show import hush
    from unteach.rerun import rerun

    hush()
    with shown_progress() as listener:
        made = rerun(folder, listener)
    if made.equal:
        typer.echo(f"done again: all {made.tensors} tensors are the same, bit for bit")
    else:
        typer.echo(
            f"done again: {len(made.differ)} of {made.tensors} tensors differ: {_most(made)}"
        )
    for line in made.changed:
        say(f"other than then: {line}")
    if made.same_inputs is False:
        say("other than then: the request's model, data or code, or the time of a file's change")
    elif not made.equal and not made.changed:
        say("models, data, code and libraries are those of then: was it made on another machine?")
    return made.equal


def _most(made: Any) -> str:
    """The tensors that differ most, each with its largest difference."""
    order = sorted(made.differ.items(), key=lambda item: -item[1])
    listed = [f"{name} ({_gap(gap)})" for name, gap in order[:SHOWN]]
    return ", ".join(listed) + (f" and {len(order) - SHOWN} more" if len(order) > SHOWN else "")


def _gap(gap: float) -> str:
    return f"by at most {gap:.2g}" if math.isfinite(gap) else "of another shape, or missing"
