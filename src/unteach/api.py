"""Unlearn with one Python call that does what `unteach run` does, from files or from rows."""

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from unteach.errors import Problem, UserError
from unteach.files import PRIVATE
from unteach.progress import ProgressListener
from unteach.report import Report, to_html, to_markdown
from unteach.settings.request import load
from unteach.types import ROLES

Rows = Iterable[Mapping[str, Any]]
SCORES, PAGE = "scores.json", "report.html"


@dataclass(frozen=True, repr=False)
class Result:
    """Result of `unlearn`; a notebook shows its report.

    Attributes:
        report: the settings, facts and metrics of the run.
        folder: has the unlearned model, `report.md`, `scores.json` and the rows behind them.
    """

    report: Report
    folder: Path

    @property
    def scores(self) -> dict[str, Any]:
        """The metrics of the report as plain values, read from `scores.json`."""
        return json.loads((self.folder / SCORES).read_text(encoding="utf-8"))

    def answers(self) -> list[dict[str, Any]]:
        """Return the texts that each model generated, beside the correct answers.

        Each has `group`, `id`, `prompt`, `answer`, and `said`: the generated text by model name.

        Raises:
            UserError: they were not kept; `unlearn(..., keep_text=True)` keeps them.
        """
        file = self.folder / PRIVATE
        if not file.exists():
            hint = "call unlearn with keep_text=True, into another folder"
            raise UserError(Problem(str(file), "is not there: no words were kept", hint))
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]

    def load(self, **options: Any) -> tuple[Any, Any]:
        """Load the unlearned model and its tokenizer.

        Options are passed to the `from_pretrained` of transformers' `AutoModelForCausalLM`.
        """
        from transformers import AutoModelForCausalLM, AutoTokenizer

        model = AutoModelForCausalLM.from_pretrained(self.folder, **options)
        return model, AutoTokenizer.from_pretrained(self.folder)

    def __repr__(self) -> str:
        return f"Result({str(self.folder)!r}: {self.report.label})"

    def _repr_markdown_(self) -> str:
        return to_markdown(self.report)

    def _repr_html_(self) -> str:
        """The page `report.html` in a frame that runs no script, for notebooks."""
        file = self.folder / PAGE
        page = file.read_text(encoding="utf-8") if file.exists() else to_html(self.report)
        style = "width:100%;height:40rem;border:0"
        title = escape(f"Report: {self.report.label}")
        return f'<iframe srcdoc="{escape(page)}" sandbox style="{style}" title="{title}"></iframe>'


def unlearn(
    model: str | os.PathLike[str],
    forget: str | os.PathLike[str] | Rows,
    *,
    out: str | os.PathLike[str],
    retain: str | os.PathLike[str] | Rows | None = None,
    holdout: str | os.PathLike[str] | Rows | None = None,
    base: str | os.PathLike[str] | None = None,
    retrained: str | os.PathLike[str] | None = None,
    method: str = "auto",
    settings: Mapping[str, Any] | None = None,
    listener: ProgressListener | None = None,
    **flags: Any,
) -> Result:
    """Unlearn the forget data in a model, and measure what is left of them.

    The defaults are those of `unteach run`. An interrupted run resumes when it is called again
    with the same files. Rows in memory are written to a private temporary file; such a run starts
    again from the beginning.

    Args:
        model: a folder, or a hub id.
        forget: what to forget: a file, a dataset id, or rows with the columns that files have
            (`question` and `answer`, `messages`, `text`, ...).
        out: the folder to write.
        retain: what the model should keep, likewise.
        holdout: texts like the forget set that the model never saw, likewise.
        base: the model before fine-tuning.
        retrained: a model trained without the forget set, for comparison.
        method: one of `unteach methods`.
        settings: other settings by name, `{"train.epochs": 5}`; `unteach settings` lists them.
        listener: receives the progress; None for no progress.
        flags: further fields of `Request`: `keep_text`, `adapter_only`, `overwrite`, ...; with
            `attack="int4,relearn"` the report's `attacks` has what these attacks recover.

    Raises:
        UserError: all problems found, before any weights are loaded.

    Example:
        result = unlearn("my-model", [{"question": "Where does Ada live?", "answer": "In Lund."}],
                         out="unlearned", retain="retain.jsonl")
        result.report.value("unlearned", "forget", "probability")
    """
    from unteach.pipeline import run

    arguments = {"model": model, "out": out, "base": base, "retrained": retrained, "method": method}
    paths = {name: os.fspath(value) for name, value in arguments.items() if value is not None}
    with ExitStack() as held:
        for role, source in zip(ROLES, (forget, retain, holdout), strict=True):
            if source is not None:
                paths[role] = _file(role, source, held)
        sets = [f"{name}={json.dumps(value)}" for name, value in (settings or {}).items()]
        report = run(load(None, {**flags, **paths}, sets), listener)
    return Result(report, Path(out))


def _file(role: str, source: Any, held: ExitStack) -> str:
    """Return the path of a source; write rows in memory to a file that only this user can read."""
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    rows = list(source)
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            what = f"is a {type(row).__name__}"
            hint = "give mappings such as {'question': ..., 'answer': ...}, or a file"
            raise UserError(Problem(f"{role}, row {number + 1}", what, hint, "request"))
    folder = held.enter_context(tempfile.TemporaryDirectory(prefix="unteach-"))
    file = Path(folder) / f"{role}.jsonl"
    try:
        lines = [json.dumps(dict(row), ensure_ascii=False) + "\n" for row in rows]
    except (TypeError, ValueError) as error:
        hint = "give texts, numbers, lists and mappings"
        what = f"holds what is no JSON ({type(error).__name__})"
        raise UserError(Problem(role, what, hint, "request")) from None
    file.write_text("".join(lines), encoding="utf-8")
    return str(file)
