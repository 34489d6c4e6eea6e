"""Describe the problems of a request without quoting texts that may be forget data.

A user may give a data file in place of a request file; then each name and value is forget data.
"""

import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Literal, get_origin

from pydantic import BaseModel

from unteach.errors import Problem
from unteach.files.placeholders import is_there
from unteach.registry import did_you_mean

NAME = re.compile(r"[a-z0-9_.|-]{1,120}")
WORD = re.compile(r"[\w.:+-]{1,40}")
OPTION = re.compile(r"[a-z][a-z0-9_]{0,30}")
NUMERIC = re.compile(r"[\d.,eE%+-]{1,20}|.{1,3}")
ALIKE = 0.7  # minimum similarity of a misspelt name
NOT_SHOWN = "a text (not shown)"
WORDS = {"list": "a list", "dict": "a mapping", "str": NOT_SHOWN, "NoneType": "nothing"}
FLAGS = {"model": "--model", "forget": "--forget", "out": "--out"}
SPACES = 3  # most words of a path or an id


def told(value: Any, choices: Iterable[Any] = ()) -> str:
    """Show a value in a message: a number or a near choice itself, of other values the type.

    Example:
        >>> told(-1), told("nil", ["nll", "kl"]), told("Ada was born in Lund."), told([1])
        ('-1', "'nil'", 'a text (not shown)', 'a list')
    """
    if isinstance(value, (bool, int, float)):
        return repr(value)
    if value == "":
        return "an empty text"
    near = isinstance(value, str) and did_you_mean(value, list(map(str, choices)))
    if near or (isinstance(value, str) and NUMERIC.fullmatch(value)):
        return repr(value)
    return WORDS.get(type(value).__name__, f"a value of type {type(value).__name__}")


def without_texts(message: str, given: Any) -> str:
    """Replace the values in a library's message that may be texts of the data.

    Args:
        message: of the library.
        given: values that the library was given, possibly nested; each is shown as by `told`, with
            the quoted words of the message as choices.

    Example:
        >>> without_texts("Lund is no optimizer: ['sgd', 'adafactor']", {"optim": "Lund"})
        "a text (not shown) is no optimizer: ['sgd', 'adafactor']"
        >>> without_texts("sdg is no optimizer: ['sgd', 'adafactor']", {"optim": "sdg"})
        "'sdg' is no optimizer: ['sgd', 'adafactor']"
    """
    choices = re.findall(r"'([^']*)'", message)
    for value in sorted(_strings(given), key=len, reverse=True):
        if value and value not in choices:
            whole = rf"(?<!\w){re.escape(value)}(?!\w)"
            message = re.sub(whole, told(value, choices).replace("\\", r"\\"), message)
    return message


def named(name: str, known: Iterable[str] = ()) -> str:
    """Quote an unknown name for a message; one that may be a text of the data is not shown.

    Example:
        >>> named("nppo"), named("Where was Ada born?")
        ('"nppo"', 'a text (not shown)')
    """
    plain = WORD.fullmatch(name) or did_you_mean(name, list(known), ALIKE)
    return f'"{name}"' if plain else NOT_SHOWN


def is_text(value: str) -> bool:
    """Whether this is a sentence and not a file name, a folder or an id.

    Example:
        >>> is_text("Where was Ada born?"), is_text("my data/forget.jsonl"), is_text("owner/name")
        (True, False, False)
    """
    if not value or is_there(value):
        return False
    if "\n" in value or len(value) > 1000:
        return True
    many = len(value.split()) > SPACES or bool(re.search(r"\w[?!.]$|\? ", value) and " " in value)
    return many and not re.search(r"\.\w{1,8}$", value) and not re.match(r"[/~.]|[A-Za-z]:", value)


def explained(
    errors: Iterable[Any], model: type[BaseModel], where: str, typed: Collection[str], meant: Any
) -> list[Problem]:
    """Convert Pydantic's errors to problems; names that are no settings are only counted.

    Args:
        errors: from Pydantic.
        model: class of the request.
        where: the file, or "request".
        typed: settings that were given by name on the command line.
        meant: function from a name's path to a suggestion.
    """
    found: list[Problem] = []
    hidden: dict[str, int] = {}
    for error in errors:
        path = [str(p) for p in error["loc"] if not str(p).startswith(("literal[", "list["))]
        known = _known_part(path, model)
        if error["type"] == "missing":
            name = ".".join(path)
            flag = FLAGS.get(name, f"--set {name}=...")
            found.append(Problem(flag, "is not given", f"add {flag}", "request"))
        elif _may_be_shown(path, known, model, typed):
            found.append(_problem_of(error, path, known, where, meant))
        else:
            place = ", ".join([where, *([".".join(known)] if known else [])])
            hidden[place] = hidden.get(place, 0) + 1
    hint = "give a request; is this your data? Data goes to --forget FILE"
    for place, count in hidden.items():
        many = f"holds {count} names that are no settings'"
        what = many if count > 1 else "holds a name that is no setting's"
        found.append(Problem(place, what, hint, "request"))
    return found


def _problem_of(error: Any, path: list[str], known: list[str], where: str, meant: Any) -> Problem:
    name = ".".join(path)
    if error["type"] == "extra_forbidden":
        return Problem(f"{where}, {name}", "is not a setting", meant(path).strip(), "request")
    choices = re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected", "")))
    got = f"got {told(error['input'], choices)}"
    return Problem(f"{where}, {name}", got, error["msg"], "request")


def _may_be_shown(
    path: list[str], known: list[str], model: type[BaseModel], typed: Collection[str]
) -> bool:
    """Whether a path may be shown: list indices, typed on the command line, or a near miss."""
    rest = path[len(known) :]
    if all(part.isdigit() and len(part) < 7 for part in rest):
        return True
    name = ".".join(path)
    by_hand = any(name == one or name.startswith(f"{one}.") for one in typed)
    if by_hand and NAME.fullmatch(name):
        return True
    names = list(fields_of(known, model))
    return len(rest) == 1 and bool(
        OPTION.fullmatch(rest[0]) and did_you_mean(rest[0], names, ALIKE)
    )


def _known_part(path: list[str], model: type[BaseModel]) -> list[str]:
    """Return the leading part of a path that consists of settings."""
    known: list[str] = []
    while len(known) < len(path) and path[len(known)] in fields_of(known, model):
        known.append(path[len(known)])
    return known


def fields_of(path: list[str], model: type[BaseModel]) -> Collection[str]:
    """Return the settings of a section; nothing if the path is no section."""
    found: Any = model
    for name in path:
        found = found.model_fields[name].annotation
        if not (isinstance(found, type) and issubclass(found, BaseModel)):
            return ()
    return found.model_fields.keys()


def texts_in(values: BaseModel, where: str, prefix: str = "") -> list[Problem]:
    """Find settings that should be a file, an id or a word, but are a sentence."""
    found = []
    for name, field in type(values).model_fields.items():
        value, path = getattr(values, name), f"{prefix}{name}"
        if isinstance(value, BaseModel):
            found += texts_in(value, where, f"{path}.")
        elif path not in FREE_TEXT and get_origin(field.annotation) is not Literal:
            wrong = _is_no_word if path in ONE_WORD else is_text
            if any(map(wrong, _strings(value))):
                what = f"got {NOT_SHOWN} where {_expected(path)} belongs"
                hint = "texts go into a file, and the file to --forget, --retain or --holdout"
                found.append(Problem(f"{where}, {path}", what, hint, "request"))
    return found


FREE_TEXT = ("data.refusal", "method", "train.extra")
ONE_WORD = ("device", "train.lr_scheduler_type", "train.optim")


def _is_no_word(value: str) -> bool:
    return not WORD.fullmatch(value)


def _expected(path: str) -> str:
    return "a name" if path in ONE_WORD else "a file, a folder or an id"


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [part for inner in value.values() for part in _strings(inner)]
    if isinstance(value, (list, tuple)):
        return [part for inner in value for part in _strings(inner)]
    return [str(value)] if isinstance(value, (str, Path)) else []
