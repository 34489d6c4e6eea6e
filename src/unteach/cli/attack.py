"""`unteach attack`: try to recover forgotten data from an unlearned model."""

from pathlib import Path
from typing import Annotated

import typer

from unteach.cli import _complete as complete
from unteach.cli import _options as options
from unteach.cli._json import show_document

Target = Annotated[str, typer.Option("--model", metavar="DIR_OR_ID", help="The unlearned model.")]
Before = Annotated[
    str | None,
    typer.Option(metavar="DIR_OR_ID", help="The original model: 100% of the recovery scale."),
]
Wanted = Annotated[str, typer.Option(metavar="FILE", help="The forget set.")]
Names = Annotated[
    list[str] | None,
    typer.Option(
        "--attack",
        metavar="NAME,NAME",
        help="Attacks to run, such as int4,relearn; `unteach attacks` lists them.",
        autocompletion=complete.attack_names,
    ),
]


def attack(
    model: Target,
    forget: Wanted,
    original: Before = None,
    holdout: options.Holdout = None,
    retain: options.Retain = None,
    retrained: options.Retrained = None,
    attack_: Names = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The folder to write to; by default unteach-attacks."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="ATTACK.OPTION=VALUE",
            help="An option of an attack, such as relearn.steps=4,16; repeatable.",
            autocompletion=complete.attack_settings,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(metavar="N", help="Use at most N examples of each group; by default 200."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Seed of everything random; by default 0.")
    ] = None,
    template: options.Template = None,
    max_length: options.MaxLength = None,
    max_new_tokens: options.MaxNewTokens = None,
    tokens_per_batch: options.TokensPerBatch = None,
    dtype: options.Dtype = None,
    device: options.Device = None,
    overwrite: options.Overwrite = False,
    processes: options.Processes = 1,
    trust_remote_code: options.Trusting = False,
    json: options.Json = False,
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
        template=template,
        max_length=max_length,
        max_new_tokens=max_new_tokens,
        tokens_per_batch=tokens_per_batch,
        dtype=dtype,
        device=device,
        overwrite=overwrite,
        trust_remote_code=trust_remote_code,
    )
    if processes > 1:
        from unteach.cli._processes import start

        raise typer.Exit(start(processes))
    from unteach.cli._show import say, show_cells, shown_progress

    say("starting (loading libraries takes a few seconds)")
    from unteach.attacks._write import table, to_json
    from unteach.attacks.run import attack as run
    from unteach.cli._show import hush
    from unteach.processes.main import leave

    hush()
    with shown_progress() as listener:
        result = run(asked, listener)
    leave()
    if json:
        show_document(to_json(result))
    else:
        show_cells(result.headline, table(result))
    say(f"attacks.md and attacks.json are in {asked.out}")
    say(f"next: {result.next}")
