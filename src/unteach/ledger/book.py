"""The ledger: what may be written into it, and what it answers."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from unteach.errors import Problem, UserError
from unteach.ledger import store
from unteach.ledger.chain import (
    START,
    LedgerRequest,
    LedgerState,
    ModelLink,
    ancestors,
    broken,
    fits,
    follow,
    written,
)
from unteach.ledger.dates import month_after
from unteach.ledger.key import check_of
from unteach.ledger.prints import Fingerprint
from unteach.ledger.signing import holds, read_public, signed

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")
COLUMNS = ("record", "part", "words", "exact", "normal", "head", "sketch")
READ = "SELECT seq, body, before, hash FROM entries WHERE seq > ? ORDER BY seq"
WRITE = f"INSERT INTO prints (entry, {', '.join(COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class Ledger:
    """A ledger's file; any number of processes may have it open, and write.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "removals.ledger"
        >>> Ledger.create(file, b"k" * 32)
        >>> with Ledger(file) as ledger:
        ...     _ = ledger.add("R-1", "erasure", date(2026, 11, 2), None, [], 3)
        ...     [(r.reference, r.due, r.state) for r in ledger.requests()]
        [('R-1', '2026-12-02', 'open')]
    """

    def __init__(self, file: str | Path):
        self.file = Path(file)
        self._connection = store.opened(self.file)
        self._state = LedgerState()

    @classmethod
    def create(cls, file: Path, key: bytes) -> None:
        """A new one, of which the key is known. Raises UserError."""
        store.create(file, written(1, START, {"kind": "begin", "check": check_of(key), **_now()}))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def state(self) -> LedgerState:
        """What all entries say, each held against the hash of the one before. Raises UserError."""
        with store.in_words(self.file):
            entries = self._connection.execute(READ, (self._state.last,)).fetchall()
        follow(self._state, entries, str(self.file))
        if not self._state.last:
            raise UserError(broken(str(self.file), "entry 1 is missing"))
        return self._state

    def requests(self) -> list[LedgerRequest]:
        """All requests, in the order in which they were written."""
        return list(self.state().requests.values())

    def require_key(self, key: bytes) -> bytes:
        """The key, if it is this ledger's. Raises UserError."""
        if self.state().check != check_of(key):
            what, hint = "is the key of another ledger", "give this ledger's (--key)"
            raise UserError(Problem("--key", what, hint, "request"))
        return key

    def require_requests(self, references: Iterable[str]) -> None:
        """That all are known. Raises UserError."""
        state = self.state()
        for reference in references:
            self._known(state, reference)

    def require_head(self, head: str) -> None:
        """That a hash, kept elsewhere, is one of this ledger's entries. Raises UserError."""
        query = "SELECT count(*) FROM entries WHERE hash = ?"
        with store.in_words(self.file):
            ((there,),) = self._connection.execute(query, (head,)).fetchall()
        if not there:
            what = "has no entry with the hash of --head: what was written then was changed since"
            raise UserError(broken(str(self.file), what))

    @contextmanager
    def writing(self) -> Iterator[LedgerState]:
        """What is written within it is written whole, or not at all; others wait.

        The state is as of when the others had ended.
        """
        try:
            with store.transaction(self._connection, self.file):
                yield self.state()
        except BaseException:
            self._state = LedgerState()  # it may hold what was rolled back
            raise

    def add(
        self,
        reference: str,
        ground: str,
        received: date,
        due: date | None,
        prints: Sequence[Fingerprint],
        records: int,
    ) -> LedgerRequest:
        """A request to remove records.

        Args:
            reference: by which its user knows it; nothing that names a person.
            ground: why, in one word.
            received: day that it came.
            due: day by which it is to be answered; one month later when None.
            prints: fingerprints of the records.
            records: how many there are.

        Raises:
            UserError: the reference is taken or no plain name, or --due is before --received.
        """
        plain_name(reference, "--reference")
        plain_name(ground, "--ground")
        due = due or month_after(received)
        if due < received:
            what = f"({due}) is before the request was received ({received})"
            raise UserError(Problem("--due", what, "look at both dates", "request"))
        with self._joined() as state:
            if reference in state.requests:
                what = "is in the ledger already"
                problem = Problem(f"--reference {reference}", what, "give another", "request")
                raise UserError(problem)
            self._append(
                state, "request", reference=reference, ground=ground,
                received=received.isoformat(), due=due.isoformat(), records=records,
                prints=digest([p.values() for p in prints]),
            )  # fmt: skip
            rows = [(state.last, *p.values()) for p in prints]
            self._connection.executemany(WRITE, rows)
            return state.requests[reference]

    def withdraw(self, reference: str) -> None:
        """An open request is no more, and its fingerprints go. Raises UserError."""
        with self._joined() as state:
            asked = self._known(state, reference)
            if asked.state != "open":
                hint = "only open requests can be withdrawn"
                raise UserError(Problem(reference, f"is {asked.state}", hint, "request"))
            self._append(state, "withdraw", reference=reference)
            self._connection.execute("DELETE FROM prints WHERE entry = ?", (asked.entry,))
        if not self._connection.in_transaction:  # the log beside the file has them still
            with store.in_words(self.file):
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def derive(self, child: str, parents: Sequence[str], by: str) -> ModelLink:
        """A model was made from others; parents that are not known yet become bases.

        Args:
            child: its hash.
            parents: theirs.
            by: "finetune", "merge" or "quantise".

        Raises:
            UserError: it is one of them, or is known to have come about otherwise.
        """
        with self._joined() as state:
            return self._link(state, child, parents, by)

    def record(
        self,
        child: str,
        parent: str,
        references: Sequence[str],
        method: str,
        run: dict[str, Any],
    ) -> ModelLink:
        """A model was unlearned from another; its requests are done.

        Args:
            child: hash of the model after.
            parent: hash of the model before.
            references: the requests.
            method: by which.
            run: hashes and versions of the run; no text.

        Raises:
            UserError: a request is not known or withdrawn, or the model came about otherwise.
        """
        with self._joined() as state:
            for reference in references:
                if self._known(state, reference).state == "withdrawn":
                    hint = "leave it out, or add it under another reference"
                    raise UserError(Problem(reference, "is withdrawn", hint, "request"))
            more = {"requests": list(dict.fromkeys(references)), "method": method, "run": run}
            return self._link(state, child, [parent], "unlearn", **more)

    def rechecked(self, model: str, asked: int, given: int, *, likelier: bool) -> None:
        """A model was asked again for what was removed.

        Args:
            model: its hash.
            asked: how many records.
            given: how many it gave.
            likelier: whether the answers were likelier than never seen.
        """
        with self._joined() as state:
            said = {"asked": asked, "given": given, "likelier": likelier}
            self._append(state, "recheck", model=model, **said)

    def sign(self, private: Path) -> int:
        """Sign the last hash, and so all entries before; the entry's number. Raises UserError."""
        with self._joined() as state:
            public, signature = signed(state.head, private)
            self._append(state, "signature", of=state.head, public=public, signature=signature)
            return state.last

    def verify_signatures(self, public: Path | None = None) -> list[dict[str, Any]]:
        """All signatures, each held against the entries before it.

        Args:
            public: whose are wanted; those of other keys are left out then.

        Raises:
            UserError: one does not fit, or there is none.
        """
        found = self.state().signatures
        for one in found:
            if not holds(one["of"], one["public"], one["signature"]):
                what = f"the signature in entry {one['entry']} was not made of the entries before"
                raise UserError(broken(str(self.file), what))
        if public is not None:
            wanted = read_public(public)
            found = [one for one in found if one["public"] == wanted]
        if not found:
            by = f" by the key in {public}" if public else ""
            hint = "unteach ledger sign --private FILE signs it"
            raise UserError(Problem(str(self.file), f"is not signed{by}", hint))
        return found

    def prints(self, references: Iterable[str] | None = None) -> dict[str, list[Fingerprint]]:
        """Fingerprints of requests; of all that are not withdrawn when left out.

        Raises:
            UserError: those in the file are not those that were written.
        """
        wanted = None if references is None else list(references)
        return {
            reference: [Fingerprint(*row) for row in rows] for reference, rows in self._rows(wanted)
        }

    def _rows(self, references: list[str] | None) -> Iterator[tuple[str, list[Any]]]:
        """Fingerprints of one request after the other, as they stand in the file."""
        query = f"SELECT {', '.join(COLUMNS)} FROM prints WHERE entry = ? ORDER BY rowid"
        with store.snapshot(self._connection, self.file):
            state = self.state()
            for reference in state.requests if references is None else references:
                asked = self._known(state, reference)
                if asked.state == "withdrawn":
                    continue
                rows = self._connection.execute(query, (asked.entry,)).fetchall()
                if digest(rows) != asked.prints:
                    what = f"the fingerprints of {reference} are not those of entry {asked.entry}"
                    raise UserError(broken(str(self.file), what))
                yield reference, rows

    def chain(self, model: str) -> list[ModelLink]:
        """How a model came about, from itself back to its bases; all of the ledger is verified.

        Raises:
            UserError: it is not known, or something in the ledger is not as it was written.
        """
        state = self.state()
        if model not in state.links:
            what = "is in no entry: it was never recorded, or its files were changed since"
            hint = "unteach ledger record or derive writes it down; `unteach verify` finds changes"
            raise UserError(Problem(f"model {model[:12]}", what, hint))
        for _ in self._rows(None):  # one request in memory at a time
            pass
        left, found = [model], {}
        while left:
            here = left.pop(0)
            if here not in found:
                found[here] = state.links[here]
                left += found[here].parents
        return list(found.values())

    def _link(
        self, state: LedgerState, child: str, parents: Sequence[str], by: str, **more: Any
    ) -> ModelLink:
        parents = list(dict.fromkeys(parents))
        for parent in parents:
            if parent not in state.links and parent != child:
                self._append(state, "model", child=parent, parents=[], by="base")
        new = ModelLink(child, tuple(parents), by, state.last + 1)
        if child in parents or child in ancestors(state, parents):
            what = "is one of the models that it is said to be made from"
            hint = "the two folders hold the same weights, or parent and child are exchanged"
            raise UserError(Problem(f"model {child[:12]}", what, hint, "request"))
        before = state.links.get(child)
        if before and not fits(before, new):
            what = f"is in the ledger already: {before.by}, entry {before.entry}"
            hint = f"`unteach ledger show` has it ({child[:12]})"
            raise UserError(Problem(f"model {child[:12]}", what, hint, "request"))
        self._append(state, "model", child=child, parents=parents, by=by, **more)
        return replace(state.links[child], entry=state.last)

    def _append(self, state: LedgerState, kind: str, **said: Any) -> None:
        entry = written(state.last + 1, state.head, {"kind": kind, **said, **_now()})
        self._connection.execute(store.INSERT, entry)
        follow(state, [entry], str(self.file))

    def _known(self, state: LedgerState, reference: str) -> LedgerRequest:
        if reference not in state.requests:
            hint = "`unteach ledger list` has them all"
            raise UserError(Problem(reference, "is no request of this ledger", hint, "request"))
        return state.requests[reference]

    @contextmanager
    def _joined(self) -> Iterator[LedgerState]:
        """The transaction under way, or one of its own."""
        if self._connection.in_transaction:
            yield self._state
            return
        with self.writing() as state:
            yield state


def plain_name(name: str, flag: str) -> str:
    """A reference or a ground as it may stand in a ledger: one word. Raises UserError."""
    if not PLAIN.fullmatch(name):
        what = "is no plain name: letters, digits and . _ / -, at most 64"
        hint = "give a number or code that tells nothing of a person, such as DSR-2026-014"
        raise UserError(Problem(flag, what, hint, "request"))
    return name


def digest(rows: Iterable[Sequence[Any]]) -> str:
    """SHA-256 of fingerprints in their order."""
    total = sha256()
    for row in rows:
        for value in row:
            data = value if isinstance(value, bytes) else str(value).encode()
            total.update(len(data).to_bytes(4, "big") + data)
    return total.hexdigest()


def _now() -> dict[str, str]:
    """What the clock says, for readers alone: the order is that of the numbers."""
    return {"clock": datetime.now(UTC).isoformat(timespec="seconds")}
