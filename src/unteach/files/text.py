"""Read text files within size limits, or report the line of the error."""

import codecs
import gzip
import io
import os
import re
import stat
import zlib
from pathlib import Path
from typing import Any, Literal

from unteach.errors import Problem, UserError

LARGEST = 4 * 2**30
"""Maximum bytes of a file, compressed or not."""

SWELLS = 20
"""Maximum ratio of unpacked to compressed size for large files; about 10 is typical for text."""

SMALL = 2**27
"""Bytes to which any compressed file may unpack, whatever its size."""

BLOCK = 2**20
NEWLINE = re.compile(rb"\r\n|\r|\n")
UTF16 = "is UTF-16"
MARKS = {  # first bytes of files that are not UTF-8 text
    codecs.BOM_UTF32_LE: "is UTF-32",
    codecs.BOM_UTF32_BE: "is UTF-32",
    codecs.BOM_UTF16_LE: UTF16,
    codecs.BOM_UTF16_BE: UTF16,
    b"\x1f\x8b": "is compressed by gzip",
    b"PK\x03\x04": "is a zip archive",
    b"\x28\xb5\x2f\xfd": "is compressed by zstd",
    b"\xfd7zXZ": "is compressed by xz",
    b"BZh": "is compressed by bzip2",
    b"PAR1": "is Parquet",
}
PACKED = {".gz": "gzip", ".zst": "zstd"}
ENCODED = "save it as UTF-8, with nothing compressed"

Kind = Literal["request", "data"]


def read_text(
    path: Path, name: str = "", *, largest: int = LARGEST, kind: Kind = "data", hint: str = ""
) -> str:
    r"""Read a UTF-8 file, with line ends converted to `\n`.

    Args:
        path: the file; .gz and .zst files are unpacked.
        name: of the file in messages; by default the path.
        largest: maximum bytes of the file.
        kind: of the problem, if there is one.
        hint: of the problem if the file cannot be opened.

    Raises:
        UserError: it is no file, too large, or no valid text; with the line of the error.
    """
    name = name or str(path)
    try:
        data, suffix = _read(path, largest, hint), path.suffix.lower()
        return _decoded(_unpacked(data, suffix) if suffix in PACKED else data)
    except _Refused as error:
        line = f":{error.line}" if error.line else ""
        raise UserError(Problem(name + line, error.what, error.hint, kind)) from None


class _Refused(Exception):
    def __init__(self, what: str, hint: str, line: int = 0):
        super().__init__(what)
        self.what, self.hint, self.line = what, hint, line


def _read(path: Path, largest: int, hint: str) -> bytes:
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise _Refused("is a pipe or a device, no file", "copy it into a file")
            if about.st_size > largest:
                what = f"has {about.st_size:,} bytes, more than the {largest:,} that are read"
                raise _Refused(what, "take a part of it")
            return file.read()
    except (OSError, ValueError) as error:  # ValueError: not a valid file name
        why = getattr(error, "strerror", None) or type(error).__name__
        hint = hint or "check that it is a file and that you may read it"
        raise _Refused(f"cannot be read ({why})", hint) from None


def _without_waiting(path: str, flags: int) -> int:
    """Open without blocking: opening a pipe without a writer would wait for ever."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def room_for(size: int) -> int:
    """Return the bytes to which a compressed file of this size may unpack.

    Example:
        >>> room_for(100) == SMALL, room_for(10**8) == 20 * 10**8
        (True, True)
    """
    return min(LARGEST, max(SMALL, SWELLS * size))


def _unpacked(data: bytes, suffix: str) -> bytes:
    """Unpack gzip or zstd data of one or more parts, within the limit of `room_for`."""
    room, found, size = room_for(len(data)), [], 0
    try:
        with _opened(data, suffix) as unpack:
            while block := unpack.read(BLOCK):
                size += len(block)
                found.append(block)
                if size > room:
                    what = f"unpacks to more than {room:,} bytes"
                    raise _Refused(what, "unpack it yourself, and give the text")
    except EOFError:
        raise _Refused("is gzip that ends too early", "write it anew") from None
    except (OSError, zlib.error):
        hint = f"write it anew, or leave {suffix} out"
        raise _Refused(f"is no {PACKED[suffix]}, or broken", hint) from None
    return b"".join(found)


def _opened(data: bytes, suffix: str) -> Any:
    if suffix == ".gz":
        return gzip.GzipFile(fileobj=io.BytesIO(data))
    import pyarrow

    if not pyarrow.Codec.is_available("zstd"):
        what = "is compressed by zstd, which this pyarrow was built without"
        raise _Refused(what, "unpack it yourself, and give the text")
    return pyarrow.CompressedInputStream(pyarrow.BufferReader(data), "zstd")


def _decoded(data: bytes) -> str:
    for mark, what in MARKS.items():
        if data.startswith(mark):
            reads = [(end, name) for end, name in PACKED.items() if name in what]
            more = [f"; {name} is read under a name such as .jsonl{end}" for end, name in reads]
            raise _Refused(what, ENCODED + "".join(more))
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        what = f"is not UTF-8 (byte {error.start} of the file)"
        raise _Refused(what, ENCODED, _line(data, error.start)) from None
    if (place := data.find(b"\0")) >= 0:
        what = "holds a NUL byte"
        raise _Refused(what, f"take it out; where there are many, {ENCODED}", _line(data, place))
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _line(data: bytes, place: int) -> int:
    return sum(1 for _ in NEWLINE.finditer(data, 0, place)) + 1
