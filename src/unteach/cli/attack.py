"""`unteach attack`: try to recover forgotten data from an unlearned model."""

from pathlib import Path
from typing import Annotated, Any

import typer

from unteach.cli import _complete as complete
from unteach.cli import _options as options
from unteach.cli._json import show_document
from unteach.cli._options import option

Target = Annotated[str, option("The unlearned model.", "DIR_OR_ID", flags="--model")]
Before = Annotated[
    str | None, option("The original model: 100% of the recovery scale.", "DIR_OR_ID")
]
Wanted = Annotated[str, option("The forget set.", "FILE")]
Names = Annotated[
    list[str] | None,
    option(
        "Attacks to run, such as int4,relearn; `unteach attacks` lists them.",
        "NAME,NAME",
        flags="--attack",
        autocompletion=complete.attack_names,
    ),
]


@options.takes(
    "... template max_length max_new_tokens tokens_per_batch dtype device overwrite processes "
    "trust_remote_code json"
)
def attack(
    model: Target,
    forget: Wanted,
    original: Before = None,
    holdout: options.Holdout = None,
    retain: options.Retain = None,
    retrained: options.Retrained = None,
    attack_: Names = None,
    out: Annotated[
        Path | None, option("The folder to write to; by default unteach-attacks.", "DIR")
    ] = None,
    set_: Annotated[
        list[str] | None,
        option(
            "An option of an attack, such as relearn.steps=4,16; repeatable.",
            "ATTACK.OPTION=VALUE",
            flags="--set",
            autocompletion=complete.attack_settings,
        ),
    ] = None,
    limit: Annotated[
        int | None, option("Use at most N examples of each group; by default 200.", "N")
    ] = None,
    seed: Annotated[int | None, option("Seed of everything random; by default 0.", "N")] = None,
    processes: options.Processes = 1,
    json: options.Json = False,
    **how: Any,
) -> None:
    """Attack an unlearned model, and measure how much forgotten data can be recovered.

    Each attack also runs on the original and on the retrained model. A recovery of 100% is what the
    attack gets from the original; 0% is what it gets from the retrained model, or without one from
    the holdout. To resume an interrupted run, repeat its command.

    With --processes they share the texts to evaluate; what relearn trains, each process trains.

    Examples:
      $ unteach attack --model unlearned --original DIR_OR_ID --forget forget.jsonl
        --holdout holdout.jsonl
      $ unteach attack --model unlearned --original DIR_OR_ID --forget forget.jsonl
        --attack relearn --set relearn.steps=4,16
    """
    from unteach.attacks._base import standard_attacks
    from unteach.attacks._plan import attack_request, foresee
    from unteach.cli.evaluate import settings

    names = [
        n.strip() for given in attack_ or standard_attacks() for n in given.split(",") if n.strip()
    ]
    given = settings(set_)
    foresee(tuple(names), given)
    asked = attack_request(
        model=model,
        forget=forget,
        original=original,
        retrained=retrained,
        retain=retain,
        holdout=holdout,
        attacks=tuple(dict.fromkeys(names)),
        out=out,
        options=given,
        limit=limit,
        seed=seed,
        **how,
    )
    if processes > 1:
        from unteach.cli._processes import start

        raise typer.Exit(start(processes))
    from unteach.cli._show import say, show_cells, working

    with working() as listener:
        from unteach.attacks._write import table, to_json
        from unteach.attacks.run import attack as run
        from unteach.processes.main import leave

        result = run(asked, listener)
    leave()
    if json:
        show_document(to_json(result))
    else:
        show_cells(result.headline, table(result))
    say(f"attacks.md and attacks.json are in {asked.out}")
    say(f"next: {result.next}")
