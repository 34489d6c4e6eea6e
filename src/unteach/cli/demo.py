"""`unteach demo`: unlearning and its evaluation on a small made-up world."""

from pathlib import Path
from typing import Annotated

import typer

from unteach.cli._json import show_document


def demo(
    method: Annotated[
        str, typer.Option(metavar="NAME", help="A method (`unteach methods` lists them), or all.")
    ] = "unseen",
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="The folder to write to; an earlier demo in it is replaced."
        ),
    ] = Path("unteach-demo"),
    seed: Annotated[int, typer.Option(min=0, help="Seed of the world and the models.")] = 0,
    preset: Annotated[
        str, typer.Option(help="Size of the world: default, or tiny (half a minute).")
    ] = "default",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of processes; by default the number of cores.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print scores.json instead of the table.")
    ] = False,
) -> None:
    """Unlearn on a small made-up world: no network and no downloads, a few minutes on a CPU.

    Trains a tiny model on facts about made-up people (original) and another one on all people but
    ten (retrained), unlearns these ten from the original, and compares the three models.

    Examples:
      $ unteach demo
      $ unteach demo --preset tiny --method npo --out demo-npo
    """
    from unteach.cli._show import board, say, show_table
    from unteach.demo.run import is_demo, run
    from unteach.demo.settings import PRESETS, methods
    from unteach.errors import Problem, UserError
    from unteach.files import check_out
    from unteach.registry import did_you_mean
    from unteach.report import to_json

    problems = check_out(out, overwrite=is_demo(out))
    for flag, name, known in (
        ("--method", method, [*methods(), "all"]),
        ("--preset", preset, list(PRESETS)),
    ):
        if name not in known:
            hint = f"{did_you_mean(name, known)} Known: {', '.join(known)}".strip()
            problems.append(Problem(flag, f'"{name}" is not known', hint, "request"))
    if problems:
        raise UserError(*problems)
    with board() as shown:
        report = run(out, method, board=shown, seed=seed, preset=preset, workers=workers)
    if json:
        show_document(to_json(report))
    else:
        show_table(report)
    say("")
    took = f"{report.facts['seconds']:.0f} s"
    say(f"models, data, report.html and report.md are in {out}, after {took};")
    say("compare with `retrained`, which never saw the people to forget")
