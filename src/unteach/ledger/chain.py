"""A hash chain: entries that each hold the hash of the one before, and the state they lead to.

An entry that was changed, deleted or inserted breaks the chain, and is reported. Whoever can write
the file could rewrite the whole chain; against that, note the last hash elsewhere.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from unteach.errors import Problem, UserError

START = ""  # the hash before the first entry


@dataclass(frozen=True)
class LedgerRequest:
    """A request for removal.

    Attributes:
        reference: the user's name of the request.
        ground: the reason, in one word.
        received: day of receipt, as an ISO date.
        due: deadline, as an ISO date.
        state: "open", "done" or "withdrawn".
        records: number of records to remove.
        entry: number of its entry in the ledger.
        prints: hash of its fingerprints.
    """

    reference: str
    ground: str
    received: str
    due: str
    state: str
    records: int
    entry: int
    prints: str


@dataclass(frozen=True)
class ModelLink:
    """The origin of a model.

    Attributes:
        child: hash of the model.
        parents: hashes of the models it was made from; none for a base.
        by: "base", "unlearn", "finetune", "merge" or "quantise".
        entry: number of its entry in the ledger.
        requests: references of the requests that it fulfils.
        method: name of the unlearning method.
    """

    child: str
    parents: tuple[str, ...]
    by: str
    entry: int
    requests: tuple[str, ...] = ()
    method: str = ""


@dataclass
class LedgerState:
    """The state of a ledger after some entries.

    Attributes:
        last: number of the last entry.
        head: hash of the last entry.
        check: value by which the key is recognised.
        requests: requests by reference.
        links: origin of each model, by its hash.
        runs: facts of each recorded run.
        signatures: signatures, each with the hash it signs and its public key.
        rechecks: tests of models for removed records, with their outcome.
    """

    last: int = 0
    head: str = START
    check: str = ""
    requests: dict[str, LedgerRequest] = field(default_factory=dict)
    links: dict[str, ModelLink] = field(default_factory=dict)
    runs: list[dict[str, Any]] = field(default_factory=list)
    signatures: list[dict[str, Any]] = field(default_factory=list)
    rechecks: list[dict[str, Any]] = field(default_factory=list)


def hash_of(number: int, before: str, body: str) -> str:
    """Return the SHA-256 of an entry: its number, the hash of the one before, and its body.

    Example:
        >>> hash_of(1, "", "{}") != hash_of(2, "", "{}")
        True
    """
    return hashlib.sha256(f"{number}\n{before}\n{body}".encode()).hexdigest()


def written(number: int, before: str, record: dict[str, Any]) -> tuple[int, str, str, str]:
    """Return a new entry as a row of the file: number, body, hash before, own hash."""
    body = json.dumps(record, sort_keys=True)
    return number, body, before, hash_of(number, before, body)


def follow(state: LedgerState, entries: Iterable[tuple[int, str, str, str]], where: str) -> None:
    """Update a state by entries, and verify each.

    Args:
        state: the state, which is changed in place.
        entries: number, body, hash before and own hash of each entry, in order.
        where: name of the ledger in messages.

    Raises:
        UserError: an entry breaks the chain or is invalid.
    """
    for number, body, before, own in entries:
        if number != state.last + 1:
            raise UserError(broken(where, f"entry {state.last + 1} is missing"))
        if before != state.head:
            raise UserError(broken(where, f"entry {number} does not follow entry {state.last}"))
        if own != hash_of(number, before, body):
            raise UserError(broken(where, f"entry {number} is not as it was written"))
        try:
            _take(state, number, json.loads(body))
        except (ValueError, LookupError, TypeError, AttributeError):
            what = f"entry {number} is unknown to this version of unteach, or was forged"
            raise UserError(broken(where, what)) from None
        state.last, state.head = number, own


def broken(where: str, what: str) -> Problem:
    """Return the problem of a ledger that was changed."""
    hint = "the ledger was damaged or changed by hand: restore it from a copy"
    return Problem(where, what, hint)


def _take(state: LedgerState, number: int, said: dict[str, Any]) -> None:
    kind = said["kind"]
    if (kind == "begin") != (number == 1):
        raise ValueError(kind)
    if kind == "begin":
        state.check = said["check"]
    elif kind == "request":
        if said["reference"] in state.requests:
            raise ValueError(kind)
        fields = {k: said[k] for k in ("reference", "ground", "received", "due", "records")}
        asked = LedgerRequest(**fields, state="open", entry=number, prints=said["prints"])
        state.requests[asked.reference] = asked
    elif kind == "withdraw":
        _set(state, said["reference"], "withdrawn")
    elif kind == "model":
        parents = tuple(said["parents"])
        requests = tuple(said.get("requests", ()))
        link = ModelLink(
            said["child"], parents, said["by"], number, requests, said.get("method", "")
        )
        before = state.links.get(link.child)
        if link.child in ancestors(state, parents) or not fits(before, link):
            raise ValueError(kind)
        if before and before.requests:
            both = (*before.requests, *link.requests)
            link = replace(before, requests=tuple(dict.fromkeys(both)))
        state.links[link.child] = link
        if link.by == "unlearn":
            state.runs.append({**said["run"], "entry": number, "model": link.child})
            for reference in requests:
                _set(state, reference, "done")
    elif kind == "signature":
        names = ("of", "public", "signature", "clock")
        state.signatures.append({**{name: said[name] for name in names}, "entry": number})
        if said["of"] != state.head:
            raise ValueError(kind)
    elif kind == "recheck":
        names = ("model", "asked", "given", "likelier", "clock")
        state.rechecks.append({**{name: said[name] for name in names}, "entry": number})
    else:
        raise ValueError(kind)


def fits(before: ModelLink | None, now: ModelLink) -> bool:
    """Whether a model's new origin is compatible with its recorded one.

    A base may get parents later, and one run may be recorded for several requests.
    """
    if before is None or (before.by == "base" and now.by != "base"):
        return True
    same = (before.by, before.parents) == (now.by, now.parents)
    return same and now.by == "unlearn"


def ancestors(state: LedgerState, models: Iterable[str]) -> set[str]:
    """Return the models and all their ancestors. Raises KeyError for an unknown model."""
    found: set[str] = set()
    left = list(models)
    while left:
        model = left.pop()
        if model not in found:
            found.add(model)
            left += state.links[model].parents
    return found


def _set(state: LedgerState, reference: str, to: str) -> None:
    state.requests[reference] = replace(state.requests[reference], state=to)
