"""Records with their places, from files and dataset ids."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unteach.nouns import Problem, UserError

Record = tuple[str, Any]
"""Where it stands (`forget.jsonl:12`), and what stands there."""

KINDS = ".jsonl, .json, .csv, .parquet, .txt"
HUB_ID = re.compile(r"^[\w.-]+/[\w.-]+(:[\w.-]+){0,2}$")


def records(source: str) -> tuple[list[Record], list[Problem]]:
    """All records of a file or a dataset id, and what could not be read.

    Args:
        source: a path, or `owner/name[:config[:split]]` of a Hugging Face dataset.
    """
    path = Path(source)
    try:
        if path.is_dir():
            hint = f"give a file ({KINDS})"
            return [], [Problem(source, "is a folder", hint, "request")]
        if path.exists():
            found, problems = _file(path, source)
        elif HUB_ID.match(source) and not path.suffix:
            found, problems = _dataset(source), []
        else:
            hint = "give an existing file, or a dataset id such as owner/name:config:split"
            return [], [Problem(source, "does not exist", hint, "request")]
    except UserError as error:
        return [], list(error.problems)
    if not found and not problems:
        problems = [Problem(source, "is empty", "give at least one example")]
    return found, problems


def _file(path: Path, name: str) -> tuple[list[Record], list[Problem]]:
    readers = {
        ".jsonl": _jsonl,
        ".ndjson": _jsonl,
        ".json": _json,
        ".csv": _csv,
        ".txt": lambda text, name: ([(name, text)] if text.strip() else [], []),
    }
    if path.suffix == ".parquet":
        return _parquet(path, name), []
    if path.suffix not in readers:
        hint = f"give one of {KINDS}"
        raise UserError(
            Problem(name, f"is of no kind that can be read ({path.suffix})", hint, "request")
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"is not UTF-8 (byte {error.start})"
        raise UserError(Problem(name, what, "save it as UTF-8")) from None
    except OSError as error:
        raise UserError(Problem(name, f"cannot be read ({error.strerror})", "")) from None
    return readers[path.suffix](text, name)


def _jsonl(text: str, name: str) -> tuple[list[Record], list[Problem]]:
    found, problems = [], []
    # Only \n ends a line: JSON strings may hold other line separators as they are.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"{name}:{number}"
        try:
            found.append((where, json.loads(line)))
        except json.JSONDecodeError as error:
            what = f"is not JSON ({error.msg} at column {error.colno})"
            problems.append(Problem(where, what, "write one JSON object per line"))
    return found, problems


def _json(text: str, name: str) -> tuple[list[Record], list[Problem]]:
    if not text.strip():
        return [], []
    try:
        whole = json.loads(text)
    except json.JSONDecodeError as error:
        what = f"is not JSON ({error.msg} at column {error.colno})"
        hint = "give a list of objects; one object per line is called .jsonl"
        return [], [Problem(f"{name}:{error.lineno}", what, hint)]
    start = 0
    if isinstance(whole, dict):
        lists = [key for key, value in whole.items() if isinstance(value, list)]
        if len(lists) != 1:
            what = f"is an object with {len(lists)} lists in it"
            return [], [Problem(name, what, "give a list, or an object with one list in it")]
        start = text.index(json.dumps(lists[0])) if json.dumps(lists[0]) in text else 0
    if not isinstance(whole, (list, dict)):
        return [], [Problem(name, "is no list", "give a list of objects or of texts")]
    return list(_items(text, text.index("[", start), name)), []


def _items(text: str, start: int, name: str) -> Iterator[Record]:
    """The items of the JSON list that begins at `start`, each with the line it begins on."""
    decoder, space = json.JSONDecoder(), re.compile(r"[\s,]*")
    position, line, counted = start + 1, text.count("\n", 0, start) + 1, start
    while True:
        position = space.match(text, position).end()  # type: ignore[union-attr]
        if text[position] == "]":
            return
        line += text.count("\n", counted, position)
        counted = position
        item, position = decoder.raw_decode(text, position)
        yield f"{name}:{line}", item


def _csv(text: str, name: str) -> tuple[list[Record], list[Problem]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found, problems, header, line = [], [], None, 1
    try:
        for cells in reader:
            where, line = f"{name}:{line}", reader.line_num + 1
            if header is None:
                header = [cell.strip() for cell in cells]
            elif len(cells) == len(header):
                found.append((where, dict(zip(header, cells, strict=True))))
            elif cells:
                what = f"has {len(cells)} cells under {len(header)} columns"
                problems.append(Problem(where, what, "quote cells that hold commas"))
    except csv.Error as error:
        problems.append(Problem(f"{name}:{line}", f"is not CSV ({error})", "mend the quotes"))
    return found, problems


def _parquet(path: Path, name: str) -> list[Record]:
    import pyarrow
    import pyarrow.parquet

    try:
        rows = pyarrow.parquet.read_table(path).to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        what = f"is not Parquet ({_first(error)})"
        raise UserError(Problem(name, what, "write it anew")) from None
    return [(f"{name}, row {k}", row) for k, row in enumerate(rows, 1)]


def _dataset(source: str) -> list[Record]:
    from datasets import load_dataset

    name, config, split = [*source.split(":"), None, None][:3]
    try:
        rows = load_dataset(name, config, split=split or "train")  # type: ignore[arg-type]
    except Exception as error:  # whatever the hub and its loaders raise
        hint = "check the id (owner/name:config:split), the network, and HF_HUB_OFFLINE"
        what = f"does not load ({type(error).__name__}: {_first(error)})"
        raise UserError(Problem(source, what, hint, "request")) from None
    return [(f"{source}, row {k}", dict(row)) for k, row in enumerate(rows, 1)]  # type: ignore[call-overload]


def _first(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:160] if str(error).strip() else ""
