"""`unteach check`: report every problem of a request before any weights are loaded."""

from unteach.cli import _options as options
from unteach.cli._json import show_json


def check(
    request: options.File = None,
    model: options.Model = None,
    forget: options.Forget = None,
    out: options.Out = None,
    retain: options.Retain = None,
    holdout: options.Holdout = None,
    method: options.Method = None,
    set_: options.Sets = None,
    base: options.Base = None,
    retrained: options.Retrained = None,
    preset: options.Preset = None,
    init: options.Init = None,
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
    trust_remote_code: options.Trusting = False,
    json: options.Json = False,
) -> None:
    """Check a request as `run` would: files, columns, lengths, overlaps, options, folders.

    Takes the same options as `run`, and reports all problems together. Loads no weights and uses
    no accelerator.

    Examples:
      $ unteach check --model DIR_OR_ID --forget forget.jsonl --out unlearned
      $ unteach check request.yaml

    Exit codes:
      0  `run` can start
      1  the data are wrong
      2  the request is wrong
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
        preset=preset,
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
    from unteach.attacks._in_run import checked
    from unteach.cli._show import intake_values, say_problems, show_intake

    intake = checked(asked)
    if json:
        show_json(intake_values(intake))
        return
    say_problems(intake.notes)
    show_intake(intake)
