"""Merge Pydantic's errors for a value of a union type into one error."""

import re
from collections.abc import Sequence
from typing import Any

from unteach.registry import did_you_mean

KIND = re.compile(r"literal\[|list\[|constrained-")  # path element that names a union member


def by_setting(errors: Sequence[Any]) -> list[Any]:
    """Merge errors to one per setting; Pydantic gives one for each member of a union."""
    found: dict[tuple[Any, ...], list[Any]] = {}
    for error in errors:
        kinds = error["type"] != "extra_forbidden"  # then the last name is the user's
        path = tuple(p for p in error["loc"] if not (kinds and KIND.match(str(p))))
        found.setdefault(path, []).append(error)
    inner = {path[:-1] for path in found}  # settings with an error in a named part of the value
    tried = {path for path, some in found.items() if len(some[0]["loc"]) > len(path)}
    return [_merged(p, some) for p, some in found.items() if not (p in tried and p in inner)]


def _merged(path: tuple[Any, ...], errors: list[Any]) -> Any:
    """Join the messages of all union members; for a number, only those for numbers."""
    value = errors[0]["input"]
    names = [error for error in errors if error["type"] == "literal_error"]
    others = [error for error in errors if error["type"] != "literal_error"]
    relevant = others if others and not isinstance(value, str) else [*names, *others]
    messages = [
        error["msg"].removesuffix(", unable to parse string as a number") for error in relevant
    ]
    rest = [text.removeprefix("Input should be ") for text in messages[1:]]
    known = [name for error in names for name in re.findall("'(.*?)'", error["msg"])]
    close = did_you_mean(value, known) if isinstance(value, str) else ""
    return {
        **errors[0],
        "loc": path,
        "msg": " or ".join([messages[0], *rest]) + ("." + close if close else ""),
    }
