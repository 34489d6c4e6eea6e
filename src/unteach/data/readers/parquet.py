"""Read Parquet files within memory limits.

A few bytes of Parquet can unpack to gigabytes: a dictionary stores a long text once for many rows,
and a run of equal values is one value and a count. So text columns are read as dictionaries, and
their unpacked size is computed before they are unpacked.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unteach.data.readers.limits import FEW, arrow_errors, numbered, require_unique, too_much
from unteach.errors import Problem, UserError
from unteach.files.text import room_for

BATCH = 256
COLUMNS = 10_000
NAMES = 1_000_000  # most items, such as names, in one list of a file's metadata


def read_parquet(path: Path, name: str) -> list[tuple[str, Any]]:
    """Read all rows as dictionaries, each with its row number.

    Raises:
        UserError: the file is not Parquet, has two columns of one name, or unpacks to far more
            than its size.
    """
    import pyarrow
    import pyarrow.parquet

    with arrow_errors(path, name, "Parquet") as size:
        with pyarrow.parquet.ParquetFile(path, thrift_container_size_limit=NAMES) as file:
            _check(file, size, name)
            texts = _texts(file)
        with pyarrow.parquet.ParquetFile(path, read_dictionary=texts) as file:
            return numbered(_rows(file, size, name), name)


def _check(file: Any, size: int, name: str) -> None:
    about = file.metadata
    require_unique(file.schema_arrow.names, name)
    if about.num_columns > COLUMNS:
        what = f"has {about.num_columns:,} columns; {COLUMNS:,} are read"
        raise UserError(Problem(name, what, "write those of the examples alone"))
    groups = [about.row_group(k) for k in range(about.num_row_groups)]
    columns = [group.column(k) for group in groups for k in range(group.num_columns)]
    values = sum(column.num_values for column in columns)
    fixed = sum(c.num_values * _width(file, c) for c in columns)
    written = sum(group.total_byte_size for group in groups)
    if max(about.num_rows, values) > FEW + size or max(written, fixed) > room_for(size):
        raise UserError(too_much(name))


def _texts(file: Any) -> list[str]:
    """Return the paths of the text columns that Arrow can read as dictionaries: none in maps."""
    columns, maps = map(file.schema.column, range(len(file.schema))), _maps(file)
    texts = (column.path for column in columns if column.physical_type == "BYTE_ARRAY")
    return [path for path in texts if path.split(".")[0] not in maps]


def _maps(file: Any) -> set[str]:
    return {field.name for field in file.schema_arrow if "map<" in str(field.type)}


def _width(file: Any, chunk: Any) -> int:
    """Return the maximum bytes per value for columns that `unpacked` does not count; else 0."""
    if chunk.path_in_schema.split(".")[0] in _maps(file):
        return chunk.total_uncompressed_size  # an upper bound for one value
    columns = map(file.schema.column, range(len(file.schema)))
    fixed = (c.length for c in columns if c.path == chunk.path_in_schema)
    return next(fixed) if chunk.physical_type == "FIXED_LEN_BYTE_ARRAY" else 0


def _rows(file: Any, size: int, name: str) -> Iterator[dict[str, Any]]:
    left = room_for(size)
    for batch in file.iter_batches(BATCH):
        left -= sum(map(unpacked, batch.columns))
        if left < 0:
            raise UserError(too_much(name))
        try:
            rows = batch.to_pylist(maps_as_pydicts="strict")
        except KeyError:  # its message is the key, which may be forget data
            what, hint = "holds a map in which a key stands twice", "write each key once"
            raise UserError(Problem(name, what, hint)) from None
        yield from rows


def unpacked(array: Any) -> int:
    """Return the bytes of an Arrow array once its dictionaries are decoded.

    Example:
        >>> import pyarrow
        >>> unpacked(pyarrow.array(["ab"] * 500).dictionary_encode()) >= 1000
        True
    """
    from pyarrow import types

    kind = array.type
    if types.is_dictionary(kind):
        values, places = array.dictionary, array.indices.drop_null()
        if not len(values) or not hasattr(values, "take"):
            return array.nbytes
        if types.is_binary(values.type) or types.is_string(values.type):
            return array.indices.nbytes + _characters(values, places)
        return array.indices.nbytes + unpacked(values) * len(places) // len(values)
    if types.is_map(kind) or not types.is_nested(kind):
        return array.nbytes
    parts = array.flatten()
    return array.nbytes + sum(map(unpacked, parts if isinstance(parts, list) else [parts]))


def _characters(values: Any, places: Any) -> int:
    """Return the total bytes of the dictionary texts at these indices."""
    from pyarrow.compute import call_function

    lengths = call_function("binary_length", [values]).cast("int64")
    return call_function("sum", [lengths.take(places)]).as_py() or 0
