"""The SQLite file: made whole or not at all, written in transactions, its troubles in words."""

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
"""Of the schema, in `PRAGMA user_version`."""

OURS = 0x756E_6C67  # `PRAGMA application_id`, by which a ledger is told from any other database
PATIENCE = 30  # seconds that one waits for another who writes
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
    """A ledger with its first entry, readable by its owner alone: whole, or not there.

    Raises:
        UserError: something is there already, or the disk refuses.
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
            what = "cannot be kept there: that file system has no room for a write-ahead log"
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
    """A connection to a ledger that is there.

    Raises:
        UserError: it is not there, is no ledger, or one of a newer version.
    """
    if not file.is_file():
        hint = f"make one: unteach ledger init {file}"
        raise UserError(Problem(str(file), "is not there, or no file", hint, "request"))
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
    what = f"is of version {version}, and this unteach knows {VERSION}"
    raise UserError(Problem(str(file), what, "install a newer unteach", "request"))


@contextmanager
def transaction(connection: sqlite3.Connection, file: Path) -> Iterator[None]:
    """All that is written within it, or nothing; one writer at a time."""
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
    """All that is read within it is as of one moment, whoever writes meanwhile."""
    with in_words(file):
        connection.execute("BEGIN")
        try:
            yield
        finally:
            connection.rollback()


@contextmanager
def in_words(file: Path) -> Iterator[None]:
    """What SQLite or the disk refuses becomes a UserError."""
    try:
        with disk_in_words(file.absolute().parent):
            yield
    except sqlite3.Error as error:
        if problem := problem_of(error, file):
            raise UserError(problem) from error
        raise


def problem_of(error: sqlite3.Error, file: Path) -> Problem | None:
    """What is wrong with a ledger's file, in words; None for an error that nobody foresaw.

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
            f"is being written by another, for more than {PATIENCE} seconds",
            f"wait for its end, {again}",
        ),
        sqlite3.SQLITE_CORRUPT: ("is damaged", "take it from a copy"),
        sqlite3.SQLITE_READONLY: ("cannot be written to", f"give yourself leave, {again}"),
        sqlite3.SQLITE_CANTOPEN: (
            "cannot be opened: it and its folder must be writable (SQLite keeps two files beside)",
            f"give yourself leave, {again}",
        ),
        sqlite3.SQLITE_IOERR: (
            "cannot be read or written: the disk failed, is full, or a limit is reached",
            f"look at the disk, {again}",
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
    return Problem(str(file), "is no ledger", "give what `unteach ledger init` made", "request")


def _taken(file: Path) -> Problem:
    hint = "give another name; a ledger is never overwritten"
    return Problem(str(file), "is there already", hint, "request")
