"""`unteach search`: no tuning by hand."""

from pathlib import Path
from typing import Annotated, Any, Literal

from unteach.cli import _options as options
from unteach.cli._json import show_document
from unteach.cli._options import option

Budget = Annotated[str, option("Time for all trials: 90s, 20m, 2h.", "TIME")]
Methods = Annotated[
    str | None,
    option("Methods to try; by default unseen,undial,unilogit,loku,npo.", "NAME,NAME|all"),
]
Trials = Annotated[int | None, option("Maximum number of trials.", "N", min=1)]
Adapter = Annotated[
    Literal["method", "full", "lora", "both"],
    option("Trained parameters: as each method has them, or these."),
]
Ranks = Annotated[str | None, option("Ranks of adapters to try; 8,16,32 with --adapter.", "N,N")]


@options.takes(
    "request model forget retain holdout base retrained ... out set_ plugin no_confirm "
    "train_anyway overwrite trust_remote_code json"
)
def search(
    budget: Budget = "20m",
    methods: Methods = None,
    trials: Trials = None,
    adapter: Adapter = "method",
    ranks: Ranks = None,
    seed: Annotated[int, option("Seed of the sampler.", "N", min=0)] = 0,
    out: Annotated[
        Path | None, option("The folder to write to; by default unteach-search.", "DIR")
    ] = None,
    set_: options.Sets = None,
    no_confirm: Annotated[
        bool, option("Write best.yaml, and do not train the best in full.", flags="--no-confirm")
    ] = False,
    json: Annotated[
        bool, option("Print search.json instead of the table.", flags="--json")
    ] = False,
    **flags: Any,
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

    run = options.request_of(flags, set_, out=out or Path("unteach-search"))
    asked = search_request(
        run, out=run.out, budget=budget, methods=methods, ranks=ranks, trials=trials,
        adapter=adapter, seed=seed, confirm=not no_confirm,
    )  # fmt: skip
    from unteach.cli._show import say, show_cells, show_table, working

    with working() as listener:
        from unteach.tuning.pages import to_json
        from unteach.tuning.result import LEGEND, confirmed_sentence, sentence, table
        from unteach.tuning.run import search as search_

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
