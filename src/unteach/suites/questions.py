"""From the examples of a suite to rows that are to be filled: what is scored, what is asked."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from unteach.data import encode, question, with_answer
from unteach.data.listing import shortened
from unteach.errors import Problem, UserError
from unteach.suites._base import AskSettings, Group
from unteach.suites.generated import begun
from unteach.suites.rounding import blocks
from unteach.types import Example, Row, Sequence


class GenerationPrompt(NamedTuple):
    """What a model is asked.

    Attributes:
        ids: its tokens.
        limit: the most new tokens.
    """

    ids: tuple[int, ...]
    limit: int


@dataclass(frozen=True, kw_only=True)
class Question:
    """A row that is to be filled, or a window of it.

    Attributes:
        group: where it stands.
        row: its id, kind and index, and the size of its text; the windows of a long text share it.
        text: the tokens that are scored, with no id: equal ones are one text; None for none.
        prompt: what the model is asked; None for nothing.
        expected: what it should say.
        fact: the short string that this hinges on; empty when it is not known.
        ends: whether what it should say has an end; a raw text just goes on.
        stop: texts before which what it says is cut.
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
        """Whether it is about the user's own answer, not one in its place."""
        return self.row.kind == "answer"


def questions(groups: dict[str, Group], tokenizer: Any, settings: AskSettings) -> list[Question]:
    """The rows to be filled, in order: each example's answer, paraphrase and wrong answers.

    A text longer than the context gives a question for each window, in their order; the model is
    asked on the first.

    Raises:
        UserError: a template is not there, the tokenizer is a slow one, or all examples that the
            template refuses.
    """
    found, problems = list[Question](), list[Problem]()
    for name, group in groups.items():
        for example in group.examples:
            try:
                found += _of_example(name, group, example, tokenizer, settings)
            except UserError as error:
                problems += error.problems
                if any(problem.where != example.where for problem in error.problems):
                    raise  # not this example's fault, so all would say it again
    if problems:
        raise UserError(*shortened(problems))
    return found


def _of_example(
    name: str, group: Group, example: Example, tokenizer: Any, settings: AskSettings
) -> Iterator[Question]:
    template = group.template or settings.template
    more = _asked(group, example, tokenizer, settings, template) if group.generate else {}
    size = size_of(example.answer)
    if not group.score:
        yield Question(group=name, row=Row(id=example.id, zlib=size), **more)
        return
    for row, text in _variants(example, size):
        for found in encode(text, tokenizer, max_length=settings.max_length, template=template):
            if any(found.answer):
                bare = Sequence("", found.ids, found.answer)
                first = row.kind == "answer" and found.id == example.id
                yield Question(group=name, row=row, text=bare, **(more if first else {}))


def size_of(text: str) -> int:
    """Bytes of a text under zlib, in whole blocks: exact ones would tell how long it is.

    Example:
        >>> size_of("so " * 20), size_of("")
        (16, 8)
    """
    return blocks(len(zlib.compress(text.encode())))


def _variants(example: Example, size: int) -> list[tuple[Row, Example]]:
    found = [(Row(id=example.id, zlib=size), example)]
    if example.paraphrase:
        row = Row(id=example.id, kind="paraphrase")
        found.append((row, with_answer(example, example.paraphrase)))
    found += [
        (Row(id=example.id, kind="perturbed", index=k), with_answer(example, wrong))
        for k, wrong in enumerate(example.perturbed)
    ]
    return found


def _asked(
    group: Group, example: Example, tokenizer: Any, settings: AskSettings, template: str
) -> dict[str, Any]:
    """The fields of a question that are about what the model says; none when it cannot be asked."""
    ids, expected, tokens = question(
        example, tokenizer, max_length=settings.max_length, template=template
    )
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
