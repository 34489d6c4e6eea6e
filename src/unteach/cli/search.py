"""`unteach search`: no tuning by hand."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from unteach.cli import _options as options
from unteach.cli._json import show_document

Budget = Annotated[str, typer.Option(metavar="TIME", help="Time for all trials: 90s, 20m, 2h.")]
Methods = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,NAME|all", help="Methods to try; by default unseen,undial,unilogit,loku,npo."
    ),
]
Trials = Annotated[int | None, typer.Option(min=1, metavar="N", help="Maximum number of trials.")]
Adapter = Annotated[
    Literal["method", "full", "lora", "both"],
    typer.Option(help="Trained parameters: as each method has them, or these."),
]
Ranks = Annotated[
    str | None,
    typer.Option(metavar="N,N", help="Ranks of adapters to try; 8,16,32 with --adapter."),
]


def search(
    request: options.File = None,
    model: options.Model = None,
    forget: options.Forget = None,
    retain: options.Retain = None,
    holdout: options.Holdout = None,
    base: options.Base = None,
    retrained: options.Retrained = None,
    budget: Budget = "20m",
    methods: Methods = None,
    trials: Trials = None,
    adapter: Adapter = "method",
    ranks: Ranks = None,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Seed of the sampler.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The folder to write to; by default unteach-search."),
    ] = None,
    set_: options.Sets = None,
    plugin: options.Plugins = None,
    no_confirm: Annotated[
        bool,
        typer.Option("--no-confirm", help="Write best.yaml, and do not train the best in full."),
    ] = False,
    train_anyway: options.TrainAnyway = False,
    overwrite: options.Overwrite = False,
    trust_remote_code: options.Trusting = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print search.json instead of the table.")
    ] = False,
) -> None:
    """Search for the method and settings that forget best, within a budget of time.

    Trials train on one half of each file (whole subjects) and are evaluated on it. The best is then
    trained on the whole files and evaluated on the other half, which no trial read. Finished trials
    are kept: repeat the command to resume, or to continue with a larger --budget.

    Requires the extra `search` (Optuna), and one of --holdout, --retrained and --base.

    Examples:
      $ unteach search --model DIR_OR_ID --forget forget.jsonl --retain retain.jsonl
        --holdout holdout.jsonl --budget 20m --out searched
      $ unteach run searched/best.yaml
    """
    from unteach.tuning.request import search_request

    run = options.request_of(
        request,
        set_,
        model=model,
        forget=forget,
        retain=retain,
        holdout=holdout,
        base=base,
        retrained=retrained,
        out=out or Path("unteach-search"),
        plugins=plugin or None,
        train_anyway=train_anyway,
        overwrite=overwrite,
        trust_remote_code=trust_remote_code,
    )
    asked = search_request(
        run, out=run.out, budget=budget, methods=methods, ranks=ranks, trials=trials,
        adapter=adapter, seed=seed, confirm=not no_confirm,
    )  # fmt: skip
    from unteach.cli._show import say, show_cells, show_table, shown_progress

    say("starting (loading libraries takes a few seconds)")
    from unteach.cli._show import hush
    from unteach.tuning.pages import to_json
    from unteach.tuning.result import LEGEND, confirmed_sentence, sentence, table
    from unteach.tuning.run import search as search_

    hush()
    with shown_progress() as listener:
        result = search_(asked, listener)
    if json:
        show_document(to_json(result))
    else:
        show_cells(sentence(result), table(result))
        say(LEGEND)
        if result.confirmed:
            say("")
            say(confirmed_sentence(result) or "The winner, on the half that no trial read")
            show_table(result.confirmed)
    say(f"best.yaml, search.html and search.md are in {asked.out}")
    say(f"next: {result.next}")
