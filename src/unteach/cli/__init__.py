"""The command line, one file per command; heavy libraries are imported inside the commands."""

import atexit
import gc
import os
import re
import sys
from dataclasses import replace
from importlib import import_module
from inspect import cleandoc
from io import TextIOWrapper
from pathlib import Path
from traceback import print_exc
from typing import Annotated, Any

import typer

from unteach.cli import ledger
from unteach.cli._command import Command, CommandGroup
from unteach.cli._complete import ASKED, part_off
from unteach.cli._discreet import debugging, discreet
from unteach.cli._json import escape_in_stdout, only_documents, show_failure
from unteach.cli._launched import one_voice
from unteach.errors import Problem, UserError

HELP = """\
Remove given training data from a Hugging Face causal language model, and measure what remains.

`unteach demo` shows the whole way on a small made-up world. `unteach COMMAND --help` explains a
command, with examples.

Examples:
  $ unteach demo --preset tiny
  $ unteach run --model DIR_OR_ID --forget forget.jsonl --out unlearned
  $ unteach attack --model unlearned --original DIR_OR_ID --forget forget.jsonl

Exit codes:
  0  done
  1  something failed, or a file is damaged
  2  the command or the request is wrong; nothing was started
  3  done, but a gate failed (run, evaluate), the model knows a record (audit),
     the data hold a removed record (screen), or it resurfaces (recheck)
  130, 143  stopped by Ctrl-C, by SIGTERM
"""
ITEM = re.compile(r"\n\s*(?=\$ |\d)")  # where an example or an exit code starts


def _flowing(text: str) -> str:
    """Return a help text without the line ends of its source, which fit one width only.

    Each example and each exit code keeps a line of its own.
    """
    parts = []
    for part in cleandoc(text).split("\n\n"):
        listed = part.startswith(("Examples:", "Exit codes:"))
        lines = ITEM.split(part) if listed else [part]
        parts.append("\n".join(re.sub(r"\s*\n\s*", " ", line) for line in lines))
    return "\n\n".join(parts)


app = typer.Typer(
    name="unteach",
    cls=CommandGroup,
    help=_flowing(HELP),
    no_args_is_help=True,
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
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None: ...


PANELS = {  # heading in `unteach --help` -> commands, each the function of that name in its file
    "Unlearn": "demo init check run",
    "Measure a model": "audit evaluate attack chat",
    "Work with results": "compare score verify push",
    "Plan a run": "explain size search bench",
    "Look something up": "methods selectors attacks suites metrics settings env",
    "Keep track of removals": "screen recheck",
}
PANEL_OF = {name: panel for panel, names in PANELS.items() for name in names.split()}
COMMANDS = tuple(getattr(import_module(f"unteach.cli.{name}"), name) for name in PANEL_OF)
for command in COMMANDS:
    name, text = command.__name__, _flowing(command.__doc__ or "")
    app.command(name, cls=Command, help=text, rich_help_panel=PANEL_OF[name])(command)
for command in ledger.COMMANDS:
    name, text = command.__name__.rstrip("_"), _flowing(command.__doc__ or "")
    ledger.ledger.command(name, cls=Command, help=text)(command)
app.add_typer(ledger.ledger, rich_help_panel=[*PANELS][-1])


def main() -> None:
    """Run the `unteach` command; the exit codes are in `HELP`."""
    # Libraries make half a million objects that stay; to look through them time and again for
    # garbage is a tenth of the time that it takes to import them.
    gc.set_threshold(20_000, 10, 10)
    atexit.register(gc.freeze)  # else the interpreter looks through all of them as it ends
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # else it reports every retry
    escape_in_stdout()
    if isinstance(sys.stderr, TextIOWrapper):
        sys.stderr.reconfigure(errors="backslashreplace")  # a terminal may lack a character
    with discreet():
        try:
            with one_voice(), only_documents():
                _here()
                _main()
        except Exception as error:
            if not (problem := _memory(error) or _of_plugin(error) or _of_disk(error)):
                raise
            if debugging():
                print_exc()
            _stop(problem)  # printed by any process: it may be the only one with the error


def _here() -> None:
    try:
        Path.cwd()
    except OSError:
        hint = "change to an existing folder"
        _stop(Problem("the current folder", "does not exist any more", hint, "request"), code=2)


def _main() -> None:
    if ASKED in os.environ:
        part_off(os.environ)
    try:
        app()
    except UserError as error:
        if debugging():
            print_exc()
        if problem := _of_plugin(error):  # its own message may quote the data
            _stop(problem)
        _stop(*error.problems, code=error.exit_code)


def _stop(*problems: Problem, code: int = 1) -> None:
    from unteach.cli._show import say_problems

    say_problems(problems)
    show_failure(problems, code)
    sys.exit(code)


def _of_plugin(error: Exception) -> Problem | None:
    """Return a problem if a plug-in file of the user raised the error."""
    plugins: Any = sys.modules.get("unteach.methods._plugins")
    return plugins.problem_of(error) if plugins else None


def _of_disk(error: Exception) -> Problem | None:
    """Return a problem if the error is a failed write that was not explained before."""
    from unteach.files import disk_problem

    problem = disk_problem(error, Path.cwd()) if isinstance(error, OSError) else None
    if problem and not getattr(error, "filename", None):
        return replace(problem, where="the output, or a temporary file")
    return problem


def _memory(error: Exception) -> Problem | None:
    """Return a problem with advice if the error is a lack of memory."""
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
