"""Check the type of a value in a record, and find why it is no valid text."""

import json
import re
from collections.abc import Mapping
from typing import Any

from unteach.errors import Problem

HALF_CHARACTER = re.compile("[\ud800-\udfff]")
AS_PYTHON = re.compile(
    r"""\s*(\[\s*['"].*['"]\s*\]|\[\s*\{\s*'.*\}\s*\]|\{\s*'.*\}|array\(\[.*\))\s*""", re.DOTALL
)
REPR = "Python wrote it, and it cannot be told from a text: write JSON text, or .jsonl or .parquet"
WORDS = {
    "bool": "true or false",
    "int": "a number",
    "float": "a number",
    "str": "a string",
    "list": "a list",
    "tuple": "a list",
    "dict": "an object",
    "NoneType": "null",
}


def kind_of(value: Any) -> str:
    """Name the type of a value in JSON terms.

    Example:
        >>> kind_of(3), kind_of(None)
        ('a number', 'null')
    """
    name = type(value).__name__
    return WORDS.get(name, f"a value of type {name}")


def is_null(value: Any) -> bool:
    """Whether there is no value: None, or NaN, which pandas uses for missing values."""
    return value is None or (isinstance(value, float) and value != value)


def is_blank(value: Any) -> bool:
    """Whether a value is empty: null, blanks, an empty list or object."""
    return is_null(value) or (
        not value.strip() if isinstance(value, str) else value in ([], {}, ())
    )


def is_list(value: Any) -> bool:
    """Whether the value is a JSON list."""
    return isinstance(value, (list, tuple))


def is_whole(value: Any) -> bool:
    """Whether the value is an integer and not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def decoded(value: Any) -> Any:
    """Parse a JSON list or object stored as text, such as a CSV cell; other values stay.

    Example:
        >>> decoded('["Lund", "Oslo"]'), decoded("[sic] Lund")
        (['Lund', 'Oslo'], '[sic] Lund')
    """
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def is_repr(value: Any) -> bool:
    """Whether a text is the repr of a Python or NumPy list or object, and not JSON.

    Example:
        >>> is_repr("['Lund' 'Oslo']"), is_repr('["Lund", "Oslo"]'), is_repr("[sic] Lund")
        (True, False, False)
    """
    if not isinstance(value, str) or not AS_PYTHON.fullmatch(value):
        return False
    return isinstance(decoded(value), str)


def without_nulls(value: Any) -> Any:
    """Remove the null keys within the lists and objects of a row; Arrow adds them everywhere.

    Example:
        >>> without_nulls({"a": None, "b": [{"c": 1, "d": None}, None]})
        {'a': None, 'b': [{'c': 1}, None]}
    """
    return {name: _stripped(inner) for name, inner in value.items()}


def _stripped(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _stripped(inner) for key, inner in value.items() if inner is not None}
    return [_stripped(inner) for inner in value] if isinstance(value, list) else value


def wrong_text(value: Any, name: str, where: str, *, blank: bool = False) -> list[Problem]:
    """Find why a value is no valid text; blank texts are valid if `blank`."""
    if not isinstance(value, str):
        return [Problem(where, f"{name} is {kind_of(value)}", _as_text(value))]
    if not blank and not value.strip():
        return [Problem(where, f"{name} is empty", "fill it, or take the line out")]
    if HALF_CHARACTER.search(value):
        hint = "an escape such as \\ud83d needs its second half: write the file anew as UTF-8"
        return [Problem(where, f"{name} holds half a character", hint)]
    if "\0" in value:
        return [Problem(where, f"{name} holds a NUL character", "take it out")]
    return []


def _as_text(value: Any) -> str:
    """Return a hint for a value that is no text."""
    if isinstance(value, bool):
        return "write the word that it stands for, such as yes or no"
    keys = value if isinstance(value, Mapping) else ()
    if {"role", "content"} <= {*keys}:
        return "write a message as a list of one: [{...}]"
    held = [key for key in ("text", "value") if isinstance(value, Mapping) and value.get(key)]
    return f"write its {held[0]} as a string" if held else "write it as a string"


def wrong_json(value: Any, name: str, where: str) -> list[Problem]:
    """Find why a value cannot be passed to a chat template, which takes only JSON values."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return [Problem(where, f"{name} holds what is not JSON", "write it as JSON")]
    return wrong_text(text.replace("\\u0000", "\0"), name, where)
