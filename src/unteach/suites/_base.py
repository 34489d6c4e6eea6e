"""What a suite is: a name, a version, where its questions come from, and how they are put."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unteach.errors import Problem
from unteach.registry import Registry, import_all
from unteach.types import Example, Paper, Score


@dataclass(frozen=True, kw_only=True)
class AskSettings:
    """How questions are put, unless a group says otherwise.

    Attributes:
        max_length: tokens of one text.
        template: how prompt and answer are joined.
        max_new_tokens: the longest greedy answer.
        tokens_per_batch: padded tokens of one forward; a batch of greedy answers has twice as many
            or more (`inference.budget`), since a step has the logits of one token a row.
    """

    max_length: int
    template: str = "auto"
    max_new_tokens: int = 256
    tokens_per_batch: int = 4096


@dataclass(frozen=True, kw_only=True)
class Group:
    """Examples that are asked alike.

    Attributes:
        examples: what is asked.
        template: how prompt and answer are joined; empty takes the settings'.
        score: whether the given answers are scored by teacher forcing.
        generate: whether the model is asked for its own answer.
        new_tokens: the longest answer of its own; None is twice the given answer's length. Never
            above the settings' `max_new_tokens`.
        stop: texts before which the model's own answer ends (see `until`).
        compared: tokens of the given answer, from its start, that its own is compared with; None
            for all.
        stemmed: whether that comparison takes words by their stems (ROUGE's `use_stemmer`).
        notes: what was said of its file while it was read.
    """

    examples: list[Example]
    template: str = ""
    score: bool = True
    generate: bool = True
    new_tokens: int | None = None
    stop: tuple[str, ...] = ()
    compared: int | None = None
    stemmed: bool = True
    notes: tuple[Problem, ...] = ()


def until(said: str, stop: tuple[str, ...]) -> str:
    r"""What was said before the first of the texts that end it; all of it where none is there.

    Example:
        >>> until("Lund.\n\nQuestion: Who?", ("Question:", "\n\n"))
        'Lund.'
    """
    places = [said.find(text) for text in stop if text in said]
    return said[: min(places)] if places else said


@dataclass(frozen=True, kw_only=True)
class SuiteOption:
    """An option of a suite: what it decides, its default, and what it may be.

    Attributes:
        help: one line.
        default: the value when it is not given.
        values: what it may be; none for anything.
    """

    help: str
    default: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A benchmark: questions by group, and how they are put.

    Attributes:
        name: as on the command line.
        version: raised whenever a number could change.
        help: one sentence.
        options: by name (`split`, `corpus`, ...).
        read: from the folder of local files (None for the hub) and the options to groups. Raises
            UserError for every file or option that is wrong, all at once.
        harness: for a suite that asks by itself, and has no rows: from a model, its tokenizer, the
            options and `progress` to scores by task and metric. Its `read` checks, and gives no
            groups.
        settings: overrides of `Settings`, by field.
        papers: where it comes from.
    """

    name: str
    version: int
    help: str
    read: Callable[[Path | None, Mapping[str, str]], dict[str, Group]]
    harness: Callable[..., dict[str, dict[str, Score]]] | None = None
    options: Mapping[str, SuiteOption] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    papers: tuple[Paper, ...] = ()


SUITES: Registry[Suite] = Registry("suite", fill=lambda: import_all("unteach.suites"))
