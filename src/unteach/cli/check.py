"""`unteach check`: report every problem of a request before any weights are loaded."""

from typing import Any

from unteach.cli import _options as options
from unteach.cli._json import show_json


@options.takes(options.RUN)
def check(json: options.Json = False, **flags: Any) -> None:
    """Check a request as `run` would: files, columns, lengths, overlaps, options, folders.

    Takes the same options as `run`, and reports all problems together. Loads no weights and uses
    no accelerator.

    Examples:
      $ unteach check --model DIR_OR_ID --forget forget.jsonl --out unlearned
      $ unteach check request.yaml

    Exit codes:
      0  `run` can start
      1  the data are wrong
      2  the request is wrong
    """
    asked = options.request_of(flags)
    from unteach.attacks._in_run import checked
    from unteach.cli._show import intake_values, say_problems, show_intake

    intake = checked(asked)
    if json:
        show_json(intake_values(intake))
        return
    say_problems(intake.notes)
    show_intake(intake)
