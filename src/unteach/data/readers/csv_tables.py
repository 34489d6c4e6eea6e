"""Read CSV and TSV files: each row with its line number."""

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager

from unteach.data.readers.cells import read_cells
from unteach.data.readers.json_lines import Read, Record
from unteach.data.readers.limits import LONGEST
from unteach.data.records.names import SPELLED
from unteach.errors import Problem

SIGNS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
SAID = re.compile(r"sep=([,;\t|])\r?\n", re.IGNORECASE)
"""First line that tells Excel which separator the file has."""


def read_csv(text: str, name: str, separator: str = ",") -> Read:
    """Read the rows below the header, each with the line on which it begins."""
    declared = SAID.match(text)
    separator, above = (declared[1], 1) if declared else (separator, 0)
    lines = _lines(text, declared.end() if declared else 0)
    reader = csv.reader(lines, strict=True, delimiter=separator)
    found: list[Record] = []
    problems: list[Problem] = []
    header, line = None, 1 + above
    try:
        with _cells_of_any_length():
            for cells in reader:
                where, line = f"{name}:{line}", reader.line_num + 1 + above
                if header is None and cells:
                    header = [cell.strip() for cell in cells]
                    if wrong := _wrong_header(header, where, separator):
                        return [], [wrong]
                elif header and len(cells) == len(header):
                    found.append((where, dict(zip(header, cells, strict=True))))
                elif header and cells:
                    what = f"has {len(cells)} cells under {len(header)} columns"
                    hint = f"quote cells that hold {SIGNS[separator]}"
                    problems.append(Problem(where, what, hint))
    except csv.Error as error:
        problems.append(_broken(error, f"{name}:{line}"))
    return found, problems + read_cells(found, header or [], name)


def _broken(error: csv.Error, where: str) -> Problem:
    if "larger than field limit" in str(error):
        what = f"holds a cell of more than {LONGEST:,} characters"
        return Problem(where, what, "cut it into several, or mend the quotes")
    return Problem(where, f"is not CSV ({error})", "mend the quotes")


def _lines(text: str, start: int) -> Iterator[str]:
    """Yield the lines with their line ends from `start` on, without copying the whole text."""
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def read_tsv(text: str, name: str) -> Read:
    """Read a TSV file as `read_csv` does."""
    return read_csv(text, name, "\t")


def _wrong_header(header: list[str], where: str, separator: str) -> Problem | None:
    if sign := _other_separator(header, separator):
        hint = f"separate them by {SIGNS[separator]}"
        hint += "; a file with tabs is called .tsv" if sign == "tabs" else ""
        return Problem(where, f"separates its cells by {sign}", hint)
    named = [name for name in header if name]
    if twice := len(named) - len(set(named)):
        what = f"names {twice} of its columns again"
        return Problem(where, what, "give each column a name of its own")
    return None


@contextmanager
def _cells_of_any_length() -> Iterator[None]:
    """Raise the csv module's limit of 131,072 characters per cell; a raw text may be longer."""
    before = csv.field_size_limit(LONGEST)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _other_separator(header: list[str], separator: str) -> str:
    for sign, name in SIGNS.items():
        cells = header[0].split(sign) if len(header) == 1 and sign != separator else []
        if len(cells) > 1 and any(cell.strip('" ').casefold() in SPELLED for cell in cells):
            return name
    return ""
