"""`unteach run`: unlearn, evaluate, and write the model with its report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unteach.cli import _options as options
from unteach.cli._json import show_document
from unteach.cli._ledgered import known_as, not_recorded, recorded, taken
from unteach.cli._options import option
from unteach.cli.push import after_run
from unteach.errors import Problem, UserError

if TYPE_CHECKING:
    from unteach.settings.request import Request


@options.takes(options.RUN)
def run(
    ledger: Annotated[
        Path | None,
        option(
            "Fulfil the open requests in this ledger, and record that they are done.",
            "FILE",
            options.RECORDS,
        ),
    ] = None,
    answers: Annotated[
        list[str] | None,
        option(
            "Fulfil only this request of --ledger; repeatable.",
            "ID",
            options.RECORDS,
            flags="--request",
        ),
    ] = None,
    key: Annotated[
        Path | None,
        option("The key of --ledger; by default LEDGER.key beside it.", "FILE", options.RECORDS),
    ] = None,
    push_to_hub: Annotated[
        str | None,
        option("Upload the model and its card if all gates pass.", "OWNER/NAME", options.OUTPUT),
    ] = None,
    private: Annotated[
        bool,
        option(
            "Create a private repository for --push-to-hub.",
            None,
            options.OUTPUT,
            flags="--private",
        ),
    ] = False,
    processes: options.Processes = 1,
    json: options.Json = False,
    **flags: Any,
) -> None:
    """Unlearn: check the data, train, evaluate, and write the model with its report to --out.

    Required are --model, --forget and --out, or a request file that has them; everything else has
    a default. Options override the request file. To resume an interrupted run, repeat its command.

    If the model came out of earlier runs, their requests are evaluated again before and after, as
    far as their records are still where they were, and held meanwhile (--no-replay does not).

    With --ledger the run fulfils those open requests whose records are all in --forget. They are
    recorded as done if all gates pass.

    Examples:
      $ unteach run --model DIR_OR_ID --forget forget.jsonl --out unlearned
      $ unteach run request.yaml --set train.epochs=5 --out unlearned
      $ unteach run --model DIR --forget forget.jsonl --retain retain.jsonl
        --holdout holdout.jsonl --method npo --gates default --attack int4 --out unlearned

    Exit codes:
      0  done, and every declared gate passed
      1  something failed
      2  the request is wrong; nothing was started
      3  done, but a declared gate failed (without gates, no score changes the exit code)
    """
    asked = options.request_of(flags)
    _may_be_pushed(push_to_hub, private=private)
    references = _taken(ledger, key, answers, asked)
    if references and not asked.request_id:
        asked = asked.model_copy(update={"request_id": known_as(references)})
    if processes > 1:
        from unteach.cli._processes import start
        from unteach.processes.micro_batches import split_batch

        split_batch(asked.train.batch_size, asked.train.gradient_accumulation_steps, processes)
        raise typer.Exit(start(processes))
    from unteach.cli._show import say, show_cells, show_table, working

    with working() as listener:
        from unteach import pipeline
        from unteach.cli._earlier import with_history
        from unteach.cli._next import again, gated
        from unteach.processes.main import is_main, leave
        from unteach.report import to_json

        asked = with_history(asked, ledger, key, references)
        report = pipeline.run(asked, listener)
    main = is_main()
    leave()
    if json:
        show_document(to_json(report))
    else:
        show_table(report)
        if report.attacks:
            show_cells(report.attacks.headline, report.attacks.cells)
    say(f"the model, report.html and report.md are in {asked.out}")
    if report.attacks:
        say(f"the results of every attack variant are in {asked.out / 'attacks' / 'attacks.md'}")
    code = gated(report, lambda step: again(step, asked.out))
    if not main:  # a launcher would end the main process, which is still printing
        return
    if ledger and references:
        not_recorded(references) if code else recorded(ledger, references, asked.out)
    if push_to_hub:
        after_run(asked.out, push_to_hub, private=private, passed=not code)
    if code:
        raise typer.Exit(code)


def _may_be_pushed(repo: str | None, *, private: bool) -> None:
    """Refuse before training what would keep the upload from beginning after it."""
    if private and not repo:
        hint = "give --push-to-hub OWNER/NAME too, or leave it out"
        raise UserError(Problem("--private", "is of an upload", hint, "request"))
    if repo:
        from unteach.evaluation.push import push_problems

        if problems := [*push_problems(repo)]:
            raise UserError(*problems)


def _taken(
    ledger: Path | None, key: Path | None, answers: list[str] | None, asked: "Request"
) -> list[str]:
    if ledger:
        return taken(ledger, key, answers or [], asked.forget, asked.out)
    if given := [name for name, value in (("--request", answers), ("--key", key)) if value]:
        hint = "give --ledger FILE too, or leave it out"
        raise UserError(*(Problem(name, "needs a ledger", hint, "request") for name in given))
    return []
