"""`unteach score`: compute the scores again from stored rows."""

from pathlib import Path
from typing import Annotated, Literal

from unteach.cli import _options as options
from unteach.cli._json import show_document
from unteach.cli._options import argument, option


def score(
    folder: Annotated[Path, argument("A folder that `evaluate` or `run` wrote.", "DIR")],
    out: Annotated[Path, option("The folder to write to.", "DIR")],
    compat: Annotated[
        Literal["open-unlearning"] | None,
        option("Also compute that project's variants of the metrics."),
    ] = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
) -> None:
    """Compute scores and report again from the rows in a folder, without model, torch or data.

    Examples:
      $ unteach score unlearned --out scores
      $ unteach score evaluation --out scores --compat open-unlearning
    """
    from unteach.cli._show import say, show_table
    from unteach.evaluation.rescore import rescore
    from unteach.report import to_json

    report = rescore(folder, out, compat=compat or "", overwrite=overwrite)
    if json:
        show_document(to_json(report))
    else:
        show_table(report)
    say(f"scores, report.html and report.md are in {out}")
