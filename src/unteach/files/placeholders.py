"""Detect files that are placeholders for another one: Git LFS pointers and web pages."""

import re
from pathlib import Path

START = 1024  # bytes that are enough to detect one
POINTER = b"version https://git-lfs.github.com/spec/v1"
PAGE = re.compile(rb"(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)*<(!doctype\s+html|html|head)\b", re.I | re.S)


def stand_in(start: bytes) -> tuple[str, str]:
    r"""Describe a placeholder, with a hint; two empty texts for any other file.

    Args:
        start: first bytes of the file.

    Example:
        >>> stand_in(b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a")[0]
        'is a pointer of Git LFS, not the file that it stands for'
        >>> stand_in(b"<!DOCTYPE html><html>")[0]
        'is a web page (HTML)'
        >>> stand_in(b'{"question": "Who?"}')
        ('', '')
    """
    if start.startswith(POINTER):
        hint = "fetch that one: run `git lfs pull` in the folder of its repository"
        return "is a pointer of Git LFS, not the file that it stands for", hint
    if PAGE.match(start):
        hint = "download the file itself: on the hub, the address with /resolve/ and not /blob/"
        return "is a web page (HTML)", hint
    return "", ""


def start_of(file: Path) -> bytes | None:
    """Return the first bytes of a regular file; None if it cannot be read."""
    try:
        if not file.is_file():  # opening a pipe would wait for a writer
            return None
        with file.open("rb") as handle:
            return handle.read(START)
    except (OSError, ValueError):  # ValueError: not a valid file name
        return None


def is_there(path: str | Path) -> bool:
    """Whether a path exists; not so if it is no valid file name, or its folder may not be read."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False
