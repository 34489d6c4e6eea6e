"""Read examples from a file, a dataset id or rows in memory, and collect all their problems."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from unteach.data.listing import shortened
from unteach.data.readers.json_lines import Record
from unteach.data.readers.limits import numbered, too_long
from unteach.data.readers.memory import memory_rows
from unteach.data.readers.sources import records
from unteach.data.records.file_notes import FileNotes
from unteach.data.records.forms import example_of
from unteach.errors import Problem, UserError
from unteach.types import Example, Turn

logger = logging.getLogger(__name__)


def read(source: str | Path, role: str) -> tuple[list[Example], list[Problem]]:
    """Read the examples of a file or a dataset id, and collect all its problems.

    Args:
        source: a .jsonl, .json, .csv, .tsv, .parquet, .arrow or .txt file, a folder written by
            `save_to_disk`, or a dataset id: `owner/name[:config[:split]][@revision]`.
        role: name of the group: "forget", "retain", "holdout", or another.
    """
    found, problems = records(str(source))
    examples, more = _examples(found, role, str(source))
    return examples, shortened([*problems, *more])


def read_rows(rows: Any, role: str, *, source: str = "") -> list[Example]:
    """Make examples from rows in memory with the columns that files have; log the notes.

    Args:
        rows: one mapping per example; also a `datasets.Dataset` or a pandas data frame.
        role: name of the group.
        source: name of the rows in messages; by default `forget rows` for the role "forget".

    Raises:
        UserError: all problems of the rows.

    Example:
        >>> (example,) = read_rows([{"question": "Who?", "answer": "Ada."}], "forget")
        >>> example.id, example.answer
        ('forget-0', 'Ada.')
    """
    source = source or f"{role} rows"
    found = numbered(memory_rows(rows, source), source)
    examples, problems = _examples(found, role, source)
    if any(problem.kind != "note" for problem in problems):
        raise UserError(*shortened([p for p in problems if p.kind != "note"]))
    for note in problems:
        logger.warning(str(note))
    return examples


def with_answer(example: Example, answer: str) -> Example:
    """Replace the last supervised turn of an example by another answer.

    The thoughts, tool calls and spans of that turn and all later turns are dropped. An example
    without a supervised turn is returned unchanged.
    """
    if not example.turns:
        return replace(example, text=answer, spans=())
    if example.answer_turn is None:
        return example
    turns = *example.turns[: example.answer_turn], Turn("assistant", answer)
    return replace(example, turns=turns, spans=())


def _examples(found: list[Record], role: str, source: str) -> tuple[list[Example], list[Problem]]:
    examples: list[Example] = []
    problems: list[Problem] = []
    notes = FileNotes()
    for number, (where, record) in enumerate(found):
        made = example_of(record, f"{role}-{number}", where, notes)
        if isinstance(made, Example):
            texts = (made.text, *(turn.text for turn in made.turns))
            wrong = [problem for text in texts if (problem := too_long(text, where))]
            problems += wrong
            examples += [] if wrong else [made]
        else:
            problems += made
    return examples, [*notes.mixed(source), *problems, *notes.problems(source, len(examples))]
