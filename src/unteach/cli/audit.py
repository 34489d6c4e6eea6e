"""`unteach audit`: find out which records a model was trained on."""

from pathlib import Path
from typing import Annotated, Any

import typer

from unteach.cli import _options as options
from unteach.cli._json import show_document
from unteach.cli._options import option

KNOWN = 3  # exit code if the model knows a record


@options.takes(
    "... template max_new_tokens tokens_per_batch dtype device bits no_cache overwrite "
    "trust_remote_code json"
)
def audit(
    model: Annotated[str, option("The model to audit.", "DIR_OR_ID")],
    forget: Annotated[str, option("Records that it may have been trained on.", "FILE")],
    holdout: Annotated[str, option("Similar records that the model never saw.", "FILE")],
    out: Annotated[
        Path | None, option("Also write audit.md and audit.json to this folder.", "DIR")
    ] = None,
    write_known: Annotated[
        Path | None,
        option(
            "Also write the records that the model knows, with their texts, to this file.",
            "FILE.jsonl",
        ),
    ] = None,
    level: Annotated[
        float,
        option("Expected share of wrong decisions among the known records.", min=0.001, max=0.5),
    ] = 0.05,
    samples: Annotated[
        int, option("Answers to sample to each question; 0 samples none.", min=0)
    ] = 8,
    reference_model: Annotated[
        str | None,
        option("The base model, if --model holds adapters only.", "DIR_OR_ID", options.COMPUTING),
    ] = None,
    no_cache: Annotated[
        bool,
        option("Neither read nor write cached rows.", None, options.COMPUTING, flags="--no-cache"),
    ] = False,
    json: options.Json = False,
    **how: Any,
) -> None:
    """Decide for each record whether the model knows it; nothing is trained.

    Each record is known, not distinguishable from records that the model never saw, or undecided.

    Examples:
      $ unteach audit --model DIR_OR_ID --forget records.jsonl --holdout holdout.jsonl
      $ unteach audit --model DIR_OR_ID --forget records.jsonl --holdout holdout.jsonl
        --out audit --write-known forget.jsonl

    Exit codes:
      0  the model knows none of the records
      1  something failed
      2  the command is wrong; nothing was started
      3  the model knows some of the records
    """
    from unteach.cli._show import say, working
    from unteach.evaluation.audit import MODEL, nowhere
    from unteach.evaluation.audit import audit as find
    from unteach.evaluation.cache import default_folder
    from unteach.evaluation.request import evaluation_request

    request = evaluation_request(
        models={MODEL: model},
        out=out or nowhere(),
        options={"forget": forget, "holdout": holdout},
        original=reference_model,
        cache=None if no_cache else default_folder(),
        **how,
    )
    with working() as listener:
        found = find(
            request, listener, level=level, samples=samples, write=bool(out), known=write_known
        )
    _show(found, json=json)
    if out:
        say(f"audit.md and audit.json are in {out}")
    if write_known:
        say(
            f"{write_known} holds the {len(found.known)} records that are known, as texts"
            if found.known
            else f"nothing is known, so {write_known} was not written"
        )
    if found.known:
        raise typer.Exit(KNOWN)


def _show(found: Any, *, json: bool) -> None:
    """Print the conclusion first, then reasons to doubt it, then the numbers."""
    from unteach.cli._show import show_grid, show_lines
    from unteach.report import audited

    if json:
        show_document(audited.audit_json(found))
        return
    show_lines([audited.sentence(found)], "bold")
    show_lines(audited.warnings(found), "yellow")
    answers = audited.glance_rows(found)
    show_grid([row[:2] for row in answers])
    show_grid(audited.score_rows(found))
    show_lines([f"known: {answers[1][2]}"] if found.known else [])
    show_lines(audited.size_lines(found), "dim")
