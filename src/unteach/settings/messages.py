"""What is wrong with a request, in words that hold nothing of it but settings and numbers.

Data may have been given in its place, and then each name and each value is a text to forget.
"""

import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Literal, get_origin

from pydantic import BaseModel

from unteach.errors import Problem
from unteach.registry import did_you_mean

NAME = re.compile(r"[a-z0-9_.|-]{1,120}")
WORD = re.compile(r"[\w.:+-]{1,40}")
OPTION = re.compile(r"[a-z][a-z0-9_]{0,30}")
NUMERIC = re.compile(r"[\d.,eE%+-]{1,20}|.{1,3}")
ALIKE = 0.7  # a name has this much in common with the one that was meant
NOT_SHOWN = "a text (not shown)"
WORDS = {"list": "a list", "dict": "a mapping", "str": NOT_SHOWN, "NoneType": "nothing"}
FLAGS = {"model": "--model", "forget": "--forget", "out": "--out"}
SPACES = 3  # a path rarely has as many


def told(value: Any, choices: Iterable[Any] = ()) -> str:
    """A value for a message: numbers, and what is nearly one of the choices; else its kind.

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
    """A library's message, without the values in it that may be texts of the data.

    Args:
        message: what the library says.
        given: values that it was given, also nested; each is shown as `told` shows it, where the
            choices are those that the message quotes.

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
    """A name that nothing has, in quotes; what may be a text is not shown.

    Example:
        >>> named("nppo"), named("Where was Ada born?")
        ('"nppo"', 'a text (not shown)')
    """
    plain = WORD.fullmatch(name) or did_you_mean(name, list(known), ALIKE)
    return f'"{name}"' if plain else NOT_SHOWN


def is_text(value: str) -> bool:
    """Whether this is a sentence rather than the name of a file, a folder or an id.

    Example:
        >>> is_text("Where was Ada born?"), is_text("my data/forget.jsonl"), is_text("owner/name")
        (True, False, False)
    """
    if not value or _exists(value):
        return False
    if "\n" in value or len(value) > 1000:
        return True
    many = len(value.split()) > SPACES or bool(re.search(r"\w[?!.]$|\? ", value) and " " in value)
    return many and not re.search(r"\.\w{1,8}$", value) and not re.match(r"[/~.]|[A-Za-z]:", value)


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def explained(
    errors: Iterable[Any], model: type[BaseModel], where: str, typed: Collection[str], meant: Any
) -> list[Problem]:
    """Pydantic's errors as problems: all that are of settings, and how many names are none.

    Args:
        errors: what it found.
        model: of the request.
        where: the file, or "request".
        typed: settings that were given by name on the command line.
        meant: from a name's path to what it may have been meant to be.
    """
    found: list[Problem] = []
    hidden: dict[str, int] = {}
    for error in errors:
        path = [str(p) for p in error["loc"] if not str(p).startswith(("literal[", "list["))]
        known = _known(path, model)
        if error["type"] == "missing":
            name = ".".join(path)
            flag = FLAGS.get(name, f"--set {name}=...")
            found.append(Problem(flag, "is not given", f"add {flag}", "request"))
        elif _may_be_shown(path, known, model, typed):
            found.append(_one(error, path, known, where, meant))
        else:
            place = ", ".join([where, *([".".join(known)] if known else [])])
            hidden[place] = hidden.get(place, 0) + 1
    hint = "give a request; is this your data? Data goes to --forget FILE"
    for place, count in hidden.items():
        many = f"holds {count} names that are no settings'"
        what = many if count > 1 else "holds a name that is no setting's"
        found.append(Problem(place, what, hint, "request"))
    return found


def _one(error: Any, path: list[str], known: list[str], where: str, meant: Any) -> Problem:
    name = ".".join(path)
    if error["type"] == "extra_forbidden":
        return Problem(f"{where}, {name}", "is not a setting", meant(path).strip(), "request")
    choices = re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected", "")))
    got = f"got {told(error['input'], choices)}"
    return Problem(f"{where}, {name}", got, error["msg"], "request")


def _may_be_shown(
    path: list[str], known: list[str], model: type[BaseModel], typed: Collection[str]
) -> bool:
    """Whether the rest of a path is no text: a place in a list, what was typed, or a near miss."""
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


def _known(path: list[str], model: type[BaseModel]) -> list[str]:
    """As much of a path as settings have."""
    known: list[str] = []
    while len(known) < len(path) and path[len(known)] in fields_of(known, model):
        known.append(path[len(known)])
    return known


def fields_of(path: list[str], model: type[BaseModel]) -> Collection[str]:
    """The settings of a section; none of what is no section."""
    found: Any = model
    for name in path:
        found = found.model_fields[name].annotation
        if not (isinstance(found, type) and issubclass(found, BaseModel)):
            return ()
    return found.model_fields.keys()


def texts_in(values: BaseModel, where: str, prefix: str = "") -> list[Problem]:
    """Settings that want a file, an id or a word, and hold a sentence."""
    found = []
    for name, field in type(values).model_fields.items():
        given, path = getattr(values, name), f"{prefix}{name}"
        if isinstance(given, BaseModel):
            found += texts_in(given, where, f"{path}.")
        elif path not in FREE_TEXT and get_origin(field.annotation) is not Literal:
            wrong = _is_no_word if path in ONE_WORD else is_text
            if any(map(wrong, _strings(given))):
                what = f"got {NOT_SHOWN} where {_wanted(path)} belongs"
                hint = "texts go into a file, and the file to --forget, --retain or --holdout"
                found.append(Problem(f"{where}, {path}", what, hint, "request"))
    return found


FREE_TEXT = ("data.refusal", "method", "train.extra")
ONE_WORD = ("device", "train.lr_scheduler_type", "train.optim")


def _is_no_word(value: str) -> bool:
    return not WORD.fullmatch(value)


def _wanted(path: str) -> str:
    return "a name" if path in ONE_WORD else "a file, a folder or an id"


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [part for inner in value.values() for part in _strings(inner)]
    if isinstance(value, (list, tuple)):
        return [part for inner in value for part in _strings(inner)]
    return [str(value)] if isinstance(value, (str, Path)) else []
