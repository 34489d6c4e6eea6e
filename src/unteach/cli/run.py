"""`unteach run`: the main job."""

from pathlib import Path
from typing import Annotated

import typer

from unteach.cli import _options as options
from unteach.cli._ledgered import known_as, not_recorded, recorded, taken
from unteach.errors import Problem, UserError
from unteach.settings.request import Request


def run(
    request: options.File = None,
    model: options.Model = None,
    forget: options.Forget = None,
    retain: options.Retain = None,
    holdout: options.Holdout = None,
    base: options.Base = None,
    retrained: options.Retrained = None,
    method: options.Method = None,
    init: options.Init = None,
    out: options.Out = None,
    set_: options.Sets = None,
    sam: options.Sam = None,
    gates: options.Gates = None,
    request_id: options.RequestId = None,
    operator: options.Operator = None,
    attack: options.Attack = None,
    after: options.After = None,
    replay: options.Replay = None,
    plugin: options.Plugins = None,
    adapter_only: options.AdapterOnly = False,
    keep_text: options.KeepText = False,
    train_anyway: options.TrainAnyway = False,
    overwrite: options.Overwrite = False,
    ledger: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Take what is open there, and write down that it is done."
        ),
    ] = None,
    answers: Annotated[
        list[str] | None,
        typer.Option("--request", metavar="ID", help="Of --ledger: this one alone; also several."),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The ledger's; FILE.key beside it if left out."),
    ] = None,
    processes: options.Processes = 1,
    trust_remote_code: options.Trusting = False,
    json: bool = typer.Option(False, "--json", help="Print scores.json instead of the table."),
) -> None:
    """Unlearn: check, train, evaluate, and write the model with its report into --out.

    Needed are --model, --forget and --out; everything else has a default. A run that was cut off
    goes on when the same command is given again.

    Where the model came out of earlier runs, their requests are asked again before and after, as
    far as their records are still where they were, and held meanwhile unless --no-replay is given.

    With --ledger the run answers the open requests there of which --forget has every record, and
    they are done once its gates are passed.

    Exit code 0 when it is done, 3 when a declared gate failed, 1 when something went wrong, 2 when
    it was asked wrongly. Without gates what came out changes no exit code.
    """
    asked = options.request_of(
        request,
        set_,
        model=model,
        forget=forget,
        retain=retain,
        holdout=holdout,
        base=base,
        retrained=retrained,
        method=method,
        init=init,
        out=out,
        sam=sam,
        gates=gates,
        request_id=request_id,
        operator=operator,
        attack=",".join(attack or []) or None,
        after=after or None,
        replay=None if replay is None else str(replay).lower(),
        plugins=plugin or None,
        adapter_only=adapter_only,
        keep_text=keep_text,
        train_anyway=train_anyway,
        overwrite=overwrite,
        trust_remote_code=trust_remote_code,
    )
    references = _taken(ledger, key, answers, asked)
    if references and not asked.request_id:
        asked = asked.model_copy(update={"request_id": known_as(references)})
    if processes > 1:
        if asked.attack.names:
            from unteach.attacks._in_run import one_process
            from unteach.errors import UserError

            raise UserError(one_process())
        from unteach.cli._processes import start
        from unteach.processes.micro_batches import split_batch

        split_batch(asked.train.batch_size, asked.train.gradient_accumulation_steps, processes)
        raise typer.Exit(start(processes))
    from unteach.cli._show import say, show_cells, show_table, shown_progress

    say("starting (loading libraries takes a few seconds)")
    from unteach import pipeline
    from unteach.cli._earlier import with_history
    from unteach.cli._next import again, gated
    from unteach.cli._show import hush
    from unteach.processes.main import is_main, leave
    from unteach.report import to_json

    asked = with_history(asked, ledger, key, references)
    hush()
    with shown_progress() as listener:
        report = pipeline.run(asked, listener)
    main = is_main()
    leave()
    if json:
        typer.echo(to_json(report))
    else:
        show_table(report)
        if report.attacks:
            show_cells(report.attacks.headline, report.attacks.cells)
    say(f"the model, report.html and report.md are in {asked.out}")
    if report.attacks:
        say(f"every variant of the attacks is in {asked.out / 'attacks' / 'attacks.md'}")
    code = gated(report, lambda step: again(step, asked.out))
    if not main:  # else a launcher would end the one that still speaks
        return
    if ledger and references:
        not_recorded(references) if code else recorded(ledger, references, asked.out)
    if code:
        raise typer.Exit(code)


def _taken(
    ledger: Path | None, key: Path | None, answers: list[str] | None, asked: Request
) -> list[str]:
    if ledger:
        return taken(ledger, key, answers or [], asked.forget, asked.out)
    if given := [name for name, value in (("--request", answers), ("--key", key)) if value]:
        hint = "give --ledger FILE too, or leave it out"
        raise UserError(*(Problem(name, "is of a ledger", hint, "request") for name in given))
    return []
