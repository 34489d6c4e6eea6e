"""Read records, each with file and line, from a file, a folder or a dataset id."""

import re
from pathlib import Path
from typing import Any

from unteach.data.readers.arrow import read_arrow
from unteach.data.readers.csv_tables import read_csv, read_tsv
from unteach.data.readers.json_lines import Read, read_json, read_jsonl
from unteach.data.readers.limits import numbered, require_proportion
from unteach.data.readers.parquet import read_parquet
from unteach.data.readers.saved_to_disk import is_saved, read_saved
from unteach.data.records.values import without_nulls
from unteach.errors import Problem, UserError
from unteach.files.placeholders import is_there, stand_in, start_of
from unteach.files.text import read_text

KINDS = ".jsonl, .json, .csv, .tsv, .txt, these with .gz or .zst behind, .parquet or .arrow"
PROGRAMS = (".pkl", ".pickle", ".pt", ".pth", ".bin", ".py", ".joblib", ".npy", ".npz")
"""File types that are, or may run, a program when they are read."""

TEXTS = {
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".json": read_json,
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".txt": lambda text, name: ([(name, text)] if text.strip() else [], []),
}
TABLES = {".parquet": read_parquet, ".arrow": read_arrow, ".feather": read_arrow}
HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*(:[\w.-]*){0,2}(@\w[\w./-]*)?")
COMMIT = re.compile(r"[0-9a-f]{40}")
VERSION = re.compile(r"(\.v?\d*)?")  # a suffix of a dataset id that is no file extension


def records(source: str) -> Read:
    """Read all records of a file or a dataset id, and collect the problems.

    Args:
        source: a file, a folder that `save_to_disk` wrote, or a Hugging Face dataset:
            `owner/name[:config[:split]][@revision]`.
    """
    path = Path(source)
    try:
        if not source or not is_there(path):
            found, problems = _dataset(source)
        elif path.is_dir() and is_saved(path):
            rows, problems = read_saved(path, source)
            found = [(where, without_nulls(row)) for where, row in rows]
        elif path.is_dir():
            hint = f"give a file ({KINDS}), or a folder written by save_to_disk"
            return [], [Problem(source, "is a folder", hint, "request")]
        else:
            found, problems = _file(path, source)
    except UserError as error:
        return [], list(error.problems)
    if not found and all(problem.kind == "note" for problem in problems):
        problems = [*problems, Problem(source, "is empty", "give at least one example")]
    return found, problems


def _file(path: Path, name: str) -> Read:
    packed = path.suffix.lower() in (".gz", ".zst")
    kind = Path(path.stem if packed else path.name).suffix.lower()
    what, hint = stand_in(start_of(path) or b"")
    if what and (kind != ".txt" or "Git" in what):  # an HTML page may be a text to forget
        raise UserError(Problem(name, what, hint))
    if kind in TABLES and not packed:
        return [(where, without_nulls(row)) for where, row in TABLES[kind](path, name)], []
    if kind not in TEXTS:
        what, hint = f"is of no kind that can be read ({path.suffix})", f"give one of {KINDS}"
        if kind in PROGRAMS:
            hint = f"reading it may run a program, so it is not read: {hint}"
        raise UserError(Problem(name, what, hint, "request"))
    text = read_text(path, name)
    if kind != ".txt":
        require_proportion(text, kind, name)
    return TEXTS[kind](text, name)


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
        rows = numbered(map(without_nulls, loaded), source)
        pinned = not rows or COMMIT.fullmatch(revision)
        return rows, [] if pinned else [_not_pinned(source, loaded)]
    except Exception as error:  # the hub and its loaders raise many types
        kind = type(error)
        # Arrow's messages quote cells, which may be forget data.
        detail = "" if kind.__module__.startswith("pyarrow") else f": {_first_line(error)}"
        hint = "check the id (owner/name:config:split), the network, and HF_HUB_OFFLINE"
        what = f"does not load ({kind.__name__}{detail})"
        raise UserError(Problem(source, what, hint, "request")) from None


def _is_of(loaded: Any, revision: str) -> bool:
    """Whether a dataset is of this commit; offline, `datasets` loads the latest cached copy."""
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


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:160] if str(error).strip() else ""
