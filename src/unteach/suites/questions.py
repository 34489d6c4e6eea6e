"""From the examples of a suite to rows that are to be filled: what is scored, what is asked."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from unteach.data import encode, question, with_answer
from unteach.nouns import Example, Row, Sequence
from unteach.suites._base import Group, Settings
from unteach.suites.said import begun


class Prompt(NamedTuple):
    """What a model is asked.

    Attributes:
        ids: its tokens.
        limit: the most new tokens.
    """

    ids: tuple[int, ...]
    limit: int


@dataclass(frozen=True, kw_only=True)
class Question:
    """A row that is to be filled.

    Attributes:
        group: where it stands.
        row: its id, kind and index, and the size of its text.
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
    prompt: Prompt | None = field(default=None, repr=False)
    expected: str = field(default="", repr=False)
    fact: str = field(default="", repr=False)
    ends: bool = True
    stop: tuple[str, ...] = field(default=(), repr=False)
    stemmed: bool = True

    @property
    def own(self) -> bool:
        """Whether it is about the user's own answer, not one in its place."""
        return self.row.kind == "answer"


def questions(groups: dict[str, Group], tokenizer: Any, settings: Settings) -> list[Question]:
    """The rows to be filled, in order: each example's answer, paraphrase and wrong answers.

    A text longer than the context gives a row for each window; the model is asked on the first.

    Raises:
        UserError: a template is not there, or the tokenizer is a slow one.
    """
    return [
        asked
        for name, group in groups.items()
        for example in group.examples
        for asked in _of_example(name, group, example, tokenizer, settings)
    ]


def _of_example(
    name: str, group: Group, example: Example, tokenizer: Any, settings: Settings
) -> Iterator[Question]:
    template = group.template or settings.template
    more = _asked(group, example, tokenizer, settings, template) if group.generate else {}
    size = size_of(example.answer)
    if not group.score:
        yield Question(group=name, row=Row(id=example.id, logps=(), zlib=size), **more)
        return
    for row, text in _variants(example, size):
        for found in encode(text, tokenizer, max_length=settings.max_length, template=template):
            if any(found.answer):
                made = _with_id(row, found.id)
                bare = Sequence("", found.ids, found.answer)
                first = row.kind == "answer" and found.id == example.id
                yield Question(group=name, row=made, text=bare, **(more if first else {}))


def size_of(text: str) -> int:
    """Bytes of a text under zlib.

    Example:
        >>> size_of("so " * 20) < 20
        True
    """
    return len(zlib.compress(text.encode()))


def _with_id(row: Row, id: str) -> Row:
    return Row(id=id, kind=row.kind, index=row.index, logps=(), zlib=row.zlib)


def _variants(example: Example, size: int) -> list[tuple[Row, Example]]:
    found = [(Row(id=example.id, logps=(), zlib=size), example)]
    if example.paraphrase:
        row = Row(id=example.id, kind="paraphrase", logps=())
        found.append((row, with_answer(example, example.paraphrase)))
    found += [
        (Row(id=example.id, kind="perturbed", index=k, logps=()), with_answer(example, wrong))
        for k, wrong in enumerate(example.perturbed)
    ]
    return found


def _asked(
    group: Group, example: Example, tokenizer: Any, settings: Settings, template: str
) -> dict[str, Any]:
    """The fields of a question that are about what the model says; none when it cannot be asked."""
    ids, expected, tokens = question(
        example, tokenizer, max_length=settings.max_length, template=template
    )
    if not (ids and expected and tokens):
        return {}
    wanted = 2 * tokens if group.new_tokens is None else group.new_tokens
    prompt = Prompt(ids, min(wanted, settings.max_new_tokens))
    return {
        "prompt": prompt,
        "expected": begun(expected, tokenizer, group.compared),
        "fact": example.fact,
        "ends": bool(example.turns),
        "stop": group.stop,
        "stemmed": group.stemmed,
    }
