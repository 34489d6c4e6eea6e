"""`unteach ledger`: keep requests for removal, and record how they were fulfilled."""

from pathlib import Path
from typing import Annotated, Any

import typer

from unteach.cli._command import CommandGroup
from unteach.cli._json import show_either, show_json
from unteach.cli._options import argument, option
from unteach.cli._removed import apart, covers, key_of, records_of
from unteach.errors import Problem, UserError

HELP = (
    "Keep requests for removal, their outcome, and the history of each model, in one SQLite file "
    "without texts.\n\n"
    "Records are kept as keyed fingerprints; `init` makes the key, a file. Without the key nobody "
    "can compare anything with the fingerprints, so destroying it also ends screening and "
    "rechecking. Hashes of personal data may legally still be personal data.\n\n"
    "Examples:\n"
    "$ unteach ledger init\n"
    "$ unteach ledger add --forget forget.jsonl --ground erasure --received 2026-11-30 "
    "--reference R-1\n"
    "$ unteach run --model DIR --forget forget.jsonl --ledger removals.ledger --out unlearned\n"
    "$ unteach ledger show unlearned\n\n"
    "Exit codes:\n"
    "0  done\n"
    "1  the ledger or a result was changed or cannot be read\n"
    "2  the command is wrong"
)
DEFAULT = Path("removals.ledger")
SHOWN = 12  # characters of a hash
FIELDS = ("reference", "state", "due", "received", "ground", "records", "entry")  # of a request

ledger = typer.Typer(
    name="ledger", cls=CommandGroup, help=HELP, no_args_is_help=True, add_completion=False,
)  # fmt: skip

Where = Annotated[
    Path, option("The ledger file.", "FILE", flags="--ledger", envvar="UNTEACH_LEDGER")
]
Key = Annotated[
    Path | None,
    option("The ledger's key file; by default LEDGER.key beside it.", "FILE", flags="--key"),
]
Json = Annotated[bool, option("Print JSON.", flags="--json")]


def init(
    file: Annotated[Path, argument("The ledger file to create.", "[FILE]")] = DEFAULT,
    key: Key = None,
    json: Json = False,
) -> None:
    """Create an empty ledger, and the key of its fingerprints.

    Only you can read the key file. If possible, keep it apart from the ledger: whoever has both
    can test whether a text is among the removed records.

    Examples:
      $ unteach ledger init
      $ unteach ledger init team.ledger --key /secure/team.key
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
    show_either(
        {"ledger": str(file), "key": str(path)},
        f"{file}: an empty ledger; its key is in {path}, which only you can read",
        json=json,
    )


def add(
    forget: Annotated[Path, option("The records to remove.", "FILE")],
    ground: Annotated[str, option("The reason in one word: erasure, copyright, ...", "WORD")],
    received: Annotated[str, option("Day of receipt, such as 2026-11-30.", "DATE")],
    reference: Annotated[str, option("Your number of the request; no name of a person.", "ID")],
    due: Annotated[
        str | None, option("Deadline; by default a month after --received.", "DATE")
    ] = None,
    ledger: Where = DEFAULT,
    key: Key = None,
    json: Json = False,
) -> None:
    """Add a request for removal: its dates, and fingerprints of its records.

    Neither the name nor the text of the file is kept. A reference that occurs in the records is
    refused.

    Examples:
      $ unteach ledger add --forget forget.jsonl --ground erasure --received 2026-11-30
        --reference R-1
    """
    from unteach.ledger import Ledger, prints_of
    from unteach.ledger.dates import plain_name, read_date

    plain_name(reference, "--reference")
    plain_name(ground, "--ground")
    days = read_date(received, "--received"), read_date(due, "--due") if due else None
    examples = records_of(forget)
    apart(reference, "--reference", examples)
    with Ledger(ledger) as opened:
        prints = prints_of(examples, opened.require_key(key_of(ledger, key)))
        made = opened.add(reference, ground, *days, prints, len(examples))
    show_either(
        _fields(made),
        f"{reference}: {made.records} records, due {made.due} (entry {made.entry})",
        json=json,
    )


def list_(
    due: Annotated[
        str | None, option("Only open requests due by this day; or `today`.", "DATE")
    ] = None,
    json: Json = False,
    ledger: Where = DEFAULT,
) -> None:
    """List the requests, after every entry is verified against the hash of the one before.

    Examples:
      $ unteach ledger list
      $ unteach ledger list --due today --json
    """
    from datetime import date

    from unteach.ledger import Ledger
    from unteach.ledger.dates import read_date

    with Ledger(ledger) as opened:
        found, head = opened.requests(), opened.state().head
    if due is not None:
        day = date.today() if due == "today" else read_date(due, "--due")
        late = [r for r in found if r.state == "open" and r.due <= day.isoformat()]
        found = sorted(late, key=lambda r: (r.due, r.entry))
    if json:
        show_json({"requests": [_fields(r) for r in found], "head": head})
        return
    widths = [max(len(n), *(len(str(getattr(r, n))) for r in found), 0) for n in FIELDS]
    lines = [FIELDS, *([str(getattr(r, n)) for n in FIELDS] for r in found)]
    text = ("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) for line in lines)
    typer.echo("\n".join(line.rstrip() for line in text))
    typer.echo(f"{len(found)} request{'s' * (len(found) != 1)}; last hash {head}", err=True)


def show(
    model: Annotated[str, argument("A model: a folder or a hub id.", "DIR_OR_ID")],
    head: Annotated[
        str | None, option("Check that this hash, noted earlier, is in the ledger.", "HASH")
    ] = None,
    json: Json = False,
    ledger: Where = DEFAULT,
) -> None:
    """Show the history of a model, back to its base; all entries are verified.

    The model's files are hashed to find it. The hashes of entries reveal changes by accident or by
    hand; whoever can write the file could still rewrite all of it. Against that, note the last hash
    elsewhere, and give it as --head.

    Examples:
      $ unteach ledger show unlearned
      $ unteach ledger show unlearned --head HASH --json
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
        show_json({"chain": links, "rechecks": asked, "head": last})
        return
    for link in found:
        typer.echo(f"{link.child[:SHOWN]}  {_told(link)}")
    for again in asked:
        told = "likelier than never seen" if again["likelier"] else "no likelier than never seen"
        given = f"{again['given']} of {again['asked']} given again, {told}"
        typer.echo(f"rechecked (entry {again['entry']}, clock {again['clock']}): {given}")
    typer.echo(f"all entries are verified; last hash {last}", err=True)


def withdraw(
    reference: Annotated[str, argument("The reference of the request.", "ID")],
    json: Json = False,
    ledger: Where = DEFAULT,
) -> None:
    """Withdraw an open request: its fingerprints are deleted, its entry stays.

    Examples:
      $ unteach ledger withdraw R-1
    """
    from unteach.ledger import Ledger

    with Ledger(ledger) as opened:
        opened.withdraw(reference)
        withdrawn = opened.state().requests[reference]
    show_either(
        _fields(withdrawn), f"{reference}: withdrawn, and its fingerprints are deleted", json=json
    )


def derive(
    child: Annotated[str, argument("The new model.", "DIR_OR_ID")],
    from_: Annotated[
        list[str],
        option("The model it was made from; repeatable for a merge.", "DIR_OR_ID", flags="--from"),
    ],
    by: Annotated[str, option("How it was made.", "finetune|merge|quantise")],
    json: Json = False,
    ledger: Where = DEFAULT,
) -> None:
    """Record that a model was made from others by fine-tuning, merging or quantising.

    Examples:
      $ unteach ledger derive tuned --from unlearned --by finetune
    """
    from unteach.ledger import Ledger
    from unteach.ledger.result import identity

    if by not in ("finetune", "merge", "quantise"):
        hint = "give finetune, merge or quantise; for a result of `unteach run` use `record`"
        raise UserError(Problem(f"--by {by}", "is not known", hint, "request"))
    with Ledger(ledger) as opened:  # checked first, since hashing the models takes long
        opened.state()
        parents = [identity(parent, "--from") for parent in from_]
        link = opened.derive(identity(child), parents, by)
    show_either(vars(link), f"{link.child[:SHOWN]}  {_told(link)}", json=json)


def keypair(
    file: Annotated[
        Path, argument("File of the private key; the public key goes to FILE.pub.", "[FILE]")
    ] = Path("ledger-sign.pem"),
    json: Json = False,
) -> None:
    """Make an Ed25519 key pair to sign ledgers with; needs the extra "sign".

    Keep the private key where nobody who can write the ledger can read it. Give the public key to
    those who should be able to verify the ledger.

    Examples:
      $ unteach ledger keypair ledger-sign.pem
    """
    from unteach.files import in_words
    from unteach.ledger.signing import make_pair

    with in_words(file.absolute().parent):
        public = make_pair(file)
    show_either(
        {"private": str(file), "public": str(public)},
        f"{file}: a private key, which only you can read; its public key is in {public}",
        json=json,
    )


def sign(
    private: Annotated[Path, option("Your private key (Ed25519, PEM).", "FILE")],
    json: Json = False,
    ledger: Where = DEFAULT,
) -> None:
    """Sign all entries so far, by the last hash; the signature is an entry of its own.

    Examples:
      $ unteach ledger sign --private ledger-sign.pem
    """
    from unteach.ledger import Ledger

    with Ledger(ledger) as opened:
        entry = opened.sign(private)
    show_either(
        {"signed_to": entry - 1, "entry": entry},
        f"{ledger}: entries up to {entry - 1} are signed (entry {entry})",
        json=json,
    )


def verify(
    public: Annotated[
        Path | None, option("The public key whose signature is required.", "FILE")
    ] = None,
    json: Json = False,
    ledger: Where = DEFAULT,
) -> None:
    """Verify every entry and every signature; with --public, also that this key has signed.

    Whoever can write the file can also sign with a new key, so without --public the check only
    tells that the signatures are valid.

    Examples:
      $ unteach ledger verify --public ledger-sign.pem.pub
    """
    from unteach.ledger import Ledger

    with Ledger(ledger) as opened:
        found, state = opened.verify_signatures(public), opened.state()
    unsigned = state.last - found[-1]["entry"]
    signatures = [
        {"signed_to": one["entry"] - 1, "public": one["public"], "entry": one["entry"]}
        for one in found
    ]
    if json:
        show_json({"signatures": signatures, "unsigned": unsigned, "head": state.head})
        return
    for one in signatures:
        by = f"key {one['public'][:SHOWN]}"
        typer.echo(f"entries up to {one['signed_to']}: signed by {by} (entry {one['entry']})")
    if unsigned:
        typer.echo(f"{unsigned} entries since the last of them are not signed", err=True)


def record(
    folder: Annotated[Path, argument("A folder that `unteach run` wrote.", "DIR")],
    request: Annotated[
        list[str], option("A request that it fulfils; repeatable.", "ID", flags="--request")
    ],
    before: Annotated[
        str | None, option("The model before unlearning, if it was moved since.", "DIR_OR_ID")
    ] = None,
    ledger: Where = DEFAULT,
    key: Key = None,
    json: Json = False,
) -> None:
    """Record that a result fulfils requests; they are done then.

    The result's files are verified by their hashes. Its forget file, if it still exists, must have
    every record of the requests.

    Examples:
      $ unteach ledger record unlearned --request R-1 --request R-2
    """
    from unteach.ledger import Ledger
    from unteach.ledger.result import find

    with Ledger(ledger) as opened:
        opened.require_requests(request)
        found = find(folder, before)
        checked = covers(opened, request, found.request.forget, ledger, key)
        method = found.request.method_name
        run = {**found.run, "records_compared": checked}
        link = opened.record(found.child, found.parent, request, method, run)
    show_either(vars(link), f"{link.child[:SHOWN]}  {_told(link)}", json=json)
    if not checked:
        typer.echo("its forget file is gone, so the requests' records were not compared", err=True)


def _fields(request: Any) -> dict[str, Any]:
    return {name: getattr(request, name) for name in FIELDS}


def _told(link: Any) -> str:
    method = f" by {link.method}" if link.method else ""
    asked = f" for {', '.join(link.requests)}" if link.requests else ""
    parents = f" of {', '.join(p[:SHOWN] for p in link.parents)}" if link.parents else ""
    return f"{link.by}{method}{asked}{parents} (entry {link.entry})"


COMMANDS = (init, add, list_, show, record, withdraw, derive, keypair, sign, verify)
