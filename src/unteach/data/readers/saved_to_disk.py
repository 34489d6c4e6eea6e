"""Read folders that `datasets` writes with `save_to_disk`."""

from pathlib import Path
from typing import Any

from unteach.data.readers.arrow import arrow_rows
from unteach.data.readers.json_lines import InvalidJson, Read, parsed
from unteach.data.readers.limits import numbered
from unteach.data.records.hints import shown
from unteach.errors import Problem, UserError
from unteach.files.text import read_text

STATE, SPLITS = "state.json", "dataset_dict.json"
LARGEST = 2**24  # bytes of a metadata file


def is_saved(folder: Path) -> bool:
    """Whether the folder is a saved dataset, with or without splits."""
    return (folder / STATE).is_file() or (folder / SPLITS).is_file()


def read_saved(folder: Path, name: str) -> Read:
    """Read all rows of the dataset in a folder, each with its row number.

    Raises:
        UserError: there are several splits, or a file is missing or broken.
    """
    if (folder / STATE).is_file():
        return _rows(folder, name), []
    splits = _described(folder, SPLITS, name).get("splits")
    found = [s for s in splits if isinstance(s, str)] if isinstance(splits, list) else []
    if len(found) == 1 and _is_name(found[0]) and (folder / found[0] / STATE).is_file():
        note = Problem(name, f"is a folder of one split, which is read: {shown(found)}", "", "note")
        return _rows(folder / found[0], name), [note]
    listed = shown(found)
    first = next((split for split in found if shown([split]) == split), "SPLIT")
    hint = f"give the folder of one of them, such as {Path(name) / first}"
    raise UserError(Problem(name, f"holds several data sets: {listed}", hint, "request"))


def _rows(folder: Path, name: str) -> list[tuple[str, Any]]:
    state = _described(folder, STATE, name)
    data_files = state.get("_data_files")
    listed = data_files if isinstance(data_files, list) else []
    files = [str(file.get("filename")) for file in listed if isinstance(file, dict)]
    if not files or len(files) < len(listed) or not all(map(_is_name, files)):
        what = f"its {STATE} names no files of the folder"
        raise UserError(Problem(name, what, "write it anew by save_to_disk"))
    if state.get("_indices_data_files"):
        what = "is a choice of rows, written by an old version of datasets"
        raise UserError(Problem(name, what, "write it anew by save_to_disk"))
    rows = (row for file in files for row in arrow_rows(folder / file, str(Path(name) / file)))
    return numbered(rows, name)


def _is_name(file: str) -> bool:
    return file not in ("", ".", "..") and Path(file).name == file


def _described(folder: Path, file: str, name: str) -> dict:
    text = read_text(folder / file, f"{name}/{file}", largest=LARGEST)
    try:
        found = parsed(text)
    except InvalidJson as error:
        raise UserError(Problem(f"{name}/{file}", error.what, "write it anew")) from None
    if not isinstance(found, dict):
        raise UserError(Problem(f"{name}/{file}", "is no object", "write it anew"))
    return found
