"""Tokenize the examples of a suite into texts to score and prompts to generate from."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from unteach.data import ReadExample, with_answer
from unteach.data.listing import shortened
from unteach.errors import Problem, UserError
from unteach.suites._base import AskSettings, Group
from unteach.suites.generated import begun
from unteach.suites.rounding import blocks
from unteach.types import Example, Row, Sequence


class GenerationPrompt(NamedTuple):
    """A prompt to generate from.

    Attributes:
        ids: token ids of the prompt.
        limit: maximum number of new tokens.
    """

    ids: tuple[int, ...]
    limit: int


@dataclass(frozen=True, kw_only=True)
class Question:
    """A row to be filled, or one window of it.

    Attributes:
        group: name of its group.
        row: its id, kind, index and size of text, other fields empty; shared by all windows.
        text: the tokens to score, without an id, so that equal texts are equal; None for none.
        prompt: the prompt to generate from; None for none.
        expected: the expected answer.
        fact: the short string that the answer must contain; empty when it is not known.
        ends: whether the expected answer has an end; the continuation of a raw text has none.
        stop: strings that end the generated answer.
        stemmed: whether words are compared by their stems.
    """

    group: str
    row: Row
    text: Sequence | None = field(default=None, repr=False)
    prompt: GenerationPrompt | None = field(default=None, repr=False)
    expected: str = field(default="", repr=False)
    fact: str = field(default="", repr=False)
    ends: bool = True
    stop: tuple[str, ...] = field(default=(), repr=False)
    stemmed: bool = True

    @property
    def own(self) -> bool:
        """Whether it is about the example's own answer, not a paraphrase or wrong answer."""
        return self.row.kind == "answer"


def questions(groups: dict[str, Group], tokenizer: Any, settings: AskSettings) -> list[Question]:
    """The rows to fill, in order: each example's answer, paraphrase and wrong answers.

    A text longer than the context gives a question for each window, in their order; only the first
    one has a prompt.

    Raises:
        UserError: a chat template is missing, the tokenizer is a slow one, or the template refuses
            examples.
    """
    result, problems = list[Question](), list[Problem]()
    for name, group in groups.items():
        for example in group.examples:
            try:
                result += _of_example(name, group, example, tokenizer, settings)
            except UserError as error:
                problems += error.problems
                if any(problem.where != example.where for problem in error.problems):
                    raise  # not about this example, so every example would raise the same
    if problems:
        raise UserError(*shortened(problems))
    return result


def _of_example(
    name: str, group: Group, example: Example, tokenizer: Any, settings: AskSettings
) -> Iterator[Question]:
    template = group.template or settings.template
    size, more = size_of(example.answer), {}

    def read(one: Example) -> ReadExample:
        return ReadExample(one, tokenizer, max_length=settings.max_length, template=template)

    for row, text in _variants(example, size) if group.score else ():
        found = read(text)
        if group.generate and row.kind == "answer":
            more = _prompt_fields(group, example, found, tokenizer, settings)
        for window in found.encoded().sequences:
            if any(window.answer):
                bare = Sequence("", window.ids, window.answer)
                first = row.kind == "answer" and window.id == example.id
                yield Question(group=name, row=row, text=bare, **(more if first else {}))
    if not group.score:
        if group.generate:
            more = _prompt_fields(group, example, read(example), tokenizer, settings)
        yield Question(group=name, row=Row(id=example.id, zlib=size), **more)


def size_of(text: str) -> int:
    """Compressed size of a text in bytes (zlib), rounded up so that it does not reveal its length.

    Example:
        >>> size_of("so " * 20), size_of("")
        (16, 8)
    """
    return blocks(len(zlib.compress(text.encode())))


def _variants(example: Example, size: int) -> list[tuple[Row, Example]]:
    variants = [(Row(id=example.id, zlib=size), example)]
    if example.paraphrase:
        row = Row(id=example.id, kind="paraphrase")
        variants.append((row, with_answer(example, example.paraphrase)))
    variants += [
        (Row(id=example.id, kind="perturbed", index=k), with_answer(example, wrong))
        for k, wrong in enumerate(example.perturbed)
    ]
    return variants


def _prompt_fields(
    group: Group, example: Example, read: ReadExample, tokenizer: Any, settings: AskSettings
) -> dict[str, Any]:
    """The fields of a question for generation; empty when there is no prompt to generate from."""
    ids, expected, tokens = read.question()
    if not (ids and expected and tokens):
        return {}
    wanted = 2 * tokens if group.new_tokens is None else group.new_tokens
    prompt = GenerationPrompt(ids, min(wanted, settings.max_new_tokens))
    return {
        "prompt": prompt,
        "expected": begun(expected, tokenizer, group.compared),
        "fact": example.fact,
        "ends": bool(example.turns),
        "stop": group.stop,
        "stemmed": group.stemmed,
    }
