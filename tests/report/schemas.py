"""As much of JSON Schema (2020-12) as `scores.schema.json` uses; any other keyword is an error."""

from typing import Any

TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}
SAID = {"$schema", "$defs", "title", "description"}


def faults(value: Any, schema: dict[str, Any], whole: dict[str, Any], at: str = "$") -> list[str]:
    """Where a value is not what the schema says, in words."""
    if "$ref" in schema:
        assert set(schema) <= {"$ref"} | SAID
        schema = whole["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    unknown = set(schema) - set(CHECKS) - SAID - {"properties", "required", "additionalProperties"}
    assert not unknown, unknown
    found = [
        fault
        for name, check in CHECKS.items()
        if name in schema
        for fault in check(value, schema[name], whole, at)
    ]
    if isinstance(value, dict):
        found += _of_object(value, schema, whole, at)
    return found


def _of_object(value: dict, schema: dict, whole: dict, at: str) -> list[str]:
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    found = [f"{at} lacks {name}" for name in schema.get("required", []) if name not in value]
    for name, each in value.items():
        inner = known.get(name, others)
        if inner is False:
            found.append(f"{at} has {name}")
        elif inner is not True:
            found += faults(each, inner, whole, f"{at}.{name}")
    return found


def _type(value: Any, wanted: Any, whole: dict, at: str) -> list[str]:
    names = [wanted] if isinstance(wanted, str) else wanted
    fits = any(
        isinstance(value, TYPES[name]) and not (isinstance(value, bool) and name != "boolean")
        for name in names
    )
    return [] if fits else [f"{at} is {type(value).__name__}, not {names}"]


def _items(value: Any, inner: dict, whole: dict, at: str) -> list[str]:
    each = enumerate(value) if isinstance(value, list) else ()
    return [fault for k, one in each for fault in faults(one, inner, whole, f"{at}[{k}]")]


def _any(value: Any, several: list, whole: dict, at: str) -> list[str]:
    every = [faults(value, one, whole, at) for one in several]
    return [] if [] in every else every[0]


CHECKS: dict[str, Any] = {
    "type": _type,
    "items": _items,
    "anyOf": _any,
    "enum": lambda value, some, whole, at: [] if value in some else [f"{at} is {value!r}"],
    "minimum": lambda value, least, whole, at: (
        [f"{at} is {value}"] if isinstance(value, (int, float)) and value < least else []
    ),
}
