"""`unteach evaluate`: evaluate models on a benchmark or on your own files."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from unteach.cli import _complete as complete
from unteach.cli import _options as options
from unteach.cli._json import show_document
from unteach.cli._options import option
from unteach.types import ROLES

Models = Annotated[
    list[str], option("A model to evaluate; repeatable.", "[LABEL=]DIR_OR_ID", flags="--model")
]
Before = Annotated[
    str | None,
    option(
        "The original model, before unlearning, to compare with.",
        "DIR_OR_ID",
        options.MEASURING,
        flags="--reference-model",
    ),
]
Never = Annotated[
    Path | None,
    option(
        "Rows of the retrained model from an earlier evaluation, in place of --retrained.",
        "FILE",
        options.MEASURING,
        flags="--reference-rows",
    ),
]


@options.takes(
    "... template max_length max_new_tokens tokens_per_batch dtype device bits cache no_cache "
    "keep_text plugin overwrite processes trust_remote_code json"
)
def evaluate(
    model: Models,
    suite: Annotated[
        str,
        option(
            "The benchmark (`unteach suites`); own: your files.",
            "NAME",
            autocompletion=complete.suite_names,
        ),
    ] = "own",
    forget: options.Forget = None,
    retain: options.Retain = None,
    holdout: options.Holdout = None,
    out: Annotated[
        Path | None, option("The folder to write to; by default unteach-evaluation.", "DIR")
    ] = None,
    data: Annotated[
        Path | None, option("Folder with the suite's files; by default from the hub.", "DIR")
    ] = None,
    retrained: options.Retrained = None,
    gates: options.Gates = None,
    reference_rows: Never = None,
    reference_model: Before = None,
    set_: Annotated[
        list[str] | None,
        option(
            "An option of the suite, such as split=forget01.",
            "NAME=VALUE",
            flags="--set",
            autocompletion=complete.suite_settings,
        ),
    ] = None,
    limit: Annotated[int | None, option("Evaluate at most N examples of each group.", "N")] = None,
    compat: Annotated[
        Literal["open-unlearning"] | None,
        option("Also compute that project's variants of the metrics.", None, options.MEASURING),
    ] = None,
    gradient_norms: Annotated[
        bool,
        option(
            "Also run the membership attack by gradient norms (slower).",
            None,
            options.MEASURING,
            flags="--gradient-norms",
        ),
    ] = False,
    cache: Annotated[
        Path | None,
        option(
            "Folder of cached rows; by default in the user's cache folder.",
            "DIR",
            options.COMPUTING,
        ),
    ] = None,
    no_cache: Annotated[
        bool,
        option("Neither read nor write cached rows.", None, options.COMPUTING, flags="--no-cache"),
    ] = False,
    plugin: options.Plugins = None,
    processes: options.Processes = 1,
    json: options.Json = False,
    **how: Any,
) -> None:
    """Evaluate models on a suite, and write rows, scores and a report to --out.

    With a model that never saw the forget set (--retrained), each score is compared with that
    model's; without one, the report lists what cannot be known. Rows hold numbers and no text
    (except with --keep-text); `unteach score` computes the scores again from them.

    Examples:
      $ unteach evaluate --model unlearned --reference-model DIR_OR_ID --forget forget.jsonl
      $ unteach evaluate --model a=DIR --model b=DIR --forget forget.jsonl --holdout holdout.jsonl
      $ unteach evaluate --model DIR_OR_ID --suite tofu --set split=forget01 --out evaluation

    Exit codes:
      0  done, and every declared gate passed
      1  something failed
      2  the command is wrong; nothing was started
      3  done, but a declared gate failed
    """
    files = {"forget": forget, "retain": retain, "holdout": holdout}
    own, chosen = {k: v for k, v in files.items() if v}, settings(set_)
    _foresee(suite, own, chosen, plugins=bool(plugin))
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
        options={**own, **chosen},
        original=reference_model,
        retrained=retrained,
        reference_rows=reference_rows,
        limit=limit,
        gates=gates,
        compat=compat,
        gradient_norms=gradient_norms,
        cache=None if no_cache else cache or default_folder(),
        **how,
    )
    from unteach.cli._show import say, show_table, working

    with working() as listener:
        from unteach.cli._next import gated
        from unteach.evaluation.run import evaluate as run
        from unteach.methods import load_plugin
        from unteach.processes.main import is_main, leave
        from unteach.report import to_json

        for file in plugin or []:  # a plug-in may register metrics and suites
            load_plugin(file)
        report = run(request, listener)
    if json:
        show_document(to_json(report))
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
    """Return the arguments of the next command: unlearning, or this evaluation with changes."""
    from unteach.cli._next import again

    if step.flags or step.sets or not request.original:
        return again(step, request.out)
    files = {role: request.options[role] for role in ROLES if role in request.options}
    gates = ",".join(f"{name}={limit:g}" for name, limit in request.gates.declared.items())
    flags = {"model": request.original, **files, "out": "unlearned", "gates": gates}
    return ["run", *(part for name, value in flags.items() for part in (f"--{name}", value))]


def _foresee(suite: str, own: dict[str, Any], options: dict[str, Any], *, plugins: bool) -> None:
    """Check the names of suite and options before libraries are loaded.

    Args:
        suite: name of the suite.
        own: the user's own files by role.
        options: options of the suite.
        plugins: whether plug-ins were given, which may register the suite.

    Raises:
        UserError: an unknown suite, an unknown option or value, or files for a suite that has
            its own.
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
    what, hint = f"is not used by the suite {suite}", "leave it out, or give --suite own"
    taken = own if "forget" in found.options else {}
    problems = [Problem(f"--{role}", what, hint, "request") for role in own if role not in taken]
    try:
        chosen(suite, found.options, {**taken, **options})
    except UserError as error:
        problems += error.problems
    if problems:
        raise UserError(*problems)


def settings(given: list[str] | None) -> dict[str, Any]:
    """Return `name=value` settings as a mapping. Raises UserError for anything else."""
    from unteach.errors import Problem, UserError

    found = {}
    for setting in given or []:
        name, equals, value = setting.partition("=")
        if not name or not equals:
            hint = "write --set name=value"
            raise UserError(Problem("--set", "is not a setting", hint, "request"))
        found[name] = value
    return found
