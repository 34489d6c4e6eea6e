"""Read Arrow files, as `datasets` and Feather write them, within memory limits."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unteach.data.readers.arrow_limits import cells, plain, readable, unpacked
from unteach.data.readers.limits import FEW, too_much
from unteach.data.readers.parquet import BATCH
from unteach.errors import Problem, UserError
from unteach.files.text import room_for

FILE = b"ARROW1\0\0"
"""First bytes of an Arrow file; what follows is read like an Arrow stream."""


def read_arrow(path: Path, name: str) -> list[tuple[str, Any]]:
    """Read all rows of an Arrow file or stream as dictionaries, each with its row number.

    Raises:
        UserError: the file is not Arrow, has two columns of one name, has columns of an
            unsupported type, or unpacks to far more than its size.
    """
    return [(f"{name}, row {k}", row) for k, row in enumerate(arrow_rows(path, name), 1)]


def arrow_rows(path: Path, name: str) -> Iterator[dict]:
    """Yield the rows of an Arrow file or stream. Raises UserError."""
    if not path.is_file():
        raise UserError(Problem(name, "is a pipe or a device, no file", "copy it into a file"))
    try:
        yield from _rows(path, name)
    except UserError:
        raise
    except Exception as error:  # Arrow's messages quote cells, which may be forget data
        what = f"is not Arrow, or not readable ({type(error).__name__})"
        raise UserError(Problem(name, what, "write it anew")) from None


def _rows(path: Path, name: str) -> Iterator[dict]:
    import pyarrow
    from pyarrow import ipc

    size = path.stat().st_size
    left, rows = room_for(size), FEW + size
    with pyarrow.OSFile(str(path)) as file:
        start = len(FILE) if file.read(len(FILE)) == FILE else 0
        file.seek(start)
        messages = ipc.MessageReader.open_stream(file)
        room = left
        for message in messages:
            room -= unpacked(message)
            if room < 0:
                raise UserError(too_much(name))
        file.seek(start)
        with ipc.open_stream(file) as stream:
            _check(stream.schema, name)
            for batch in stream:
                batch.validate(full=True)
                rows -= cells(batch)
                if rows < 0:
                    raise UserError(too_much(name))
                for first in range(0, batch.num_rows, BATCH):
                    piece = batch.slice(first, BATCH)
                    columns = [plain(column, left) for column in piece.columns]
                    left -= sum(column.nbytes for column in columns if column is not None)
                    if left < 0 or None in columns:
                        raise UserError(too_much(name))
                    yield from pyarrow.record_batch(columns, piece.schema.names).to_pylist()


def _check(schema: Any, name: str) -> None:
    if len(set(schema.names)) < len(schema.names):
        raise UserError(
            Problem(name, "names one column twice", "give each column a name of its own")
        )
    if unfit := [field for field in schema if not readable(field.type)]:
        types = "a column of a type" if len(unfit) == 1 else f"{len(unfit)} columns of types"
        what = f"has {types} that no text has (views, maps, extensions)"
        raise UserError(Problem(name, what, "write it as .parquet or .jsonl"))
