"""Parquet files: each row with its number, within bounds."""

from pathlib import Path
from typing import Any

from unteach.nouns import Problem, UserError
from unteach.textfile import LARGEST, SMALL, SWELLS

FEW = 1_000_000
"""Rows that any file may have; above them, a row takes a byte at least."""

BATCH = 256


def read_parquet(path: Path, name: str) -> list[tuple[str, Any]]:
    """All rows, as dictionaries, each with its place.

    Raises:
        UserError: the file is none of the kind, names a column twice, or grows out of proportion.
    """
    import pyarrow
    import pyarrow.parquet

    if not path.is_file():
        hint = "copy it into a file"
        raise UserError(Problem(name, "is a pipe or a device, no file", hint))
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            _check(file, path.stat().st_size, name)
            return [(f"{name}, row {k}", row) for k, row in enumerate(_rows(file, path, name), 1)]
    except UserError:
        raise
    except Exception as error:  # Arrow's messages name the cell that does not fit
        what = f"is not Parquet, or not readable ({type(error).__name__})"
        raise UserError(Problem(name, what, "write it anew")) from None


def _check(file: Any, size: int, name: str) -> None:
    names = file.schema_arrow.names
    if len(set(names)) < len(names):
        hint = "give each column a name of its own"
        raise UserError(Problem(name, "names one column twice", hint))
    groups = [file.metadata.row_group(k) for k in range(file.metadata.num_row_groups)]
    if file.metadata.num_rows > FEW + size or sum(g.total_byte_size for g in groups) > _room(size):
        raise UserError(_too_much(name))


def _rows(file: Any, path: Path, name: str) -> Any:
    left = _room(path.stat().st_size)
    for batch in file.iter_batches(BATCH):
        left -= batch.nbytes
        if left < 0:
            raise UserError(_too_much(name))
        yield from batch.to_pylist()


def _room(size: int) -> int:
    return min(LARGEST, max(SMALL, SWELLS * size))


def _too_much(name: str) -> Problem:
    hint = "it may be broken; if it is as it should be, write it as .jsonl"
    return Problem(name, "unpacks to far more than its size", hint)
