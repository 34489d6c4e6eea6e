"""Earlier requests that a ledger knows of a run's model, and those whose records are nowhere."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from unteach.cli.ledger import key_of, records_of
from unteach.settings.request import Request

if TYPE_CHECKING:
    from unteach.ledger import Ledger


def with_history(
    asked: Request, ledger: Path | None, key: Path | None, own: Iterable[str]
) -> Request:
    """Add the removals of the ledger whose records are not available to the request.

    A request of the ledger is asked where an earlier result that answered it is found, and its
    forget file still has every record, compared by their words.

    Args:
        asked: what was asked for.
        ledger: its file; None changes nothing.
        key: of the ledger.
        own: references that this run answers.

    Raises:
        UserError: the ledger cannot be read, or what `--after` names is no result.
    """
    if ledger is None:
        return asked
    from unteach.ledger import Ledger
    from unteach.ledger.chain import ancestors
    from unteach.ledger.result import identity

    with Ledger(ledger) as opened:
        secret = opened.require_key(key_of(ledger, key))
        links = opened.state().links
        model = identity(asked.model, "--model")
        chain = ancestors(opened.state(), [model]) if model in links else set()
        done = sorted({(links[m].entry, ref) for m in chain for ref in links[m].requests})
        references = [ref for _, ref in done if ref not in set(own)]
        if not references:
            return asked
        there = _covered(asked, opened, secret, references)
    gone = [ref for ref in dict.fromkeys(references) if ref not in there]
    return asked.model_copy(update={"not_at_hand": gone})


def _covered(asked: Request, opened: "Ledger", secret: bytes, references: list[str]) -> set[str]:
    """Requests of which a found result's forget file has every record."""
    from unteach.checks.earlier import find_earlier
    from unteach.ledger import prints_of
    from unteach.ledger.result import identity, lacking

    links, removed, found = opened.state().links, opened.prints(references), set[str]()
    for one in find_earlier(asked):
        link = links.get(identity(str(one.folder))) if one.examples else None
        mine = [ref for ref in link.requests if ref in removed] if link else []
        if mine and Path(one.source).is_file():
            file = prints_of(records_of(Path(one.source)), secret)
            found |= {ref for ref in mine if not lacking(removed[ref], file)}
    return found
