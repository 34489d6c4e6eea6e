"""`unteach run`: the main job."""

import typer

from unteach.cli import _options as options


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
    plugin: options.Plugins = None,
    adapter_only: options.AdapterOnly = False,
    keep_text: options.KeepText = False,
    train_anyway: options.TrainAnyway = False,
    overwrite: options.Overwrite = False,
    processes: options.Processes = 1,
    trust_remote_code: options.Trusting = False,
    json: bool = typer.Option(False, "--json", help="Print scores.json instead of the table."),
) -> None:
    """Unlearn: check, train, evaluate, and write the model with its report into --out.

    Needed are --model, --forget and --out; everything else has a default. A run that was cut off
    goes on when the same command is given again.
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
        plugins=plugin or None,
        adapter_only=adapter_only,
        keep_text=keep_text,
        train_anyway=train_anyway,
        overwrite=overwrite,
        trust_remote_code=trust_remote_code,
    )
    if processes > 1:
        from unteach.cli._processes import start
        from unteach.processes.micro_batches import dealt

        dealt(asked.train.batch_size, asked.train.gradient_accumulation_steps, processes)
        raise typer.Exit(start(processes))
    from unteach.cli._show import say, show_table, shown_progress

    say("starting (loading libraries takes a few seconds)")
    from unteach import pipeline
    from unteach.cli._show import hush
    from unteach.processes.main import leave
    from unteach.report import to_json

    hush()
    with shown_progress() as listener:
        report = pipeline.run(asked, listener)
    leave()
    if json:
        typer.echo(to_json(report))
    else:
        show_table(report)
    say(f"the model, report.html and report.md are in {asked.out}")
