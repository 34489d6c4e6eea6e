"""`unteach ledger`: what was asked to be removed, and what came of it."""

import json as json_
from pathlib import Path
from typing import Annotated, Any

import typer

from unteach.cli._command import CommandGroup
from unteach.errors import Problem, UserError

HELP = (
    "Keep requests for removal, what came of them, and where each model comes from, in one SQLite "
    "file that holds no text.\n\n"
    "Records are kept as fingerprints under a key, a file that `init` makes. Destroying the key "
    "makes the fingerprints random numbers: nobody can compare anything with them any more, so it "
    "also ends screening and rechecking. Hashes of personal data may be personal data all the same."
    "\n\n"
    "Exit codes: 0 done, 1 something is not as it was written or cannot be read, 2 asked wrongly."
)
DEFAULT = Path("removals.ledger")
SHOWN = 12  # letters of a hash
FEW = 10

ledger = typer.Typer(
    name="ledger", cls=CommandGroup, help=HELP, no_args_is_help=True, add_completion=False,
)  # fmt: skip

Where = Annotated[
    Path, typer.Option("--ledger", metavar="FILE", envvar="UNTEACH_LEDGER", help="The ledger.")
]
Key = Annotated[
    Path | None,
    typer.Option("--key", metavar="FILE", help="Its key; when left out, FILE.key beside it."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def init(
    file: Annotated[Path, typer.Argument(metavar="[FILE]", help="The ledger to make.")] = DEFAULT,
    key: Key = None,
) -> None:
    """Make an empty ledger, and the key of its fingerprints.

    The key is readable by you alone. Keep it apart from the ledger where you can: who has both can
    try out whether a text is among the removed.
    """
    from unteach.files import in_words
    from unteach.ledger import Ledger, make_key
    from unteach.ledger.key import key_file

    path = key or key_file(file)
    if file.exists():
        hint = "give another name; a ledger is never overwritten"
        raise UserError(Problem(str(file), "is there already", hint, "request"))
    with in_words(file.absolute().parent):
        made = make_key(path)
    Ledger.create(file, made)
    typer.echo(f"{file}: an empty ledger; its key is in {path}, readable by you alone")


def add(
    forget: Annotated[Path, typer.Option(metavar="FILE", help="The records to remove.")],
    ground: Annotated[str, typer.Option(metavar="WORD", help="Why: erasure, copyright, ...")],
    received: Annotated[str, typer.Option(metavar="DATE", help="Day that it came: 2026-11-30.")],
    reference: Annotated[str, typer.Option(metavar="ID", help="Your number for it; no name.")],
    due: Annotated[
        str | None, typer.Option(metavar="DATE", help="Day to answer by; a month later by default.")
    ] = None,
    ledger: Where = DEFAULT,
    key: Key = None,
) -> None:
    """Write down a request: its dates, and fingerprints of its records.

    Of the file neither name nor text is kept. A reference that stands in the records is refused.
    """
    from unteach.ledger import Ledger, prints_of
    from unteach.ledger.book import plain_name
    from unteach.ledger.dates import read_date

    plain_name(reference, "--reference")
    plain_name(ground, "--ground")
    days = read_date(received, "--received"), read_date(due, "--due") if due else None
    examples = records_of(forget)
    _apart(reference, "--reference", examples)
    with Ledger(ledger) as opened:
        prints = prints_of(examples, opened.require_key(key_of(ledger, key)))
        made = opened.add(reference, ground, *days, prints, len(examples))
    typer.echo(f"{reference}: {made.records} records, due {made.due} (entry {made.entry})")


def list_(
    due: Annotated[
        str | None, typer.Option(metavar="DATE", help="Open ones due by then; or `today`.")
    ] = None,
    json: Json = False,
    ledger: Where = DEFAULT,
) -> None:
    """List the requests, after every entry was held against the hash of the one before."""
    from datetime import date

    from unteach.ledger import Ledger
    from unteach.ledger.dates import read_date

    with Ledger(ledger) as opened:
        found, head = opened.requests(), opened.state().head
    if due is not None:
        day = date.today() if due == "today" else read_date(due, "--due")
        late = [r for r in found if r.state == "open" and r.due <= day.isoformat()]
        found = sorted(late, key=lambda r: (r.due, r.entry))
    names = ("reference", "state", "due", "received", "ground", "records", "entry")
    if json:
        rows = [{name: getattr(r, name) for name in names} for r in found]
        typer.echo(json_.dumps({"requests": rows, "head": head}, indent=1))
        return
    widths = [max(len(n), *(len(str(getattr(r, n))) for r in found), 0) for n in names]
    lines = [names, *([str(getattr(r, n)) for n in names] for r in found)]
    text = ("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) for line in lines)
    typer.echo("\n".join(line.rstrip() for line in text))
    typer.echo(f"{len(found)} requests; last hash {head}", err=True)


def show(
    model: Annotated[str, typer.Argument(metavar="DIR_OR_ID", help="A model.")],
    head: Annotated[
        str | None,
        typer.Option(metavar="HASH", help="A last hash that was kept elsewhere: is it in here?"),
    ] = None,
    json: Json = False,
    ledger: Where = DEFAULT,
) -> None:
    """Show how a model came about, back to its base; hash its files, and verify all entries.

    The hashes show what was changed by accident or by hand. Whoever can write to the file and has
    this program can write all of it anew: keep the last hash elsewhere, and give it with --head.
    """
    from unteach.ledger import Ledger
    from unteach.ledger.result import identity

    with Ledger(ledger) as opened:
        found, last = opened.chain(identity(model)), opened.state().head
        asked = [r for r in opened.state().rechecks if r["model"] == found[0].child]
        if head is not None:
            opened.require_head(head)
    if json:
        links = [dict(vars(link)) for link in found]
        typer.echo(json_.dumps({"chain": links, "rechecks": asked, "head": last}, indent=1))
        return
    for link in found:
        typer.echo(f"{link.child[:SHOWN]}  {_told(link)}")
    for again in asked:
        told = "likelier than never seen" if again["likelier"] else "no likelier than never seen"
        given = f"{again['given']} of {again['asked']} given again, {told}"
        typer.echo(f"rechecked (entry {again['entry']}, clock {again['clock']}): {given}")
    typer.echo(f"all entries follow from each other; last hash {last}", err=True)


def withdraw(
    reference: Annotated[str, typer.Argument(metavar="ID", help="The request.")],
    ledger: Where = DEFAULT,
) -> None:
    """Withdraw an open request; its fingerprints are removed, its entry stays."""
    from unteach.ledger import Ledger

    with Ledger(ledger) as opened:
        opened.withdraw(reference)
    typer.echo(f"{reference}: withdrawn, and its fingerprints are removed")


def derive(
    child: Annotated[str, typer.Argument(metavar="DIR_OR_ID", help="The model that was made.")],
    from_: Annotated[
        list[str], typer.Option("--from", metavar="DIR_OR_ID", help="Of what; again for a merge.")
    ],
    by: Annotated[str, typer.Option(metavar="finetune|merge|quantise", help="How.")],
    ledger: Where = DEFAULT,
) -> None:
    """Write down that a model was made from others: by fine-tuning, merging or quantising."""
    from unteach.ledger import Ledger
    from unteach.ledger.result import identity

    if by not in ("finetune", "merge", "quantise"):
        hint = "give finetune, merge or quantise; what `unteach run` made goes with `record`"
        raise UserError(Problem(f"--by {by}", "is not known", hint, "request"))
    with Ledger(ledger) as opened:  # first: hashing a model that cannot be written down takes long
        opened.state()
        parents = [identity(parent, "--from") for parent in from_]
        link = opened.derive(identity(child), parents, by)
    typer.echo(f"{link.child[:SHOWN]}  {_told(link)}")


def keypair(
    file: Annotated[
        Path, typer.Argument(metavar="[FILE]", help="For the private key; FILE.pub has the other.")
    ] = Path("ledger-sign.pem"),
) -> None:
    """Make an Ed25519 key to sign ledgers with (needs `unteach[sign]`).

    Keep the private key where nobody who can write to the ledger can read it, and give the public
    key to whoever shall be able to check.
    """
    from unteach.files import in_words
    from unteach.ledger.signing import make_pair

    with in_words(file.absolute().parent):
        public = make_pair(file)
    typer.echo(f"{file}: a private key, readable by you alone; its public key is in {public}")


def sign(
    private: Annotated[Path, typer.Option(metavar="FILE", help="Your private key (Ed25519, PEM).")],
    ledger: Where = DEFAULT,
) -> None:
    """Sign all entries that there are, by the last hash; the signature is an entry of its own."""
    from unteach.ledger import Ledger

    with Ledger(ledger) as opened:
        entry = opened.sign(private)
    typer.echo(f"{ledger}: entries up to {entry - 1} are signed (entry {entry})")


def verify(
    public: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The public key that must have signed.")
    ] = None,
    ledger: Where = DEFAULT,
) -> None:
    """Verify every entry, and every signature; with --public, that this key has signed.

    Whoever can write to the file can make a key of his own: without --public it is only said that
    signatures fit.
    """
    from unteach.ledger import Ledger

    with Ledger(ledger) as opened:
        found, last = opened.verify_signatures(public), opened.state().last
    for one in found:
        by = f"key {one['public'][:SHOWN]}"
        typer.echo(f"entries up to {one['entry'] - 1}: signed by {by} (entry {one['entry']})")
    if open_ := last - found[-1]["entry"]:
        typer.echo(f"{open_} entries since the last of them are not signed", err=True)


def record(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `unteach run` wrote.")],
    request: Annotated[
        list[str], typer.Option("--request", metavar="ID", help="Which it answers; also several.")
    ],
    before: Annotated[
        str | None,
        typer.Option(metavar="DIR_OR_ID", help="The model before, where it was moved since."),
    ] = None,
    ledger: Where = DEFAULT,
    key: Key = None,
) -> None:
    """Tie a result to its requests, which are done then.

    Each file of the result is held against the hash of when it was written, and its forget file,
    where it is still there, must have every record of the requests.
    """
    from unteach.ledger import Ledger
    from unteach.ledger.result import find

    with Ledger(ledger) as opened:
        opened.require_requests(request)
        found = find(folder, before)
        checked = _covers(opened, request, found.request.forget, ledger, key)
        method = found.request.method_name
        run = {**found.run, "records_compared": checked}
        link = opened.record(found.child, found.parent, request, method, run)
    typer.echo(f"{link.child[:SHOWN]}  {_told(link)}")
    if not checked:
        typer.echo("its forget file is gone: not compared with the requests' records", err=True)


def _covers(opened: Any, references: list[str], forget: str, file: Path, key: Path | None) -> bool:
    """Whether a run's forget file could be compared. Raises UserError where it lacks a record."""
    from unteach.ledger import prints_of
    from unteach.ledger.result import lacking

    if not Path(forget).is_file():
        return False
    removed = prints_of(records_of(Path(forget)), opened.require_key(key_of(file, key)))
    problems = []
    for reference, asked in opened.prints(references).items():
        if missing := lacking(asked, removed):
            some = ", ".join(f"forget-{k}" for k in missing[:FEW])
            what = f"the run's forget file lacks {len(missing)} of its records ({some})"
            hint = "run again with all of them, or give another --request"
            problems.append(Problem(reference, what, hint, "request"))
    if problems:
        raise UserError(*problems)
    return True


def records_of(file: Path) -> list[Any]:
    """The examples of a file. Raises UserError for all that is wrong with it."""
    from unteach.data import read

    examples, problems = read(file, "forget")
    if wrong := [p for p in problems if p.kind != "note"]:
        raise UserError(*wrong)
    return examples


def _apart(name: str, flag: str, examples: list[Any]) -> None:
    """That a reference tells nothing of the records. Raises UserError."""
    from unteach.ledger.prints import parts_of

    if len(name) > 2 and any(
        name.casefold() in text.casefold() for e in examples for _, text in parts_of(e)
    ):
        hint = "give a number or code that tells nothing of a person"
        raise UserError(Problem(flag, "stands in the records themselves", hint, "request"))


def key_of(file: Path, key: Path | None) -> bytes:
    """The key of a ledger, wherever it is. Raises UserError."""
    from unteach.ledger import read_key
    from unteach.ledger.key import key_file

    return read_key(key or key_file(file))


def _told(link: Any) -> str:
    method = f" by {link.method}" if link.method else ""
    asked = f" for {', '.join(link.requests)}" if link.requests else ""
    parents = f" of {', '.join(p[:SHOWN] for p in link.parents)}" if link.parents else ""
    return f"{link.by}{method}{asked}{parents} (entry {link.entry})"


COMMANDS = (init, add, list_, show, record, withdraw, derive, keypair, sign, verify)
