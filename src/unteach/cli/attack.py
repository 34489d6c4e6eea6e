"""`unteach attack`: whether what was forgotten comes back."""

from pathlib import Path
from typing import Annotated

import typer

from unteach.cli import _complete as complete
from unteach.cli import _options as options

Target = Annotated[str, typer.Option("--model", metavar="DIR_OR_ID", help="The unlearned model.")]
Before = Annotated[
    str | None, typer.Option(metavar="DIR_OR_ID", help="The model before unlearning.")
]
Wanted = Annotated[str, typer.Option(metavar="FILE", help="What was to be forgotten.")]
Names = Annotated[
    list[str] | None,
    typer.Option(
        "--attack",
        metavar="NAME,NAME",
        help="int4, relearn, sample, prompt, detect, depth.",
        autocompletion=complete.attack_names,
    ),
]


def attack(
    model: Target,
    forget: Wanted,
    original: Before = None,
    retrained: options.Retrained = None,
    retain: options.Retain = None,
    holdout: options.Holdout = None,
    attack_: Names = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The folder to make; unteach-attacks if left out."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="a.b=c",
            help="An option, e.g. relearn.steps=4,16.",
            autocompletion=complete.attack_settings,
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", help="Examples of each group; 200 if left out.")
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Of all that is drawn.")] = None,
    template: options.Template = None,
    max_length: options.MaxLength = None,
    max_new_tokens: options.MaxNewTokens = None,
    tokens_per_batch: options.TokensPerBatch = None,
    dtype: options.Dtype = None,
    device: options.Device = None,
    overwrite: options.Overwrite = False,
    trust_remote_code: options.Trusting = False,
    json: Annotated[bool, typer.Option("--json", help="Print attacks.json, no table.")] = False,
) -> None:
    """Attack an unlearned model, and tell how much of what was forgotten comes back.

    Each attack is made on the original and on a retrained model too: 0% is what it gets from a
    model that never saw the data (or, without one, on the holdout), 100% what it gets from the
    original. A run that was cut off goes on when the same command is given again.
    """
    from unteach.attacks._plan import ALL, attack_request, foresee
    from unteach.cli.evaluate import settings

    names = [n.strip() for given in attack_ or ALL for n in given.split(",") if n.strip()]
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
    from unteach.cli._show import say, show_cells, shown_progress

    say("starting (loading libraries takes a few seconds)")
    from unteach.attacks._write import table, to_json
    from unteach.attacks.run import attack as run
    from unteach.cli._show import hush

    hush()
    with shown_progress() as listener:
        result = run(asked, listener)
    if json:
        typer.echo(to_json(result))
    else:
        show_cells(result.headline, table(result))
    say(f"attacks.md and attacks.json are in {asked.out}")
    say(f"next: {result.next}")
