"""Declare the options of a method, and check their values."""

from dataclasses import MISSING, field, fields
from math import isfinite
from typing import Any, Literal, get_args, get_origin

from unteach.errors import Problem
from unteach.registry import did_you_mean
from unteach.selectors import SELECTORS
from unteach.settings.messages import told


def option(
    default: Any,
    help: str,
    *,
    low: int | float | None = None,
    above: int | float | None = None,
    selectors: bool = False,
    tried: tuple[float, float] | tuple[()] | None = None,
) -> Any:
    """Declare an option of a method, with its help text and bounds.

    Args:
        default: the default value; its type is the option's type.
        help: one sentence for users.
        low: smallest allowed value.
        above: exclusive lower bound.
        selectors: whether the value is the default or the name of a registered selector.
        tried: range that `unteach search` tries; () for none. When left out, a number with a
            fraction is tried from a tenth of its default to ten times that (`tuning.space`).
    """
    facts = {"help": help, "low": low, "above": above, "selectors": selectors, "tried": tried}
    return field(default=default, metadata=facts)


def options_of(cls: type) -> list[dict[str, Any]]:
    """Return name, default, choices and help text of each option."""
    return [
        {
            "name": f.name,
            "default": None if f.default is MISSING else f.default,
            "choices": _choices(f),
            "help": f.metadata.get("help", ""),
        }
        for f in fields(cls)  # type: ignore[arg-type]
    ]


def _choices(field) -> list[str]:
    """Return the allowed values of an option; empty if it is not one of a list."""
    if get_origin(field.type) is Literal:
        return list(get_args(field.type))
    if field.metadata.get("selectors"):
        return list(dict.fromkeys([field.default, *SELECTORS]))
    return []


def bounds(name: str, field, value: Any) -> list[Problem]:
    wanted = _wanted(field, value)
    where = f"method.{field.name}"
    got = f"{name} got {told(value, _choices(field))}"
    return [Problem(where, got, wanted, "request")] if wanted else []


def _wanted(field, value: Any) -> str:
    """Return what to give instead of an invalid value; "" if it is valid."""
    if choices := _choices(field):
        listed = f"one of {', '.join(map(str, choices))}.{did_you_mean(str(value), choices)}"
        return "" if value in choices else listed
    if field.default is None:
        return "" if value is None or isinstance(value, dict) else "give a mapping, {name: value}"
    if isinstance(field.default, str):
        return "" if isinstance(value, str) and value else "give a name"
    if isinstance(field.default, bool):
        return "" if isinstance(value, bool) else "give true or false"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "give a number"
    if isinstance(field.default, int) and not isinstance(value, int):
        return "give a whole number"
    low, above = field.metadata.get("low"), field.metadata.get("above")
    if low is not None and not value >= low:
        return f"give at least {low}"
    if above is not None and not value > above:
        return f"give more than {above}"
    return "" if isfinite(value) else "give a finite number"
