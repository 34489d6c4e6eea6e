"""`unteach explain`: show which tokens a method selects, or what its teacher says."""

import tempfile
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unteach.cli import _complete as complete
from unteach.cli import _options as options
from unteach.cli._json import show_json
from unteach.cli._options import option
from unteach.errors import Problem, UserError
from unteach.escaping import visible
from unteach.types import Sequence

if TYPE_CHECKING:
    from unteach.cli._taught import Level
    from unteach.settings.request import Request

SHOWN = {
    "selected",
    "teacher_logits",
    "teacher_targets",
}  # fields read by the methods that can be shown
END = "<end>"  # shown for a selected end-of-answer token


@options.takes(
    "request model forget retain holdout base method max_ set_ plugin trust_remote_code ..."
)
def explain(
    method: Annotated[
        str | None,
        option(
            "unseen, whp, dto, palu, or undial with a focus.",
            "NAME",
            autocompletion=complete.method_names,
        ),
    ] = None,
    max_: Annotated[
        int | None,
        option(
            "Number of answers to show; by default 20, or 5 with a teacher.", flags="--max", min=1
        ),
    ] = None,
    json: options.Json = False,
    **flags: Any,
) -> None:
    """Show the tokens of the forget answers that a method selects, or its teacher's distribution.

    For dto, palu and undial with a focus: the selected tokens (`unteach selectors` lists other
    selectors). For unseen, whp and undial with a holdout: where the teacher comes from, which names
    replace which, and the teacher's probabilities beside the model's; give --base, --retain and
    --holdout as you would to `run`. The texts are printed to stdout; no file is written.

    Examples:
      $ unteach explain --model DIR_OR_ID --forget forget.jsonl --retain retain.jsonl
      $ unteach explain --model DIR_OR_ID --forget forget.jsonl --method dto
        --set method.selector=subject
      $ unteach explain --model DIR_OR_ID --forget forget.jsonl --method undial
        --set method.focus=informative --max 5
    """
    nowhere = Path(tempfile.gettempdir()) / "unteach-explain-writes-nothing"
    asked = options.request_of(flags, method=method, out=nowhere)
    from unteach.cli._show import hush, say

    _foresee_choice(asked)
    say("starting (loading libraries takes a few seconds)")
    from unteach.checks.automatic import method_of
    from unteach.checks.request import check
    from unteach.cli._taught import show_teacher
    from unteach.methods import load_plugin

    hush()
    for file in asked.plugins:
        load_plugin(file)
    _require_choice(method_of(asked))  # before any data are read
    intake = check(asked)
    if "selected" not in intake.method.needs() and intake.method.reads_teacher():
        show_teacher(intake, max_ or 5, json=json)
        return
    _require_choice(intake.method)  # "auto" may have been resolved to another method
    _show_selection(intake, max_ or 20, json=json)


def _show_selection(intake: Any, most: int, *, json: bool) -> None:
    """Print the tokens of the first answers that a method selects."""
    from unteach.cli._taught import level_reader, original
    from unteach.training.selection import require_some, select_tokens

    forget_set, seed = intake.sequences["forget"], intake.request.train.seed
    model = original(intake.request)
    found = select_tokens(intake.method, model, intake.tokenizer, forget_set, seed=seed)
    level = level_reader(intake, model)
    choices, levels = [], []
    for sequence, choice in zip(forget_set, islice(found, most), strict=False):
        choices.append(choice)
        levels.append(level(len(levels), choice))
        if not json:
            _show(sequence, choice.chosen, levels[-1])
    if len(choices) == len(forget_set):
        require_some(intake.method, choices)
    shown, more = forget_set[: len(choices)], len(forget_set) - len(choices)
    if json:
        answers = [_plain(s, c.chosen, p) for s, c, p in zip(shown, choices, levels, strict=True)]
        show_json({"method": intake.method.name, "answers": answers, "not_shown": more})
        return
    tokens = sum(len(choice.chosen) for choice in choices)
    empty = sum(not choice.chosen for choice in choices)
    rest = f"; {more} more {'is' if more == 1 else 'are'} not shown (--max)" if more else ""
    if any(levels):
        typer.echo("p of the selected tokens: under the model -> the level where they should end")
    typer.echo(
        f"{tokens} of {sum(sum(s.answer) for s in shown)} answer tokens are selected; "
        f"{empty} of {len(shown)} answers have none{rest}"
    )


def _foresee_choice(asked: "Request") -> None:
    """Refuse a method with nothing to show before libraries are loaded, if its header tells."""
    from unteach.methods._headers import HEADERS

    name = asked.method_name
    if name == "auto" or name not in HEADERS or HEADERS.get(name).reads & SHOWN or asked.holdout:
        return
    if asked.method_options.get("focus", "none") == "none":
        raise UserError(_no_choice(name))


def _require_choice(method: Any) -> None:
    """Refuse a method that selects no tokens and has no teacher."""
    if not method.needs() & SHOWN:
        raise UserError(_no_choice(method.name))


def _no_choice(name: str) -> Problem:
    from unteach.methods._headers import HEADERS

    known = [name for name in HEADERS if HEADERS.get(name).reads & SHOWN]
    hint = f"these do: --method {', '.join(known)}, and undial with --set method.focus=informative"
    hint += " or with --holdout"
    what = f"{name} selects no tokens and has no teacher: it acts on whole answers"
    return Problem("--method", what, hint, "request")


def _show(sequence: Sequence, chosen: frozenset[int], level: "Level | None") -> None:
    """Print one answer with its selected tokens: in reverse on a terminal, else in brackets."""
    from rich.console import Console
    from rich.text import Text

    console = Console(soft_wrap=True, highlight=False)
    ends = f"  p {level.own:.2f} -> {level.taught:.2f}" if level else ""
    typer.echo(f"{sequence.id}: {len(chosen)} of {sum(sequence.answer)} tokens{ends}")
    for part in pieces(sequence, chosen):
        line = Text("  ")
        for text, is_chosen in part:
            text = "\n  ".join(map(visible, text.split("\n")))
            if is_chosen and console.is_terminal:
                line.append(text, "bold reverse")
            else:
                line.append(f"[{text}]" if is_chosen else text)
        console.print(line)


def _plain(sequence: Sequence, chosen: frozenset[int], level: "Level | None") -> dict[str, Any]:
    """Return one answer as plain values: its pieces, each with whether it is selected."""
    turns = [
        [{"text": text, "selected": is_chosen} for text, is_chosen in part]
        for part in pieces(sequence, chosen)
    ]
    counts = {"tokens": sum(sequence.answer), "selected": len(chosen)}
    ends = {"probability": level.own, "teacher_probability": level.taught} if level else {}
    return {"id": sequence.id, **counts, **ends, "turns": turns}


def pieces(sequence: Sequence, chosen: frozenset[int]) -> list[list[tuple[str, bool]]]:
    """Split the answers of a sequence into pieces of text, each with whether it is selected.

    Example:
        >>> said = Sequence("forget-0", (5, 6, 7, 1), (False, True, True, True),
        ...                 text="Who? Ada, Bo", offsets=((0, 4), (4, 8), (8, 12), (12, 12)))
        >>> pieces(said, frozenset({1, 3}))
        [[('Ada', True), (', Bo', False), ('<end>', True)]]
    """
    from unteach.selectors import answer_parts, bare

    marked: set[int] = set()
    for place in chosen:
        first, last = bare(sequence.text, *sequence.offsets[place])
        if place - 1 in chosen:  # include the blank between two selected words
            first = sequence.offsets[place][0]
        marked |= set(range(first, last))
    parts = [
        [
            ("".join(sequence.text[i] for i in run), is_chosen)
            for is_chosen, run in groupby(range(first, last), key=marked.__contains__)
        ]
        for first, last in answer_parts(sequence)
    ]
    ends = [place for place in chosen if sequence.offsets[place][0] == sequence.offsets[place][1]]
    if parts and ends:
        parts[-1].append((END, True))
    return parts
