"""The ledger: add entries, and read requests, fingerprints and model histories from it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
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
from unteach.ledger.dates import month_after, plain_name
from unteach.ledger.key import check_of
from unteach.ledger.prints import Fingerprint, digest
from unteach.ledger.signing import signed, verified

COLUMNS = ("record", "part", "words", "exact", "normal", "head", "sketch")
READ = "SELECT seq, body, before, hash FROM entries WHERE seq > ? ORDER BY seq"
WRITE = f"INSERT INTO prints (entry, {', '.join(COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class Ledger:
    """A ledger file; any number of processes may have it open, and write to it.

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
        """Create an empty ledger for a key of 32 bytes. Raises UserError."""
        store.create(file, written(1, START, {"kind": "begin", "check": check_of(key), **_now()}))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def state(self) -> LedgerState:
        """Return the state after all entries, each verified by its hash. Raises UserError."""
        with store.in_words(self.file):
            entries = self._connection.execute(READ, (self._state.last,)).fetchall()
        follow(self._state, entries, str(self.file))
        if not self._state.last:
            raise UserError(broken(str(self.file), "entry 1 is missing"))
        return self._state

    def requests(self) -> list[LedgerRequest]:
        """Return all requests, in the order of their entries."""
        return list(self.state().requests.values())

    def require_key(self, key: bytes) -> bytes:
        """Return the key if it belongs to this ledger. Raises UserError."""
        if self.state().check != check_of(key):
            what, hint = "is the key of another ledger", "give this ledger's (--key)"
            raise UserError(Problem("--key", what, hint, "request"))
        return key

    def require_requests(self, references: Iterable[str]) -> None:
        """Raise UserError if a request is not in the ledger."""
        state = self.state()
        for reference in references:
            self._known(state, reference)

    def require_head(self, head: str) -> None:
        """Raise UserError if no entry of this ledger has the hash."""
        query = "SELECT count(*) FROM entries WHERE hash = ?"
        with store.in_words(self.file):
            ((there,),) = self._connection.execute(query, (head,)).fetchall()
        if not there:
            what = "has no entry with the hash of --head: entries were changed since it was noted"
            raise UserError(broken(str(self.file), what))

    @contextmanager
    def writing(self) -> Iterator[LedgerState]:
        """Open a transaction: all that is written in it is written, or nothing; other writers wait.

        Yields the state after the entries of earlier writers.
        """
        try:
            with store.transaction(self._connection, self.file):
                yield self.state()
        except BaseException:
            self._state = LedgerState()  # it may hold entries that were rolled back
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
        """Add a request to remove records, and return it.

        Args:
            reference: the user's name of the request; it must not name a person.
            ground: the reason, in one word.
            received: day of receipt.
            due: deadline; None is one month after `received`.
            prints: fingerprints of the records.
            records: number of records.

        Raises:
            UserError: the reference exists or is no plain name, or `due` is before `received`.
        """
        plain_name(reference, "--reference")
        plain_name(ground, "--ground")
        due = due or month_after(received)
        if due < received:
            what = f"({due}) is before the request was received ({received})"
            raise UserError(Problem("--due", what, "check both dates", "request"))
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
        """Withdraw an open request, and delete its fingerprints. Raises UserError."""
        with self._joined() as state:
            asked = self._known(state, reference)
            if asked.state != "open":
                hint = "only open requests can be withdrawn"
                raise UserError(Problem(reference, f"is {asked.state}", hint, "request"))
            self._append(state, "withdraw", reference=reference)
            self._connection.execute("DELETE FROM prints WHERE entry = ?", (asked.entry,))
        if not self._connection.in_transaction:  # the write-ahead log still has the fingerprints
            with store.in_words(self.file):
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def derive(self, child: str, parents: Sequence[str], by: str) -> ModelLink:
        """Record that a model was made from others; unknown parents are added as base models.

        Args:
            child: hash of the new model.
            parents: hashes of the models it was made from.
            by: "finetune", "merge" or "quantise".

        Raises:
            UserError: the child is one of its ancestors, or is recorded with another origin.
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
        """Record that unlearning made a model from another; the requests are done then.

        Args:
            child: hash of the unlearned model.
            parent: hash of the model before.
            references: the fulfilled requests.
            method: name of the method.
            run: hashes and versions of the run; no text.

        Raises:
            UserError: a request is unknown or withdrawn, or the model is recorded with another
                origin.
        """
        with self._joined() as state:
            for reference in references:
                if self._known(state, reference).state == "withdrawn":
                    hint = "leave it out, or add it under another reference"
                    raise UserError(Problem(reference, "is withdrawn", hint, "request"))
            more = {"requests": list(dict.fromkeys(references)), "method": method, "run": run}
            return self._link(state, child, [parent], "unlearn", **more)

    def rechecked(self, model: str, asked: int, given: int, *, likelier: bool) -> None:
        """Record that a model was tested for removed records.

        Args:
            model: hash of the model.
            asked: number of tested records.
            given: number of records that the model generated.
            likelier: whether the answers were likelier than answers that no model saw.
        """
        with self._joined() as state:
            said = {"asked": asked, "given": given, "likelier": likelier}
            self._append(state, "recheck", model=model, **said)

    def sign(self, private: Path) -> int:
        """Sign the last hash, and so all entries; return the new entry's number."""
        with self._joined() as state:
            public, signature = signed(state.head, private)
            self._append(state, "signature", of=state.head, public=public, signature=signature)
            return state.last

    def verify_signatures(self, public: Path | None = None) -> list[dict[str, Any]]:
        """Verify and return all signatures.

        Args:
            public: file of a public key; only its signatures are returned. None returns all.

        Raises:
            UserError: a signature is invalid, or there is none.
        """
        return verified(self.state().signatures, public, str(self.file))

    def prints(self, references: Iterable[str] | None = None) -> dict[str, list[Fingerprint]]:
        """Return the fingerprints by request; withdrawn requests are left out.

        Args:
            references: the requests; None for all.

        Raises:
            UserError: an unknown request, or fingerprints that were changed in the file.
        """
        wanted = None if references is None else list(references)
        return {
            reference: [Fingerprint(*row) for row in rows] for reference, rows in self._rows(wanted)
        }

    def _rows(self, references: list[str] | None) -> Iterator[tuple[str, list[Any]]]:
        """Yield each request with its rows of fingerprints, after verifying them."""
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
        """Return the history of a model, from itself back to its bases; verifies the whole ledger.

        Raises:
            UserError: the model is unknown, or the ledger was changed.
        """
        state = self.state()
        if model not in state.links:
            what = "is in no entry: it was never recorded, or its files were changed since"
            hint = "add it with `unteach ledger record` or `derive`; `unteach verify` finds changes"
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
            what = "is one of the models that it is made from, by what was given"
            hint = "the two folders hold the same weights, or parent and child are swapped"
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
            hint = "`unteach ledger list` lists them"
            raise UserError(Problem(reference, "is no request of this ledger", hint, "request"))
        return state.requests[reference]

    @contextmanager
    def _joined(self) -> Iterator[LedgerState]:
        """Join the current transaction, or open one."""
        if self._connection.in_transaction:
            yield self._state
            return
        with self.writing() as state:
            yield state


def _now() -> dict[str, str]:
    """Return the current time, for readers; the order of entries is that of their numbers."""
    return {"clock": datetime.now(UTC).isoformat(timespec="seconds")}
