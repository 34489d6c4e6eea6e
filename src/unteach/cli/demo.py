"""`unteach demo`: the main job on an embedded world."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    method: Annotated[
        str, typer.Option(metavar="NAME", help="One of `unteach methods`, or all.")
    ] = "unseen",
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder to make; an earlier demo is replaced.")
    ] = Path("unteach-demo"),
    seed: Annotated[int, typer.Option(min=0, help="Of the world and the models.")] = 0,
    preset: Annotated[str, typer.Option(help="default, or tiny (half a minute).")] = "default",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes of one thread each; the cores if left out.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print scores.json instead of the table.")
    ] = False,
) -> None:
    """Show the main job on a small made-up world: no network, no weights, a few minutes.

    Trains one tiny model on a world of made-up people, another on all but ten of them, takes the
    ten out of the first, and compares.
    """
    from unteach.cli._show import board, say, show_table
    from unteach.demo.run import is_demo, run
    from unteach.demo.settings import PRESETS, TRAIN
    from unteach.errors import Problem, UserError
    from unteach.files import check_out
    from unteach.registry import did_you_mean
    from unteach.report import to_json

    problems = check_out(out, overwrite=is_demo(out))
    for flag, name, known in (("--method", method, [*TRAIN, "all"]), ("--preset", preset, PRESETS)):
        if name not in known:
            hint = f"{did_you_mean(name, list(known))} Known: {', '.join(known)}".strip()
            problems.append(Problem(flag, f'"{name}" is not known', hint, "request"))
    if problems:
        raise UserError(*problems)
    with board() as shown:
        report = run(out, method, board=shown, seed=seed, preset=preset, workers=workers)
    if json:
        typer.echo(to_json(report))
    else:
        show_table(report)
    say("")
    took = f"{report.facts['seconds']:.0f} s"
    say(f"models, data, report.html and report.md are in {out}, after {took};")
    say("`retrained` is the yardstick: it never saw the people to forget")
