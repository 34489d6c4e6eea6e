"""`unteach evaluate`: what models know, by a benchmark or by your own files."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from unteach.cli import _complete as complete
from unteach.cli import _options as options
from unteach.types import ROLES

Models = Annotated[
    list[str],
    typer.Option("--model", metavar="[LABEL=]DIR_OR_ID", help="A model; may be given again."),
]
Before = Annotated[
    str | None,
    typer.Option("--reference-model", metavar="DIR_OR_ID", help="The model before unlearning."),
]
Never = Annotated[
    Path | None,
    typer.Option("--reference-rows", metavar="FILE", help="Its rows, written before, instead."),
]


def evaluate(
    model: Models,
    suite: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="What is asked; see `unteach suites`.",
            autocompletion=complete.suite_names,
        ),
    ] = "own",
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The folder to make; unteach-evaluation if left out."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The suite's files; else from the hub.")
    ] = None,
    forget: options.Forget = None,
    retain: options.Retain = None,
    holdout: options.Holdout = None,
    retrained: options.Retrained = None,
    gates: options.Gates = None,
    reference_rows: Never = None,
    reference_model: Before = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="a=b",
            help="An option of the suite, e.g. split=forget01.",
            autocompletion=complete.suite_settings,
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", help="Examples of each group, for a first look.")
    ] = None,
    compat: Annotated[
        Literal["open-unlearning"] | None,
        typer.Option(help="Also that project's variants of the metrics."),
    ] = None,
    gradient_norms: Annotated[
        bool, typer.Option("--gradient-norms", help="Also the attack by gradient norms (slower).")
    ] = False,
    template: options.Template = None,
    max_length: options.MaxLength = None,
    max_new_tokens: options.MaxNewTokens = None,
    tokens_per_batch: options.TokensPerBatch = None,
    dtype: options.Dtype = None,
    device: options.Device = None,
    bits: Annotated[int | None, typer.Option(metavar="4", help="Load in 4 bits.")] = None,
    cache: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where rows are kept; else the user's cache folder."),
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Keep none, use none.")] = False,
    keep_text: options.KeepText = False,
    plugin: options.Plugins = None,
    overwrite: options.Overwrite = False,
    processes: options.Processes = 1,
    trust_remote_code: options.Trusting = False,
    json: Annotated[bool, typer.Option("--json", help="Print scores.json, no table.")] = False,
) -> None:
    """Ask models a suite's questions, and write rows, scores and a report into --out.

    Beside a model that never saw the forget set (--retrained) every number gains
    its yardstick; without one, what cannot be known is listed. Rows hold numbers,
    never text (but see --keep-text); `unteach score` makes scores of them again without a model.

    Exit code 0 when it is done, 3 when a declared gate failed, 1 when something went wrong, 2 when
    it was asked wrongly.
    """
    files = {"forget": forget, "retain": retain, "holdout": holdout}
    own, options = {k: v for k, v in files.items() if v}, settings(set_)
    _foresee(suite, own, options, plugins=bool(plugin))
    if processes > 1:
        from unteach.cli._processes import start

        raise typer.Exit(start(processes))
    from unteach.evaluation.cache import default_folder
    from unteach.evaluation.request import evaluation_request, labelled

    request = evaluation_request(
        models=labelled(model),
        suite=suite,
        out=out,
        data=data,
        options={**own, **options},
        original=reference_model,
        retrained=retrained,
        reference_rows=reference_rows,
        limit=limit,
        gates=gates,
        compat=compat,
        gradient_norms=gradient_norms,
        template=template,
        max_length=max_length,
        max_new_tokens=max_new_tokens,
        tokens_per_batch=tokens_per_batch,
        dtype=dtype,
        device=device,
        bits=bits,
        cache=None if no_cache else cache or default_folder(),
        keep_text=keep_text,
        overwrite=overwrite,
        trust_remote_code=trust_remote_code,
    )
    from unteach.cli._show import say, show_table, shown_progress

    say("starting (loading libraries takes a few seconds)")
    from unteach.cli._next import gated
    from unteach.cli._show import hush
    from unteach.evaluation.run import evaluate as run
    from unteach.methods import load_plugin
    from unteach.processes.main import is_main, leave
    from unteach.report import to_json

    for file in plugin or []:  # it may register metrics and suites
        load_plugin(file)
    hush()
    with shown_progress() as listener:
        report = run(request, listener)
    if json:
        typer.echo(to_json(report))
    else:
        show_table(report)
    for note in report.notes:
        for line in f"note: {note}".splitlines():
            say(line)
    say(f"rows, scores, report.html and report.md are in {request.out}")
    main = is_main()
    leave()
    code = gated(report, lambda step: _command(step, request))
    if code and main:
        raise typer.Exit(code)


def _command(step: Any, request: Any) -> list[str]:
    """What to try next: the removal itself, or this evaluation with more."""
    from unteach.cli._next import again

    if step.flags or step.sets or not request.original:
        return again(step, request.out)
    files = {role: request.options[role] for role in ROLES if role in request.options}
    gates = ",".join(f"{name}={limit:g}" for name, limit in request.gates.declared.items())
    flags = {"model": request.original, **files, "out": "unlearned", "gates": gates}
    return ["run", *(part for name, value in flags.items() for part in (f"--{name}", value))]


def _foresee(suite: str, own: dict[str, Any], options: dict[str, Any], *, plugins: bool) -> None:
    """Refuse at once what no loading of libraries would change: names, and files of the user's own.

    Raises:
        UserError: no such suite, unless a plug-in may bring it; no such option of it, or value; a
            file of the user's own for a benchmark.
    """
    from unteach.errors import Problem, UserError
    from unteach.suites import SUITES
    from unteach.suites._options import chosen

    if suite not in SUITES and plugins:
        return
    try:
        found = SUITES.get(suite)
    except KeyError as error:
        raise UserError(Problem("--suite", str(error.args[0]), "", "request")) from None
    what, hint = f"is not asked by the suite {suite}", "leave it out, or take --suite own"
    taken = own if "forget" in found.options else {}
    problems = [Problem(f"--{role}", what, hint, "request") for role in own if role not in taken]
    try:
        chosen(suite, found.options, {**taken, **options})
    except UserError as error:
        problems += error.problems
    if problems:
        raise UserError(*problems)


def settings(given: list[str] | None) -> dict[str, Any]:
    """`name=value` settings as a mapping. Raises UserError for what is none."""
    from unteach.errors import Problem, UserError

    found = {}
    for setting in given or []:
        name, equals, value = setting.partition("=")
        if not name or not equals:
            hint = "write --set name=value"
            raise UserError(Problem("--set", "is not a setting", hint, "request"))
        found[name] = value
    return found
