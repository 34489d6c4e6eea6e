"""Read and write rows as JSON lines: a header line, then one row per line, without texts."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from unteach.errors import Problem, UserError
from unteach.files import write_lines
from unteach.files.text import read_text
from unteach.types import Row

SCHEMA = 2
Groups = dict[str, list[Row]]
LARGEST = 2.0**1000  # far above any valid number of a row
ALWAYS = ("id", "kind", "tokens")
COUNTS = ("index", "tokens", "zlib", "said_tokens")
FIELDS: dict[str, Any] = {field.name: field.default for field in fields(Row)}


def write_rows(file: Path, groups: Groups, about: Mapping[str, Any] | None = None) -> None:
    """Write the rows of one model, in the order of groups and rows, without default values.

    Args:
        file: to write; its folder is made.
        groups: the rows by group.
        about: where they come from: suite, version, model.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "model.jsonl"
        >>> rows = {"forget": [Row(id="forget-0", tokens=9, logp=-0.5)]}
        >>> write_rows(file, rows, {"suite": "own"})
        >>> read_rows(file) == (rows, {"schema": 2, "suite": "own"})
        True
    """
    head = {"about": {"schema": SCHEMA, **(about or {})}, "groups": list(groups)}
    lines = [{"group": g, **_as_record(row)} for g, rows in groups.items() for row in rows]
    write_lines(file, [head, *lines])


def read_rows(file: Path) -> tuple[Groups, dict[str, Any]]:
    """Read what `write_rows` wrote: the rows by group, and where they come from.

    Raises:
        UserError: the file cannot be read, or is no valid rows file.
    """
    groups: Groups = {}
    about: dict[str, Any] = {}
    at = str(file)
    hint = "give a rows file that `unteach evaluate` wrote, such as rows/retrained.jsonl"
    try:
        for number, line in enumerate(_lines(read_text(file, kind="request", hint=hint)), 1):
            at = f"{file}:{number}"
            record = json.loads(line)
            if "about" in record:
                about = _about(file, record["about"])
                groups = {_name(name): [] for name in record.get("groups", [])}
            else:
                groups.setdefault(_name(record.pop("group")), []).append(_read(record))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        reason = error if isinstance(error, _InvalidRow) else type(error).__name__
        what, hint = f"is no row ({reason})", "write the rows anew, with this release"
        raise UserError(Problem(at, what, hint, "request")) from None
    if not any(groups.values()):
        raise UserError(Problem(str(file), "holds no rows", "write the rows anew", "request"))
    return groups, about


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n")  # strict: an additional blank line is an error


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise _InvalidRow("its group is no name")
    return value


def _as_record(row: Row) -> dict[str, Any]:
    return {k: v for k, v in asdict(row).items() if k in ALWAYS or v != FIELDS[k]}


class _InvalidRow(ValueError):
    """Why a line is no valid row; the message quotes only names of fields."""


def _read(record: dict[str, Any]) -> Row:
    if unknown := sorted(record.keys() - FIELDS.keys()):
        named = [name for name in unknown if name.isidentifier()]  # else it may be a text
        raise _InvalidRow(f"this release does not know {', '.join(named) or 'one of its fields'}")
    for name, value in record.items():
        if not _fits(name, value):
            raise _InvalidRow(f"{name} is not what it should be")
    row = Row(**record)
    if row.tokens and row.logp is None:
        raise _InvalidRow("it has tokens and no logp")
    return row


def _fits(name: str, value: Any) -> bool:
    if name in ("id", "kind"):
        return isinstance(value, str)
    if value is None:
        return FIELDS[name] is None
    return _is_number(value) and (name not in COUNTS or (isinstance(value, int) and value >= 0))


def _is_number(value: Any) -> bool:
    # Excludes integers too large for a float, for which math.isfinite raises.
    return isinstance(value, (int, float)) and -LARGEST < value < LARGEST


def _about(file: Path, about: Any) -> dict[str, Any]:
    if not isinstance(about, dict):
        raise _InvalidRow("what it is of is no object")
    schema = about.get("schema")
    if schema == 1:
        what = "is of an earlier release, and holds numbers of each token: with the model at hand "
        what += "they give the text back"
        hint = "delete it and its copies, and write the rows anew with this release"
        raise UserError(Problem(str(file), what, hint, "request"))
    if schema != SCHEMA:
        named = f"schema {schema}" if isinstance(schema, int) and schema < LARGEST else "no schema"
        what = f"is of {named}; this release reads {SCHEMA}"
        raise UserError(Problem(str(file), what, "write the rows anew", "request"))
    return about
