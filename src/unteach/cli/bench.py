"""`unteach bench`: many methods, equal budgets, several seeds, one table."""

from pathlib import Path
from typing import Annotated

import typer

from unteach.cli import _options as options
from unteach.cli._json import show_document
from unteach.errors import Problem, UserError

Methods = Annotated[
    str | None, typer.Option(metavar="NAME,NAME|all", help="Methods in the table; by default all.")
]
Epochs = Annotated[
    str,
    typer.Option(metavar="N|own", help="Passes over the forget set, the same for every method."),
]
Tune = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Time to search each method's settings first: 5m."),
]
Suite = Annotated[
    str | None, typer.Option(metavar="NAME", help="A suite to take the files from: tofu.")
]


def bench(
    request: options.File = None,
    model: options.Model = None,
    forget: options.Forget = None,
    retain: options.Retain = None,
    holdout: options.Holdout = None,
    base: options.Base = None,
    retrained: options.Retrained = None,
    suite: Suite = None,
    data: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Folder with the suite's files; by default from the hub."),
    ] = None,
    split: Annotated[
        str | None, typer.Option(metavar="NAME", help="The suite's split, such as forget10.")
    ] = None,
    methods: Methods = None,
    seeds: Annotated[
        int, typer.Option(min=1, metavar="N", help="Number of seeds for each method.")
    ] = 3,
    epochs: Epochs = "10",
    tune: Tune = None,
    attack: options.Attack = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The folder to write to; by default unteach-bench."),
    ] = None,
    set_: options.Sets = None,
    plugin: options.Plugins = None,
    gates: options.Gates = None,
    keep_models: Annotated[
        bool, typer.Option("--keep-models", help="Keep the weights of every run.")
    ] = False,
    table_only: Annotated[
        bool,
        typer.Option(
            "--table-only", help="Write the tables again from the runs in --out; run nothing."
        ),
    ] = False,
    train_anyway: options.TrainAnyway = False,
    overwrite: options.Overwrite = False,
    trust_remote_code: options.Trusting = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print bench.json instead of the table.")
    ] = False,
) -> None:
    """Compare methods on equal budgets and several seeds, in one table.

    Each cell of the table is a complete `unteach run` with its own report. Methods that cannot run
    with these inputs are listed below the table, with the reason. Finished runs are kept: repeat
    the command to resume, or to add methods and seeds.

    Examples:
      $ unteach bench --model DIR_OR_ID --forget forget.jsonl --retain retain.jsonl
        --holdout holdout.jsonl --methods unseen,undial,npo --seeds 3 --out bench
      $ unteach bench --table-only --out bench
    """
    folder = out or Path("unteach-bench")
    if table_only:
        from unteach.benchmark.run import tables_only

        _show(tables_only(folder), json=json)
        return
    given = _of_suite(suite, data, split)
    roles = {"forget": forget, "retain": retain, "holdout": holdout}
    roles = {role: value or given.get(role) for role, value in roles.items()}
    run = options.request_of(
        request,
        [*[f"evaluate.also.{name}={file}" for name, file in given.get("also", {}).items()],
         *(set_ or [])],
        model=model,
        **roles,
        base=base,
        retrained=retrained,
        out=folder,
        gates=gates,
        attack=",".join(attack or []) or None,
        plugins=plugin or None,
        train_anyway=train_anyway,
        overwrite=overwrite,
        trust_remote_code=trust_remote_code,
    )  # fmt: skip
    from unteach.benchmark.request import bench_request

    asked = bench_request(
        run, out=folder, methods=methods, tune=tune, seeds=seeds, epochs=_passes(epochs),
        keep_models=keep_models,
    )  # fmt: skip
    from unteach.cli._show import say, shown_progress

    say("starting (loading libraries takes a few seconds)")
    from unteach.benchmark.run import bench as bench_
    from unteach.cli._show import hush

    hush()
    with shown_progress() as listener:
        result = bench_(asked, listener)
    _show(result, json=json)


def _show(result, *, json: bool) -> None:
    from unteach.benchmark.table import missing, table
    from unteach.benchmark.write import to_json
    from unteach.cli._show import say, show_cells

    if json:
        show_document(to_json(result))
    else:
        show_cells(f"Budget: {result.about}", table(result, short=True))
    for line in missing(result):
        say(line)
    say(f"bench.html, bench.md, bench.csv, cells.csv and bench.tex are in {result.folder}")
    say(f"next: {result.next}")


def _of_suite(suite: str | None, data: str | None, split: str | None) -> dict:
    if suite is None:
        if given := [n for n, value in (("--data", data), ("--split", split)) if value]:
            hint = "give --suite too, or leave it out"
            raise UserError(*(Problem(n, "is of a suite", hint, "request") for n in given))
        return {}
    from unteach.benchmark.request import of_suite

    return of_suite(suite, data, {"split": split} if split else {})


def _passes(epochs: str) -> float | str:
    try:
        return epochs if epochs == "own" else float(epochs)
    except ValueError:
        hint = "write a number, or own for each method's own"
        raise UserError(Problem("--epochs", "is no number", hint, "request")) from None
