"""`unteach demo`: unlearning and its evaluation on a small made-up world."""

from pathlib import Path
from typing import Annotated

from unteach.cli._json import show_document
from unteach.cli._options import option


def demo(
    method: Annotated[
        str, option("A method (`unteach methods` lists them), or all.", "NAME")
    ] = "unseen",
    out: Annotated[
        Path, option("The folder to write to; an earlier demo in it is replaced.", "DIR")
    ] = Path("unteach-demo"),
    seed: Annotated[int, option("Seed of the world and the models.", min=0)] = 0,
    preset: Annotated[
        str, option("Size of the world: default, or tiny (half a minute).")
    ] = "default",
    workers: Annotated[
        int | None, option("Number of processes; by default the number of cores.", min=1)
    ] = None,
    json: Annotated[
        bool, option("Print scores.json instead of the table.", flags="--json")
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
    from unteach.registry import nearest
    from unteach.report import to_json

    problems = check_out(out, overwrite=is_demo(out))
    for flag, name, known in (
        ("--method", method, [*methods(), "all"]),
        ("--preset", preset, list(PRESETS)),
    ):
        if name not in known:
            what = f'"{name}" is not known'
            problems.append(Problem(flag, what, nearest(name, known), "request"))
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
