"""Choose the requests that `unteach run --ledger` fulfils, and record them afterwards.

The result is written first and recorded second. If a run is interrupted in between, the same
command finds the finished result and only records it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unteach.cli._words import say
from unteach.cli.ledger import key_of, records_of
from unteach.errors import Problem, UserError, listed

FEW = 10  # number of names in one line
LONGEST = 64  # characters of a request id in a report


def taken(
    ledger: Path, key: Path | None, requests: Sequence[str], forget: str, out: Path
) -> list[str]:
    """Return the references of the requests that a run fulfils.

    These are the named ones, else all open ones that are covered: the forget file has every record
    of them, compared by words. If all covered ones are done and `out` holds a result, the command
    is a repetition, and they are returned.

    Raises:
        UserError: a named request is unknown, withdrawn or not covered; or none is covered.
    """
    from unteach.files import listed_files
    from unteach.ledger import Ledger, prints_of
    from unteach.ledger.result import lacking

    if not Path(forget).is_file():
        what, hint = "is no file on this machine", "give --ledger with a file of the records"
        raise UserError(Problem(f"--forget {forget}", what, hint, "request"))
    with Ledger(ledger) as opened:
        removed = prints_of(records_of(Path(forget)), opened.require_key(key_of(ledger, key)))
        opened.require_requests(requests)
        asked = opened.prints(requests or None)
        states = {r.reference: r.state for r in opened.requests()}
        order = [r.reference for r in sorted(opened.requests(), key=lambda r: (r.due, r.entry))]
    missing = {name: lacking(prints, removed) for name, prints in asked.items()}
    if requests:
        _require_covered(requests, states, missing)
        return list(dict.fromkeys(requests))
    covered = [name for name in order if name in missing and not missing[name]]
    due = [name for name in covered if states[name] == "open"]
    left = [name for name in order if states[name] == "open" and name not in due]
    if left:
        say(f"open requests with records that are not in {forget}: {listed(left, FEW)}")
    if due or (covered and listed_files(out)):
        return due or covered
    what = "has all records of no open request"
    hint = (
        f"{listed(covered, FEW)} is done already: name it with --request"
        if covered
        else "unteach ledger list"
    )
    raise UserError(Problem(f"--forget {forget}", what, hint, "request"))


def _require_covered(
    requests: Sequence[str], states: dict[str, str], missing: dict[str, list[int]]
) -> None:
    problems = []
    for name in requests:
        if states[name] == "withdrawn":
            problems.append(Problem(name, "is withdrawn", "leave it out", "request"))
        elif found := missing[name]:
            what = f"--forget lacks {len(found)} of its records ({listed(map(str, found), FEW)})"
            problems.append(Problem(name, what, "add them, or leave the request out", "request"))
    if problems:
        raise UserError(*problems)


def known_as(references: Sequence[str]) -> str | None:
    """Return the id of the requests for the report; None if it would be too long."""
    told = "+".join(references)
    return told if len(told) <= LONGEST else None


def recorded(ledger: Path, references: Sequence[str], out: Path) -> None:
    """Record in the ledger that a result fulfils its requests, unless that is recorded already.

    Raises:
        UserError: the result was changed, or the ledger cannot be written; repeat the command.
    """
    from unteach.ledger import Ledger
    from unteach.ledger.result import find

    found = find(out)
    with Ledger(ledger) as opened, opened.writing() as state:
        link = state.links.get(found.child)
        if link and found.parent in link.parents and set(references) <= set(link.requests):
            say(f"in the ledger already: {listed(references, FEW)} (entry {link.entry})")
            return
        run: dict[str, Any] = {**found.run, "records_compared": True}
        method = found.request.method_name
        link = opened.record(found.child, found.parent, references, method, run)
    say(f"in the ledger: {listed(references, FEW)} done (entry {link.entry})")


def not_recorded(references: Sequence[str]) -> None:
    """Print that requests stay open because a gate failed."""
    say(f"not recorded in the ledger, since a gate failed: {listed(references, FEW)} stay open")
