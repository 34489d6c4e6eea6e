"""With `--json`, stdout holds one JSON document: the result, or what went wrong."""

import codecs
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import typer

from unteach.errors import Problem
from unteach.escaping import json_text

FLAG = "--json"
ESCAPED = "unteach.json"  # name of the codec error handler of stdout
DOCUMENTS: list[Any] = []  # stdout, while libraries print to stderr


def is_wanted() -> bool:
    """Return whether the command line of this process asks for JSON."""
    return FLAG in sys.argv[1:]


@contextmanager
def only_documents() -> Iterator[None]:
    """Send to stderr what libraries print to stdout, if the command line asks for JSON."""
    if not is_wanted():
        yield
        return
    DOCUMENTS.append(sys.stdout)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        DOCUMENTS.pop()


def show_json(value: Any) -> None:
    """Print a result as JSON to stdout."""
    show_document(json_text(value))


def show_document(text: str) -> None:
    """Print JSON to stdout, past `only_documents`."""
    typer.echo(text.rstrip("\n"), file=DOCUMENTS[-1] if DOCUMENTS else sys.stdout)


def show_either(value: Any, text: str, *, json: bool) -> None:
    """Print a result to stdout: as JSON, or as a text for people."""
    if json:
        show_json(value)
    else:
        typer.echo(text)


def show_failure(problems: Iterable[Problem], code: int) -> None:
    """Print what went wrong as JSON to stdout, if the command line asks for JSON."""
    if not is_wanted():
        return
    told, notes = [], []
    for p in problems:
        (notes if p.kind == "note" else told).append(
            {"where": p.where, "what": p.what, "hint": p.hint}
        )
    first = f"{told[0]['where']}: {told[0]['what']}" if told else ""
    show_json({"error": first, "problems": told, "notes": notes, "exit_code": code})


def show_usage_error(error: Exception) -> None:
    """Print an error of the command line's parser, such as an unknown option, likewise."""
    message = getattr(error, "format_message", None)
    if message:
        hint = "`unteach COMMAND --help` lists the options"
        problem = Problem("the command line", message(), hint, "request")
        show_failure([problem], getattr(error, "exit_code", 2))


def escape_in_stdout() -> None:
    r"""Make stdout write `\u00e9` for a character that its encoding lacks, as JSON does."""
    codecs.register_error(ESCAPED, _escaped)
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure:
        reconfigure(errors=ESCAPED)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end
