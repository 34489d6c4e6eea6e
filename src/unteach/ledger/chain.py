"""Entries that each hold the hash of the one before, and what they say when read in order.

An entry that was changed, left out or put in between no longer fits, and is named. Whoever can
write to the file and has this code can write it all anew: against him, keep the last hash
elsewhere.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from unteach.errors import Problem, UserError

START = ""  # what the first entry follows


@dataclass(frozen=True)
class LedgerRequest:
    """One request.

    Attributes:
        reference: by which its user knows it.
        ground: why, in one word.
        received: day that it came, as given.
        due: day by which it is to be answered.
        state: "open", "done" or "withdrawn".
        records: how many records it is about.
        entry: where it stands in the ledger.
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
    """How a model came from another.

    Attributes:
        child: hash of the model.
        parents: hashes of those that it was made from; none for a base.
        by: "base", "unlearn", "finetune", "merge" or "quantise".
        entry: where it stands in the ledger.
        requests: references of what was removed.
        method: by which it was.
    """

    child: str
    parents: tuple[str, ...]
    by: str
    entry: int
    requests: tuple[str, ...] = ()
    method: str = ""


@dataclass
class LedgerState:
    """What the entries say so far.

    Attributes:
        last: number of the last entry.
        head: its hash.
        check: by which the key is known.
        requests: by reference.
        links: of each model, by its hash.
        runs: what `record` wrote of each.
        signatures: of the last hash as it was then, by whom.
        rechecks: which models were asked again for what was removed, and what came of it.
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
    """SHA-256 of an entry: its number, the hash of the one before, and what it says.

    Example:
        >>> hash_of(1, "", "{}") != hash_of(2, "", "{}")
        True
    """
    return hashlib.sha256(f"{number}\n{before}\n{body}".encode()).hexdigest()


def written(number: int, before: str, record: dict[str, Any]) -> tuple[int, str, str, str]:
    """A new entry, as it stands in the file."""
    body = json.dumps(record, sort_keys=True)
    return number, body, before, hash_of(number, before, body)


def follow(state: LedgerState, entries: Iterable[tuple[int, str, str, str]], where: str) -> None:
    """Take up entries in their order.

    Args:
        state: to bring up to date.
        entries: number, what it says, hash before, own hash.
        where: what messages call the ledger.

    Raises:
        UserError: one does not fit.
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
            what = f"entry {number} says what this version does not know, or was forged"
            raise UserError(broken(where, what)) from None
        state.last, state.head = number, own


def broken(where: str, what: str) -> Problem:
    """That something does not fit."""
    hint = "the ledger was damaged or changed by hand: take it from a copy"
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
    """Whether how a model came about goes with what is known of it.

    A base may turn out to have a parent, and one run may answer several requests.
    """
    if before is None or (before.by == "base" and now.by != "base"):
        return True
    same = (before.by, before.parents) == (now.by, now.parents)
    return same and now.by == "unlearn"


def ancestors(state: LedgerState, models: Iterable[str]) -> set[str]:
    """Models, and all that they were made from. Raises KeyError for one that is not known."""
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
