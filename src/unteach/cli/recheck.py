"""`unteach recheck`: test whether removed records resurface in a later model."""

from pathlib import Path
from typing import Annotated, Any

import typer

from unteach.cli import _options as shared
from unteach.cli import ledger as options
from unteach.cli._json import show_json
from unteach.cli._options import argument, option
from unteach.errors import Problem, UserError, listed

FOUND = 3  # exit code if a record resurfaces
FEW = 12  # number of ids to name in one line


@shared.takes("... template max_new_tokens device overwrite trust_remote_code json")
def recheck(
    model: Annotated[str, argument("The later model: a folder or a hub id.", "DIR_OR_ID")],
    forget: Annotated[Path, option("The removed records, from your own copy.", "FILE")],
    holdout: Annotated[Path, option("Similar records that no model saw.", "FILE")],
    ledger: options.Where = options.DEFAULT,
    key: options.Key = None,
    since: Annotated[
        str | None,
        option(
            "The model that the removal wrote: only what rose since then resurfaces.", "DIR_OR_ID"
        ),
    ] = None,
    out: Annotated[Path, option("The folder to write rows and report to.", "DIR")] = Path(
        "unteach-recheck"
    ),
    json: options.Json = False,
    **how: Any,
) -> None:
    """Test whether removed records resurface in a later model.

    Use it after fine-tuning, merging or quantising, and before a release. The ledger holds no
    texts, so --forget must have the records; those that belong to a fulfilled request are tested.
    A record resurfaces if the model generates it (and generates more of them than of --holdout), or
    if the answers are likelier than answers that no model saw; with --since, only if they also rose
    beyond chance from that model to this one. The outcome is added to the ledger.

    Examples:
      $ unteach recheck later-model --forget removed.jsonl --holdout holdout.jsonl
        --ledger removals.ledger --out recheck
      $ unteach recheck later-model --since unlearned --forget removed.jsonl
        --holdout holdout.jsonl --ledger removals.ledger --out recheck

    Exit codes:
      0  no record resurfaces
      1  something failed
      2  the command is wrong
      3  some records resurface
    """
    from unteach.cli._show import say, working
    from unteach.evaluation.request import evaluation_request
    from unteach.ledger.recheck import rechecked

    known, left, before = _known(ledger, key, forget, model)
    request = evaluation_request(
        models={"model": model, **({"since": since} if since else {})},
        suite="own",
        out=out,
        options={"forget": str(forget), "holdout": str(holdout)},
        **how,
    )
    with working() as listener:
        from unteach.evaluation.rescore import rows_in
        from unteach.evaluation.run import evaluate

        persons = _persons(request)
        evaluate(request, listener)
    rows, _ = rows_in(out)
    names = {f"forget-{there}" for found in known.values() for there in found.values()}
    result = rechecked(rows, names, persons)
    _write(ledger, model, before, result)
    if json:
        held = {r: {k: f"forget-{v}" for k, v in found.items()} for r, found in known.items()}
        show_json({**result.as_record(), "records": held, "not_at_hand": left})
    else:
        _tell(result)
    if left:
        say(f"{left} removed records are not in {forget}, and were not tested")
    if result.resurfaced:
        raise typer.Exit(FOUND)


def _known(
    ledger: Path, key: Path | None, forget: Path, model: str
) -> tuple[dict[str, dict[int, int]], int, str]:
    """Match the file's records with the ledger's fulfilled requests.

    Returns:
        By request, the number of each removed record -> its number in the file; how many removed
        records the file lacks; the model's hash.

    Raises:
        UserError: the file has no removed record, or the model cannot be read.
    """
    from unteach.cli._show import say
    from unteach.ledger import Ledger, prints_of
    from unteach.ledger.recheck import at_hand
    from unteach.ledger.result import identity

    with Ledger(ledger) as opened:
        secret = opened.require_key(options.key_of(ledger, key))
        done = [r for r in opened.requests() if r.state == "done"]
        named = identity(model)
        if named not in opened.state().links:
            say("the ledger does not know this model: `unteach ledger derive` adds it")
        removed = opened.prints(r.reference for r in done)
        found = at_hand(removed, prints_of(options.records_of(forget), secret))
    if not any(found.values()):
        hint = "give the file that the request was added with, once that request is done"
        what = "has no record that was removed by a fulfilled request of this ledger"
        raise UserError(Problem(f"--forget {forget}", what, hint, "request"))
    total = sum(r.records for r in done)
    return found, total - sum(map(len, found.values())), named


def _persons(request: Any) -> dict[str, Any]:
    """The persons of the records and of the holdout, by the record's id, where they are known."""
    from unteach.evaluation.check import check
    from unteach.evaluation.persons import persons_in

    plan = check(request)
    persons = {role: persons_in(plan, role) for role in ("forget", "holdout")}
    return {role: found.of for role, found in persons.items() if found}


def _write(ledger: Path, model: str, before: str, result: Any) -> None:
    """Add the outcome to the ledger. Raises UserError if the model was changed meanwhile."""
    from unteach.ledger import Ledger
    from unteach.ledger.result import identity

    if identity(model) != before:
        what, hint = "was changed during the test", "give the same command again"
        raise UserError(Problem(f"model {model}", what, hint))
    with Ledger(ledger) as opened:
        again, rose = result.later, result.resurfaced
        opened.rechecked(
            before, again.asked, len(again.given) if rose else 0, likelier=again.likelier and rose
        )


def _tell(result: Any) -> None:
    again = result.later
    if not result.resurfaced:
        typer.echo(f"none of {again.asked} removed records resurfaces")
    if again.found and not result.resurfaced:
        rise = f"{result.rise:+.3g} per token in the mean" if result.rise is not None else "unknown"
        typer.echo(f"known to --since as well, with no rise beyond chance since ({rise}):")
    if again.given:
        typer.echo(f"given again: {listed(again.given, FEW)} ({len(again.given)} of {again.asked})")
    if again.likelier:
        typer.echo(
            f"likelier than never seen: {again.probability:.3g} per token, never seen at most "
            f"{again.top:.3g}"
            + (f"; above every holdout answer: {listed(again.above, FEW)}" if again.above else "")
        )
    if again.unjudged:
        typer.echo(f"given, but may be guessed: {listed(again.unjudged, FEW)}")
