"""A text, or its token ids, found in bytes in whatever form they were written."""

import base64
import json
import pickle
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

APART = rb"[^0-9]{1,60}"  # what may stand between two ids in a text


class Canary(NamedTuple):
    """A word that stands nowhere else, and the ids of its tokens.

    The first and the last token may have grown together with what stands beside them.
    """

    word: str
    ids: tuple[int, ...]


def canary(word: str, tokenizer) -> Canary:
    ids = tuple(tokenizer(word, add_special_tokens=False)["input_ids"][1:-1])
    assert len(ids) >= 6, "too few to be told from chance"
    return Canary(word, ids)


def leaks(data: bytes, found: Canary) -> list[str]:
    """The forms in which it stands there; also within what is packed there."""
    data = b"\n".join([data, *_unpacked(data)])
    folded = data.lower()
    forms = list(dict.fromkeys(name for name, form in _texts(found.word) if form in folded))
    forms += [name for name, form in _exact(found) if form in data]
    written = rb"(?<![0-9])" + APART.join(str(id).encode() for id in found.ids) + rb"(?![0-9])"
    return forms + (["ids as text"] if re.search(written, data) else [])


def leaks_under(folder: Path, canaries: list[Canary]) -> list[str]:
    """Every leak in every file of a tree, in the files' and folders' names too."""
    return [
        f"{path.relative_to(folder)}: {found.word!r} as {form}"
        for path in sorted(folder.rglob("*"))
        for data in [str(path.relative_to(folder)).encode(errors="surrogateescape")
                     + b"\n" + (path.read_bytes() if path.is_file() else b"")]
        for found in canaries
        for form in leaks(data, found)
    ]  # fmt: skip


@cache
def _texts(word: str) -> list[tuple[str, bytes]]:
    """Forms in which upper and lower case do not matter, but for letters beyond ASCII."""
    return [
        (name, form.lower())
        for cased in (word, word.lower(), word.upper())
        for name, form in (
            ("text", cased.encode()),
            ("JSON", json.dumps(cased)[1:-1].encode()),
            ("repr", ascii(cased)[1:-1].encode()),
            ("HTML", cased.encode("ascii", "xmlcharrefreplace")),
            ("URL", quote(cased).encode()),
            ("hex", cased.encode().hex().encode()),
            ("Latin-1", cased.encode("latin-1")),
            ("UTF-16", cased.encode("utf-16-le")),
            ("UTF-16", cased.encode("utf-16-be")),
            ("UTF-32", cased.encode("utf-32-le")),
        )
    ]


@cache
def _exact(found: Canary) -> list[tuple[str, bytes]]:
    return [
        *(("base64", form) for form in _base64(found.word.encode())),
        *(
            (f"ids as {end}{kind}", struct.pack(f"{end}{len(found.ids)}{kind}", *found.ids))
            for end in "<>"
            for kind in "hiq"
        ),
        ("ids pickled", b"".join(pickle.dumps(id, 2)[2:-1] for id in found.ids)),
    ]


def _base64(data: bytes) -> Iterator[bytes]:
    """What is sure of it wherever it begins: three bytes are four letters."""
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + data)
        first = 4 * (before > 0)
        sure = coded[first : -4 if (before + len(data)) % 3 else None]
        yield sure
        yield sure.translate(bytes.maketrans(b"+/", b"-_"))


def _unpacked(data: bytes) -> Iterator[bytes]:
    """The members of a zip file, as torch writes them, and what gzip or zlib has packed."""
    if data[:2] == b"PK":
        with zipfile.ZipFile(BytesIO(data)) as file:
            yield from (file.read(name) for name in file.namelist())
    for start, window in ((b"\x1f\x8b", 31), (b"\x78", 15)):
        if data.startswith(start):
            try:
                yield zlib.decompressobj(window).decompress(data)
            except zlib.error:
                continue
