"""The command line: one file, one command; heavy imports wait until a command means to work."""

import os
import sys
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path
from traceback import print_exc
from typing import Annotated, Any

import typer

from unteach.cli import (
    attack,
    audit,
    bench,
    chat,
    check,
    compare,
    demo,
    env,
    evaluate,
    explain,
    init,
    ledger,
    methods,
    recheck,
    run,
    score,
    screen,
    search,
    settings,
    size,
    suites,
    verify,
)
from unteach.cli._command import Command, CommandGroup
from unteach.cli._discreet import debugging, discreet
from unteach.cli._launched import one_voice
from unteach.errors import Problem, UserError

app = typer.Typer(
    name="unteach",
    cls=CommandGroup,
    help="Take given training data out of a Hugging Face causal language model, "
    "and show what is left of it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"unteach {version('unteach')}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", help="Print it.", callback=_version, is_eager=True)
    ] = False,
) -> None: ...


COMMANDS = (
    run.run, check.check, audit.audit, evaluate.evaluate, attack.attack, score.score,
    search.search, bench.bench, compare.compare, verify.verify, screen.screen, recheck.recheck,
    chat.chat, explain.explain, methods.methods, settings.settings, init.init, suites.suites,
    size.size, demo.demo, env.env,
)  # fmt: skip


def _flowing(text: str) -> str:
    """Paragraphs without our own line ends, which are wrong for any other width."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


for command in COMMANDS:
    app.command(command.__name__, cls=Command, help=_flowing(command.__doc__ or ""))(command)
for command in ledger.COMMANDS:
    name, text = command.__name__.rstrip("_"), _flowing(command.__doc__ or "")
    ledger.ledger.command(name, cls=Command, help=text)(command)
app.add_typer(ledger.ledger)


def main() -> None:
    """The `unteach` command: exit 0 fine, 1 failed, 2 asked wrongly, 3 found or not passed."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # it tells of every retry
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # for what a terminal cannot show
    with discreet():
        try:
            with one_voice():
                _here()
                _main()
        except Exception as error:
            if not (problem := _memory(error) or _of_plugin(error) or _of_disk(error)):
                raise
            if debugging():
                print_exc()
            _stop(problem)  # from any process: it may be the only one that knows


def _here() -> None:
    try:
        Path.cwd()
    except OSError:
        hint = "change into one that is there"
        _stop(Problem("the folder that you are in", "is gone", hint, "request"), code=2)


def _main() -> None:
    try:
        app()
    except UserError as error:
        if debugging():
            print_exc()
        if problem := _of_plugin(error):  # whatever it says, it may quote the data
            _stop(problem)
        _stop(*error.problems, code=error.exit_code)


def _stop(*problems: Problem, code: int = 1) -> None:
    from unteach.cli._show import say_problems

    say_problems(problems)
    sys.exit(code)


def _of_plugin(error: Exception) -> Problem | None:
    """That a plugin file of the user's failed, if one did."""
    plugins: Any = sys.modules.get("unteach.methods._plugins")
    return plugins.problem_of(error) if plugins else None


def _of_disk(error: Exception) -> Problem | None:
    """That a disk refused to be written to, where nobody before had words for it."""
    from unteach.files import disk_problem

    problem = disk_problem(error, Path.cwd()) if isinstance(error, OSError) else None
    if problem and not getattr(error, "filename", None):
        return replace(problem, where="the output, or a temporary file")
    return problem


def _memory(error: Exception) -> Problem | None:
    """What to do when there is too little memory, if that is what is wrong."""
    hint = (
        "lower train.batch_size and raise train.gradient_accumulation_steps by the same factor, "
        "which changes no result; set train.gradient_checkpointing=true or adapter.kind=lora; or "
        "lower evaluate.tokens_per_batch"
    )
    if type(error).__name__ == "OutOfMemoryError":
        return Problem("memory", "the accelerator has too little", hint)
    short = isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
    if short or isinstance(error, MemoryError):
        return Problem("memory", "the machine has too little", hint)
    return None
