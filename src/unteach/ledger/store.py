"""Create, open and write the SQLite file, and explain its errors."""

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unteach.errors import Problem, UserError
from unteach.files.atomic import flush_names
from unteach.files.atomic import in_words as disk_in_words
from unteach.files.locks import turn

VERSION = 1
"""Version of the schema, in `PRAGMA user_version`."""

OURS = 0x756E_6C67  # `PRAGMA application_id`, which identifies a ledger
PATIENCE = 30  # seconds to wait for another writer
FACTORY = sqlite3.Connection
SCHEMA = (
    "CREATE TABLE entries (seq INTEGER PRIMARY KEY CHECK (seq > 0), body TEXT NOT NULL, "
    "before TEXT NOT NULL UNIQUE, hash TEXT NOT NULL UNIQUE) STRICT",
    "CREATE TABLE prints (entry INTEGER NOT NULL REFERENCES entries (seq), "
    "record INTEGER NOT NULL, part TEXT NOT NULL, words INTEGER NOT NULL, exact BLOB NOT NULL, "
    "normal BLOB NOT NULL, head BLOB NOT NULL, sketch BLOB NOT NULL) STRICT",
    "CREATE INDEX prints_of_entry ON prints (entry)",
)
INSERT = "INSERT INTO entries (seq, body, before, hash) VALUES (?, ?, ?, ?)"


def create(file: Path, entry: tuple[Any, ...]) -> None:
    """Create a ledger with its first entry, readable by its owner only; atomic.

    Raises:
        UserError: the file exists already, or it cannot be written.
    """
    beside = file.with_name(f".{file.name}.{secrets.token_hex(3)}")
    with in_words(file), turn(file.absolute().parent):
        if os.path.lexists(file):
            raise UserError(_taken(file))
        os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        try:
            _fill(beside, entry)
            os.replace(beside, file)
            flush_names(file.absolute().parent)
        finally:
            for left in ("", "-wal", "-shm", "-journal"):
                beside.with_name(beside.name + left).unlink(missing_ok=True)


def _fill(file: Path, entry: tuple[Any, ...]) -> None:
    connection = _connected(file)
    try:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            hint = "give a folder on a local disk"
            what = "cannot hold a ledger: its file system does not support a write-ahead log"
            raise UserError(Problem(str(file.parent), what, hint))
        connection.execute("BEGIN IMMEDIATE")
        for statement in (*SCHEMA, f"PRAGMA application_id = {OURS}"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute(INSERT, entry)
        connection.execute("COMMIT")
    finally:
        connection.close()


def opened(file: Path) -> sqlite3.Connection:
    """Open a connection to an existing ledger.

    Raises:
        UserError: the file does not exist, is no ledger, or has a newer version.
    """
    if not file.is_file():
        hint = f"make one: unteach ledger init {file}"
        raise UserError(Problem(str(file), "does not exist, or is no file", hint, "request"))
    with in_words(file):
        connection = _connected(file)
        try:
            (ours,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
        except BaseException:
            connection.close()
            raise
    if ours == OURS and version == VERSION:
        return connection
    connection.close()
    if ours != OURS:
        raise UserError(_no_ledger(file))
    what = f"has version {version}, and this unteach reads version {VERSION}"
    raise UserError(Problem(str(file), what, "install a newer unteach", "request"))


@contextmanager
def transaction(connection: sqlite3.Connection, file: Path) -> Iterator[None]:
    """Write all statements of the block, or none; one writer at a time."""
    with in_words(file):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.rollback()
            raise


@contextmanager
def snapshot(connection: sqlite3.Connection, file: Path) -> Iterator[None]:
    """Read a consistent snapshot in the block, even if others write meanwhile."""
    with in_words(file):
        connection.execute("BEGIN")
        try:
            yield
        finally:
            connection.rollback()


@contextmanager
def in_words(file: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the disk into UserError."""
    try:
        with disk_in_words(file.absolute().parent):
            yield
    except sqlite3.Error as error:
        if problem := problem_of(error, file):
            raise UserError(problem) from error
        raise


def problem_of(error: sqlite3.Error, file: Path) -> Problem | None:
    """Explain an SQLite error; None for an unexpected one.

    Example:
        >>> error = sqlite3.OperationalError()
        >>> error.sqlite_errorcode = sqlite3.SQLITE_FULL
        >>> problem_of(error, Path("a.ledger")).hint
        'make room, then give the same command again'
    """
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if isinstance(code, int) else None
    again = "then give the same command again"
    if primary == sqlite3.SQLITE_NOTADB:
        return _no_ledger(file)
    said = {
        sqlite3.SQLITE_FULL: ("cannot be written to: the disk is full", f"make room, {again}"),
        sqlite3.SQLITE_BUSY: (
            f"has been locked by another process for more than {PATIENCE} seconds",
            f"wait for it to end, {again}",
        ),
        sqlite3.SQLITE_CORRUPT: ("is damaged", "restore it from a copy"),
        sqlite3.SQLITE_READONLY: ("cannot be written to", f"change its permissions, {again}"),
        sqlite3.SQLITE_CANTOPEN: (
            "cannot be opened: it and its folder must be writable (SQLite keeps files beside it)",
            f"change the permissions, {again}",
        ),
        sqlite3.SQLITE_IOERR: (
            "cannot be read or written: the disk failed, is full, or a limit is reached",
            f"check the disk, {again}",
        ),
    }
    if primary not in said:
        return None
    return Problem(str(file), *said[primary])


def _connected(file: Path) -> sqlite3.Connection:
    uri = f"{file.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(
        uri, uri=True, timeout=PATIENCE, isolation_level=None, factory=FACTORY
    )
    for setting in ("foreign_keys = ON", "synchronous = FULL", "secure_delete = ON"):
        connection.execute(f"PRAGMA {setting}")
    return connection


def _no_ledger(file: Path) -> Problem:
    return Problem(
        str(file), "is no ledger", "give a file that `unteach ledger init` made", "request"
    )


def _taken(file: Path) -> Problem:
    hint = "give another name; a ledger is never overwritten"
    return Problem(str(file), "is there already", hint, "request")
