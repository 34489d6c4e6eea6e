"""`unteach bench`: many methods, equal budgets, several seeds, one table."""

from pathlib import Path
from typing import Annotated, Any

from unteach.cli import _options as options
from unteach.cli._json import show_document
from unteach.cli._options import option
from unteach.errors import Problem, UserError

Methods = Annotated[str | None, option("Methods in the table; by default all.", "NAME,NAME|all")]
Epochs = Annotated[str, option("Passes over the forget set, the same for every method.", "N|own")]
Tune = Annotated[str | None, option("Time to search each method's settings first: 5m.", "TIME")]
Suite = Annotated[str | None, option("A suite to take the files from: tofu.", "NAME")]


@options.takes(
    "request model forget retain holdout base retrained ... attack out set_ plugin gates "
    "keep_models table_only train_anyway overwrite trust_remote_code json"
)
def bench(
    suite: Suite = None,
    data: Annotated[
        str | None, option("Folder with the suite's files; by default from the hub.", "DIR")
    ] = None,
    split: Annotated[str | None, option("The suite's split, such as forget10.", "NAME")] = None,
    methods: Methods = None,
    seeds: Annotated[int, option("Number of seeds for each method.", "N", min=1)] = 3,
    epochs: Epochs = "10",
    tune: Tune = None,
    out: Annotated[
        Path | None, option("The folder to write to; by default unteach-bench.", "DIR")
    ] = None,
    set_: options.Sets = None,
    keep_models: Annotated[
        bool, option("Keep the weights of every run.", flags="--keep-models")
    ] = False,
    table_only: Annotated[
        bool,
        option("Write the tables again from the runs in --out; run nothing.", flags="--table-only"),
    ] = False,
    json: Annotated[bool, option("Print bench.json instead of the table.", flags="--json")] = False,
    **flags: Any,
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
    files = _of_suite(suite, data, split)
    also = [f"evaluate.also.{name}={file}" for name, file in files.pop("also", {}).items()]
    files |= {role: flags[role] for role in files if flags[role]}
    run = options.request_of({**flags, **files}, [*also, *(set_ or [])], out=folder)
    from unteach.benchmark.request import bench_request

    asked = bench_request(
        run, out=folder, methods=methods, tune=tune, seeds=seeds, epochs=_passes(epochs),
        keep_models=keep_models,
    )  # fmt: skip
    from unteach.cli._show import working

    with working() as listener:
        from unteach.benchmark.run import bench as bench_

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
