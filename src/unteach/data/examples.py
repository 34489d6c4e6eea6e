"""Examples of a file, a dataset id or rows in memory, and everything that is wrong with them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from unteach.data.bounds import too_long
from unteach.data.forms import example_of, form_of
from unteach.data.listing import shortened
from unteach.data.sources import Record, records
from unteach.nouns import Example, Problem, Turn, UserError


def read(source: str | Path, role: str) -> tuple[list[Example], list[Problem]]:
    """The examples of a file or a dataset id, and everything that is wrong with it.

    Args:
        source: a .jsonl, .json, .csv, .parquet or .txt file, or a dataset id:
            `owner/name[:config[:split]][@revision]`.
        role: what they are for: "forget", "retain", "holdout", or any other group's name.
    """
    found, problems = records(str(source))
    examples, more = _examples(found, role, str(source))
    return examples, shortened([*problems, *more])


def read_rows(rows: Iterable[Mapping[str, Any]], role: str, *, source: str = "") -> list[Example]:
    """Examples from rows in memory, with the columns that files have.

    Args:
        rows: one mapping per example.
        role: what they are for.
        source: what messages call them; `forget rows` when nothing is given.

    Raises:
        UserError: all that is wrong with them.

    Example:
        >>> (example,) = read_rows([{"question": "Who?", "answer": "Ada."}], "forget")
        >>> example.id, example.answer
        ('forget-0', 'Ada.')
    """
    source = source or f"{role} rows"
    found = [(f"{source}, row {k}", row) for k, row in enumerate(rows, 1)]
    examples, problems = _examples(found, role, source)
    if problems:
        raise UserError(*shortened(problems))
    return examples


def with_answer(example: Example, answer: str) -> Example:
    """The same example with another answer at its end; marks of the answer before are dropped."""
    if not example.turns:
        return replace(example, text=answer, spans=())
    turns = *example.turns[:-1], Turn(example.turns[-1].role, answer)
    return replace(example, turns=turns, spans=())


def _examples(found: list[Record], role: str, source: str) -> tuple[list[Example], list[Problem]]:
    examples: list[Example] = []
    problems: list[Problem] = []
    forms: dict[tuple[str, ...], str] = {}
    for number, (where, record) in enumerate(found):
        form = ("text",) if isinstance(record, str) else form_of(record)
        if form:
            forms.setdefault(form, where)
        made = example_of(record, f"{role}-{number}", where)
        if isinstance(made, Example):
            texts = (made.text, *(turn.text for turn in made.turns))
            wrong = [problem for text in texts if (problem := too_long(text, where))]
            problems += wrong
            examples += [] if wrong else [made]
        else:
            problems += made
    if len(forms) > 1:
        listed = ", ".join(f"{'/'.join(form)} ({where})" for form, where in forms.items())
        problems.insert(0, Problem(source, f"mixes columns: {listed}", "use one form in a file"))
    return examples, problems
