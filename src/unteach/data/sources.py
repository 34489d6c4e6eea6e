"""Records with their places, from files and dataset ids."""

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unteach.data.bounds import LONGEST, require_proportion
from unteach.data.forms import KNOWN
from unteach.data.jsonfile import Read, Record, read_json, read_jsonl
from unteach.data.parquetfile import read_parquet
from unteach.nouns import Problem, UserError
from unteach.textfile import read_text

KINDS = ".jsonl, .json, .csv, .txt, these with .gz behind, or .parquet"
HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*(:[\w.-]*){0,2}(@\w[\w./-]*)?")
COMMIT = re.compile(r"[0-9a-f]{40}")
VERSION = re.compile(r"(\.v?\d*)?")  # what follows a dot in an id, but is no kind of file


def records(source: str) -> Read:
    """All records of a file or a dataset id, and what could not be read.

    Args:
        source: a path, or `owner/name[:config[:split]][@revision]` of a Hugging Face dataset.
    """
    path = Path(source)
    try:
        if not source or not _exists(path):
            found, problems = _dataset(source)
        elif path.is_dir():
            hint = f"give a file ({KINDS})"
            return [], [Problem(source, "is a folder", hint, "request")]
        else:
            found, problems = _file(path, source)
    except UserError as error:
        return [], list(error.problems)
    if not found and all(problem.kind == "note" for problem in problems):
        problems = [*problems, Problem(source, "is empty", "give at least one example")]
    return found, problems


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # no name of a file, or a folder that may not be looked into
        return False


def _file(path: Path, name: str) -> Read:
    readers = {
        ".jsonl": read_jsonl,
        ".ndjson": read_jsonl,
        ".json": read_json,
        ".csv": _csv,
        ".txt": lambda text, name: ([(name, text)] if text.strip() else [], []),
    }
    packed = path.suffix.lower() == ".gz"
    kind = Path(path.stem if packed else path.name).suffix.lower()
    if kind == ".parquet" and not packed:
        return read_parquet(path, name), []
    if kind not in readers:
        what, hint = f"is of no kind that can be read ({path.suffix})", f"give one of {KINDS}"
        raise UserError(Problem(name, what, hint, "request"))
    text = read_text(path, name)
    if kind != ".txt":
        require_proportion(text, kind, name)
    return readers[kind](text, name)


def _csv(text: str, name: str) -> Read:
    reader = csv.reader(_lines(text), strict=True)
    found: list[Record] = []
    problems: list[Problem] = []
    header, line = None, 1
    try:
        with _cells_of_any_length():
            for cells in reader:
                where, line = f"{name}:{line}", reader.line_num + 1
                if header is None and cells:
                    header = [cell.strip() for cell in cells]
                    if wrong := _wrong_header(header, where):
                        return [], [wrong]
                elif header and len(cells) == len(header):
                    found.append((where, dict(zip(header, cells, strict=True))))
                elif header and cells:
                    what = f"has {len(cells)} cells under {len(header)} columns"
                    problems.append(Problem(where, what, "quote cells that hold commas"))
    except csv.Error as error:
        long = "larger than field limit" in str(error)
        what = (
            f"holds a cell of more than {LONGEST:,} characters" if long else f"is not CSV ({error})"
        )
        hint = "cut it into several, or mend the quotes" if long else "mend the quotes"
        problems.append(Problem(f"{name}:{line}", what, hint))
    return found, problems


def _lines(text: str) -> Iterator[str]:
    """Each with its end; no copy of the whole text is made."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _wrong_header(header: list[str], where: str) -> Problem | None:
    if sign := _other_separator(header):
        return Problem(where, f"separates its cells by {sign}", "separate them by commas")
    named = [name for name in header if name]
    if twice := len(named) - len(set(named)):
        what = f"names {twice} of its columns again"
        return Problem(where, what, "give each column a name of its own")
    return None


@contextmanager
def _cells_of_any_length() -> Iterator[None]:
    """The csv module stops at 131,072 characters, which a raw text may well have."""
    before = csv.field_size_limit(LONGEST)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _other_separator(header: list[str]) -> str:
    for sign, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and {c.strip('" ') for c in header[0].split(sign)[:-1]} & {*KNOWN}:
            return name
    return ""


def _dataset(source: str) -> Read:
    id, _, revision = source.partition("@")
    name, config, split = [*id.split(":"), "", ""][:3]
    if not HUB_ID.fullmatch(source) or not VERSION.fullmatch(Path(name).suffix):
        hint = "give an existing file, or a dataset id such as owner/name:config:split"
        raise UserError(Problem(source or "data", "does not exist", hint, "request"))
    from datasets import load_dataset

    options: dict[str, Any] = {"revision": revision} if revision else {}
    try:
        loaded: Any = load_dataset(name, config or None, split=split or "train", **options)
        if COMMIT.fullmatch(revision) and not _is_of(loaded, revision):
            raise FileNotFoundError("the copy that is cached here is of another revision")
        rows = [(f"{source}, row {k}", dict(row)) for k, row in enumerate(loaded, 1)]
        pinned = not rows or COMMIT.fullmatch(revision)
        return rows, [] if pinned else [_not_pinned(source, loaded)]
    except Exception as error:  # whatever the hub and its loaders raise
        kind = type(error)
        # Arrow's messages name the cell that does not fit, which may be a text to forget.
        detail = "" if kind.__module__.startswith("pyarrow") else f": {_first(error)}"
        hint = "check the id (owner/name:config:split), the network, and HF_HUB_OFFLINE"
        what = f"does not load ({kind.__name__}{detail})"
        raise UserError(Problem(source, what, hint, "request")) from None


def _is_of(loaded: Any, revision: str) -> bool:
    """Whether a data set is of this commit: without the hub, `datasets` takes its latest copy."""
    places = _places(loaded)
    return not places or any(revision in place for place in places)


def _places(loaded: Any) -> list[str]:
    places = [str(file.get("filename", "")) for file in getattr(loaded, "cache_files", ())]
    return [*places, *(getattr(getattr(loaded, "info", None), "download_checksums", None) or ())]


def _not_pinned(source: str, loaded: Any) -> Problem:
    commits = {commit for place in _places(loaded) for commit in COMMIT.findall(place)}
    of = f"; this is commit {commits.pop()}" if len(commits) == 1 else ""
    hint = "to read the same again, write @ and the commit behind the id"
    return Problem(source, f"is whatever the hub has under that name{of}", hint, "note")


def _first(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:160] if str(error).strip() else ""
