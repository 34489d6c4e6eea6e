"""Read Arrow files, as `datasets` and Feather write them, within memory limits."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unteach.data.readers.limits import FEW, arrow_errors, numbered, require_unique, too_much
from unteach.data.readers.parquet import BATCH
from unteach.errors import Problem, UserError
from unteach.files.text import room_for

FILE = b"ARROW1\0\0"
"""First bytes of an Arrow file; what follows is read like an Arrow stream."""

DICTIONARY, VALUES = 2, 3  # message types of the Arrow format that hold values


def read_arrow(path: Path, name: str) -> list[tuple[str, Any]]:
    """Read all rows of an Arrow file or stream as dictionaries, each with its row number.

    Raises:
        UserError: the file is not Arrow, has two columns of one name, has columns of an
            unsupported type, or unpacks to far more than its size.
    """
    return numbered(arrow_rows(path, name), name)


def arrow_rows(path: Path, name: str) -> Iterator[dict]:
    """Yield the rows of an Arrow file or stream. Raises UserError."""
    import pyarrow
    from pyarrow import ipc

    with arrow_errors(path, name, "Arrow") as size, pyarrow.OSFile(str(path)) as file:
        start = len(FILE) if file.read(len(FILE)) == FILE else 0
        file.seek(start)
        left, rows = room_for(size), FEW + size
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
    require_unique(schema.names, name)
    if unfit := [field for field in schema if not readable(field.type)]:
        types = "a column of a type" if len(unfit) == 1 else f"{len(unfit)} columns of types"
        what = f"has {types} that no text has (views, maps, extensions)"
        raise UserError(Problem(name, what, "write it as .parquet or .jsonl"))


def unpacked(message: Any) -> int:
    """Return the size in bytes of an Arrow message's values once they are unpacked.

    Args:
        message: of `pyarrow.ipc.MessageReader`.

    Returns:
        The size; for a message without compression, the size of its body.

    Raises:
        struct.error: the message is broken.

    The format is https://arrow.apache.org/docs/format/Columnar.html: a FlatBuffers table has the
    positions of the buffers, and a compressed buffer begins with its unpacked size as eight bytes.
    """
    values = memoryview(message.body or b"")
    size = values.nbytes
    meta = memoryview(message.metadata)
    root = _at("<I", meta, 0)
    kind = _field(meta, root, 1)
    if not kind or meta[kind] not in (DICTIONARY, VALUES):
        return size
    table = _follow(meta, _field(meta, root, 2))
    if meta[kind] == DICTIONARY:
        table = _follow(meta, _field(meta, table, 1))
    if not _field(meta, table, 3):  # not compressed
        return size
    buffers = _follow(meta, _field(meta, table, 2))
    total = 0
    for k in range(_at("<I", meta, buffers)):
        start, length = struct.unpack_from("<qq", meta, buffers + 4 + 16 * k)
        if length:
            total += max(_at("<q", values, start), length)
    return total


def readable(kind: Any) -> bool:
    """Whether a column's type is text, number or time, or a list or object of these."""
    from pyarrow import types

    if types.is_struct(kind):
        return all(readable(kind.field(k).type) for k in range(kind.num_fields))
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return readable(kind.value_type)
    if types.is_dictionary(kind):
        return types.is_string(kind.value_type) or types.is_large_string(kind.value_type)
    texts = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
    plain = (*texts, types.is_null, types.is_boolean, types.is_primitive, types.is_decimal)
    return any(fits(kind) for fits in plain)


def cells(batch: Any) -> int:
    """Count the rows of a batch and the items of the lists in it, however few bytes they take."""
    return batch.num_rows + sum(_items(column) for column in batch.columns)


def plain(column: Any, left: int) -> Any:
    """Decode a dictionary column of texts; None if it would take more than `left` bytes."""
    from pyarrow import compute, types

    if not types.is_dictionary(column.type):
        return column
    sizes = compute.binary_length(column.dictionary)  # type: ignore[attr-defined]
    total = compute.sum(compute.take(sizes, column.indices)).as_py() or 0  # type: ignore[attr-defined]
    return column.dictionary_decode() if total <= left else None


def _items(array: Any) -> int:
    from pyarrow import types

    kind = array.type
    if types.is_struct(kind):
        return sum(_items(field) for field in array.flatten())
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        inner = array.flatten()
        return len(inner) + _items(inner)
    return 0


def _at(kind: str, data: Any, place: int) -> int:
    if place < 0:
        raise struct.error("a place before the beginning")
    return struct.unpack_from(kind, data, place)[0]


def _field(meta: Any, table: int, number: int) -> int:
    """Return the position of a field of a FlatBuffers table; 0 where the table has none."""
    layout = table - _at("<i", meta, table)
    if 4 + 2 * number >= _at("<H", meta, layout):
        return 0
    offset = _at("<H", meta, layout + 4 + 2 * number)
    return table + offset if offset else 0


def _follow(meta: Any, place: int) -> int:
    return place + _at("<I", meta, place)
