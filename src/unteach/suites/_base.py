"""Define what a suite is: its name, version, examples, prompt settings and options."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unteach.errors import Problem
from unteach.registry import Registry, import_all
from unteach.types import Example, Paper, Score


@dataclass(frozen=True, kw_only=True)
class AskSettings:
    """Settings for scoring and generation; a group may override some of them.

    Attributes:
        max_length: maximum number of tokens of one text.
        template: how prompt and answer are joined.
        max_new_tokens: maximum number of tokens of a generated answer.
        tokens_per_batch: padded tokens of one forward; a generation batch has at least twice as
            many (`inference.budget`), since a decoding step has logits for one token per row.
    """

    max_length: int
    template: str = "auto"
    max_new_tokens: int = 256
    tokens_per_batch: int = 4096


@dataclass(frozen=True, kw_only=True)
class Group:
    """Examples that are evaluated with the same settings.

    Attributes:
        examples: the examples of the group.
        template: how prompt and answer are joined; empty takes that of the settings.
        score: whether the given answers are scored by teacher forcing.
        generate: whether the model generates an answer to each prompt.
        new_tokens: maximum number of generated tokens; None is twice the length of the given
            answer. Never above the `max_new_tokens` of the settings.
        stop: strings that end a generated answer (see `until`).
        compared: number of tokens of the given answer, from its start, that the generated one is
            compared with; None for all.
        stemmed: whether that comparison stems words (ROUGE's `use_stemmer`).
        notes: notes from reading the group's file.
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
    r"""Cut a generated text before its first stop string; without one it is returned unchanged.

    Example:
        >>> until("Lund.\n\nQuestion: Who?", ("Question:", "\n\n"))
        'Lund.'
    """
    places = [said.find(text) for text in stop if text in said]
    return said[: min(places)] if places else said


@dataclass(frozen=True, kw_only=True)
class SuiteOption:
    """An option of a suite, with its default and its allowed values.

    Attributes:
        help: one line.
        default: the value when the option is not given.
        values: allowed values; empty allows any.
    """

    help: str
    default: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A benchmark: examples by group, and the settings to evaluate them with.

    Attributes:
        name: as on the command line.
        version: raised whenever a number could change.
        help: one sentence.
        options: by name (`split`, `corpus`, ...).
        read: function from the folder of local files (None for the hub) and the options to groups.
            Raises UserError with all wrong files and options at once.
        harness: for a suite that runs its own evaluation and has no rows: function from a model,
            its tokenizer, the options and `progress` to scores by task and metric. The `read` of
            such a suite only checks and returns no groups.
        settings: overrides of `AskSettings`, by field.
        papers: sources of the benchmark.
        training: for a suite whose files can be trained on: function from the folder of local
            files (None for the hub) and the options to a file or dataset id by role ("forget",
            "retain", "holdout"), and by the name of each further group that is only asked.
    """

    name: str
    version: int
    help: str
    read: Callable[[Path | None, Mapping[str, str]], dict[str, Group]]
    harness: Callable[..., dict[str, dict[str, Score]]] | None = None
    options: Mapping[str, SuiteOption] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    papers: tuple[Paper, ...] = ()
    training: Callable[[Path | None, Mapping[str, str]], dict[str, str]] | None = None


SUITES: Registry[Suite] = Registry("suite", fill=lambda: import_all("unteach.suites"))
