"""`unteach recheck`: whether what was removed is in a later model again."""

import json as json_
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from unteach.cli import _options as shared
from unteach.cli import ledger as options
from unteach.errors import Problem, UserError

FOUND = 3  # exit code
FEW = 12  # ids that a line names


def recheck(
    model: Annotated[str, typer.Argument(metavar="DIR_OR_ID", help="The later model.")],
    forget: Annotated[Path, typer.Option(metavar="FILE", help="The removed records, still kept.")],
    holdout: Annotated[
        Path, typer.Option(metavar="FILE", help="Records like them that no model saw.")
    ],
    ledger: options.Where = options.DEFAULT,
    key: options.Key = None,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder to make for rows and report.")
    ] = Path("unteach-recheck"),
    template: shared.Template = None,
    max_new_tokens: shared.MaxNewTokens = None,
    device: shared.Device = None,
    overwrite: shared.Overwrite = False,
    trust_remote_code: shared.Trusting = False,
    json: options.Json = False,
) -> None:
    """Ask a later model for what was removed: after fine-tuning, merging, quantising, a release.

    The ledger has no text, so the records must still be at hand; those of --forget that the ledger
    knows (requests that are done) are judged. Records resurface when the model gives them, more
    than it gives of --holdout, or when their answers are likelier than never seen.

    Exit code 0 when none does, 3 when some do, 1 when something cannot be read, 2 when it was asked
    wrongly.
    """
    from unteach.cli._show import say, shown_progress

    known, left, before = _known(ledger, key, forget, model)
    say("starting (loading libraries takes a few seconds)")
    from unteach.cli._show import hush
    from unteach.evaluation.request import evaluation_request
    from unteach.evaluation.rescore import rows_in
    from unteach.evaluation.run import evaluate
    from unteach.ledger.recheck import judge

    request = evaluation_request(
        models={"model": model},
        suite="own",
        out=out,
        options={"forget": str(forget), "holdout": str(holdout)},
        template=template,
        max_new_tokens=max_new_tokens,
        device=device,
        overwrite=overwrite,
        trust_remote_code=trust_remote_code,
    )
    hush()
    with shown_progress() as listener:
        evaluate(request, listener)
    rows, _ = rows_in(out)
    names = {f"forget-{there}" for found in known.values() for there in found.values()}
    again = judge(rows["model"], names)
    _write(ledger, model, before, again)
    if json:
        held = {r: {k: f"forget-{v}" for k, v in found.items()} for r, found in known.items()}
        told = {"resurfaced": again.found, **asdict(again), "records": held, "not_at_hand": left}
        typer.echo(json_.dumps(told, indent=1))
    else:
        _tell(again)
    if left:
        say(f"{left} removed records are not in {forget}: they were not asked")
    if again.found:
        raise typer.Exit(FOUND)


def _known(
    ledger: Path, key: Path | None, forget: Path, model: str
) -> tuple[dict[str, dict[int, int]], int, str]:
    """The removed records that are at hand, how many are not, and the model's hash.

    Raises:
        UserError: none is at hand, or it is no model.
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
            say("this model is in no entry of the ledger: `unteach ledger derive` writes it down")
        removed = opened.prints(r.reference for r in done)
        found = at_hand(removed, prints_of(options.records_of(forget), secret))
    if not any(found.values()):
        hint = "give the file that the request was added with; requests count once they are done"
        what = "has no record that was removed by a request of this ledger"
        raise UserError(Problem(f"--forget {forget}", what, hint, "request"))
    total = sum(r.records for r in done)
    return found, total - sum(map(len, found.values())), named


def _write(ledger: Path, model: str, before: str, again: Any) -> None:
    """That it was asked, into the ledger. Raises UserError where it is another model by now."""
    from unteach.ledger import Ledger
    from unteach.ledger.result import identity

    if identity(model) != before:
        what, hint = "was changed while it was asked", "give the same command again"
        raise UserError(Problem(f"model {model}", what, hint))
    with Ledger(ledger) as opened:
        opened.rechecked(before, again.asked, len(again.given), likelier=again.likelier)


def _tell(again: Any) -> None:
    if not again.found:
        typer.echo(f"none of {again.asked} removed records resurfaces")
    if again.given:
        typer.echo(f"given again: {_named(again.given)} ({len(again.given)} of {again.asked})")
    if again.likelier:
        typer.echo(
            f"likelier than never seen: {again.probability:.3g} per token, never seen at most "
            f"{again.top:.3g}"
            + (f"; above every holdout answer: {_named(again.above)}" if again.above else "")
        )
    if again.unjudged:
        typer.echo(f"given, but may be guessed: {_named(again.unjudged)}")


def _named(ids: tuple[str, ...]) -> str:
    more = f" and {len(ids) - FEW} more" if len(ids) > FEW else ""
    return ", ".join(ids[:FEW]) + more
