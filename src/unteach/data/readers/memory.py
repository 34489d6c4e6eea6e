"""Read rows from lists, datasets and data frames, and convert NumPy values to Python values."""

from collections.abc import Iterable, Mapping
from typing import Any

from unteach.data.records.values import without_nulls
from unteach.errors import Problem, UserError

PLAIN = (str, int, float, bool, type(None))
NO_VALUE = ("NAType", "NaTType")  # types of missing values in pandas


def memory_rows(given: Any, source: str) -> list[Any]:
    """Return the rows of a list, a dataset, a data frame or an Arrow table, one record each.

    Args:
        given: the rows in any of these types.
        source: their name in messages.

    Raises:
        UserError: it is no sequence of rows, for example a mapping, a text or a path.

    Example:
        >>> memory_rows([{"question": "Who?", "answer": "Ada."}], "forget rows")
        [{'question': 'Who?', 'answer': 'Ada.'}]
    """
    if _is_frame(given):
        return _rows_of_frame(given, source)
    if hasattr(given, "to_pylist"):  # an Arrow table or array; iterating gives its columns
        return [_without_nulls(row) for row in given.to_pylist()]
    if isinstance(given, (str, bytes)) or hasattr(given, "__fspath__"):
        hint = "give the rows; `unteach.data.read` gives the examples of a file"
        raise _no_rows_error(source, "is a text or a path, and no rows", hint)
    if isinstance(given, Mapping):
        raise _no_rows_error(source, *_describe_mapping(given))
    if not isinstance(given, Iterable) and not hasattr(given, "__getitem__"):
        raise _no_rows_error(source, "is no list of rows", "give a list of records, or a data set")
    # `datasets` fills a row with null for every key that only other rows have.
    of_arrow = hasattr(given, "features")
    return [_without_nulls(row) if of_arrow else plain(row) for row in given]


def plain(value: Any) -> Any:
    """Convert NumPy arrays to lists, NumPy numbers to Python numbers, missing values to None.

    Example:
        >>> import numpy
        >>> plain({"choices": numpy.array(["Lund", "Oslo"]), "answer": numpy.int64(1)})
        {'choices': ['Lund', 'Oslo'], 'answer': 1}
    """
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, Mapping):
        same = type(value) is dict and all(type(inner) in PLAIN for inner in value.values())
        return value if same else {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if type(value).__name__ in NO_VALUE:
        return None
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        # Objects in an array come from Arrow, as `pandas.read_parquet` makes them.
        return without_nulls({"": plain(value.tolist())})[""]
    return value


def _without_nulls(row: Any) -> Any:
    row = plain(row)
    return without_nulls(row) if isinstance(row, Mapping) else row


def _is_frame(given: Any) -> bool:
    return hasattr(given, "to_dict") and hasattr(given, "iloc") and hasattr(given, "columns")


def _rows_of_frame(frame: Any, source: str) -> list[Any]:
    if not frame.columns.is_unique:
        hint = "give each column a name of its own"
        raise _no_rows_error(source, "names one column twice", hint)
    return [_without_nulls(row) for row in frame.to_dict("records")]


def _describe_mapping(given: Mapping) -> tuple[str, str]:
    """Describe a mapping that was given instead of rows, and what to give instead."""
    values = list(given.values())
    if values and all(hasattr(value, "column_names") or _is_frame(value) for value in values):
        return (
            "is a dict of data sets, one for each split",
            'give one of them, such as data["train"]',
        )
    if values and all(isinstance(value, (list, tuple)) for value in values):
        return "is a dict of columns, and no rows", "give datasets.Dataset.from_dict of it"
    return "is one mapping, and no rows", "give a list of them, one for each record"


def _no_rows_error(source: str, what: str, hint: str) -> UserError:
    return UserError(Problem(source, what, hint, "request"))
