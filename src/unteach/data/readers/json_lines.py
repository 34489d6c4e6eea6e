"""Read JSON and JSON lines files: each record with the line on which it begins."""

import json
import re
from collections.abc import Iterator
from typing import Any

from unteach.data.readers.json_layouts import keyed, only_list, several_lists, table
from unteach.data.readers.limits import numbered
from unteach.data.records.columns import is_record
from unteach.data.records.values import kind_of
from unteach.errors import Problem

Record = tuple[str, Any]
"""File and line (`forget.jsonl:12`), and the value read there."""

Read = tuple[list[Record], list[Problem]]

BLANK = re.compile(r"[ \t\r\n]*")
BETWEEN = re.compile(r"[ \t\r\n,:]*")


class InvalidJson(Exception):
    """The text is not JSON: what is wrong, and on which line (0 if unknown)."""

    def __init__(self, what: str, line: int = 0, *, more: bool = False):
        super().__init__(what)
        self.what, self.line, self.more = what, line, more


def read_jsonl(text: str, name: str) -> Read:
    """Read one JSON value per line; blank lines are skipped."""
    found: list[Record] = []
    problems = []
    # Split at \n only: JSON strings may contain other line separators unescaped.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            found.append((f"{name}:{number}", parsed(line)))
        except InvalidJson as error:
            hint = "write one JSON object per line"
            problems.append(Problem(f"{name}:{number}", error.what, hint))
    return found, problems


def read_json(text: str, name: str) -> Read:
    """Read a list of records, an object with many, a single record, or JSON lines."""
    if not text.strip():
        return [], []
    try:
        whole = parsed(text)
    except InvalidJson as error:
        if error.more and _begins_with_an_object(text):
            return read_jsonl(text, name)
        hint = "give a list of objects; one object per line is called .jsonl"
        return [], [Problem(f"{name}:{error.line or _line_at_fault(text)}", error.what, hint)]
    start = BLANK.match(text).end()  # type: ignore[union-attr]
    if isinstance(whole, list):
        return list(_items(text, start, name)), []
    if is_record(whole):
        return [(f"{name}:{_line(text, start)}", whole)], []
    if not isinstance(whole, dict):
        what = f"is no list but {kind_of(whole)}"
        return [], [Problem(name, what, "give a list of objects or of texts")]
    return _list_within(whole, text, start, name)


def _list_within(whole: dict, text: str, start: int, name: str) -> Read:
    """Read the records of an object: a pandas table, records by key, or its only list."""
    if found := table(whole, name):
        return numbered(found[0], name), found[1]
    if keyed(whole):
        return list(_items(text, start, name)), []
    lists = [key for key, value in whole.items() if isinstance(value, list)]
    if len(lists) != 1:
        return [], [several_lists(whole, lists, name)]
    problem = only_list(whole, lists[0], name)
    found = _items(text, _place(text, start, lists[0]), name) if problem.kind == "note" else ()
    return list(found), [problem]


def parsed(text: str) -> Any:
    """Parse a JSON text. Raises InvalidJson, also where an object has one key twice."""
    try:
        return STRICT.decode(text)
    except json.JSONDecodeError as error:
        what = f"is not JSON ({error.msg.removesuffix(' at')} at column {error.colno})"
        raise InvalidJson(what, error.lineno, more=error.msg.startswith("Extra")) from None
    except RecursionError:
        raise InvalidJson("is JSON of too many lists or objects within each other") from None
    except ValueError:  # Python refuses to parse integers with thousands of digits
        raise InvalidJson("is JSON with a number too long to be read") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise InvalidJson("has an object that names one key twice")
    return made


def _no_constant(name: str) -> Any:
    raise InvalidJson(f"is not JSON ({name} is no number there: write null)")


STRICT = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def _line_at_fault(text: str) -> int:
    """Return the line of the first invalid item of a list; otherwise that of the first value."""
    start = BLANK.match(text).end()  # type: ignore[union-attr]
    line = _line(text, start)
    if text.startswith("[", start):
        try:
            for _ in _placed_items(text, start, STRICT):
                pass
        except InvalidJson as error:
            return error.line
    return line


def _begins_with_an_object(text: str) -> bool:
    try:
        return isinstance(parsed(text.lstrip().split("\n", 1)[0]), dict)
    except InvalidJson:
        return False


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _place(text: str, start: int, key: str) -> int:
    """Return the position of the value of a key of the object at `start`."""
    decoder, position = json.JSONDecoder(), start + 1
    while True:
        position = BETWEEN.match(text, position).end()  # type: ignore[union-attr]
        name, position = decoder.raw_decode(text, position)
        position = BETWEEN.match(text, position).end()  # type: ignore[union-attr]
        if name == key:
            return position
        _, position = decoder.raw_decode(text, position)


def _items(text: str, start: int, name: str) -> Iterator[Record]:
    """Yield the items of the JSON list or object at `start`, each with its line."""
    for item, line in _placed_items(text, start, json.JSONDecoder()):
        yield f"{name}:{line}", item


def _placed_items(text: str, start: int, decoder: json.JSONDecoder) -> Iterator[tuple[Any, int]]:
    position, line, counted = start + 1, _line(text, start), start
    keys = text[start] == "{"
    while True:
        position = BETWEEN.match(text, position).end()  # type: ignore[union-attr]
        if text[position] in "]}":
            return
        if keys:
            _, position = decoder.raw_decode(text, position)
            position = BETWEEN.match(text, position).end()  # type: ignore[union-attr]
        line += text.count("\n", counted, position)
        counted = position
        try:
            item, position = decoder.raw_decode(text, position)
        except (InvalidJson, ValueError, RecursionError) as error:
            raise InvalidJson(str(error), line) from None
        yield item, line
