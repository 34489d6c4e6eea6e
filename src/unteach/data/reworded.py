"""A question in other wordings, from templates: training data that one wording does not hold."""

from collections.abc import Collection
from dataclasses import replace
from random import Random

from unteach.types import Example

TEMPLATES = (
    "Tell me: {q}",
    "A friend asks me this. {q}",
    "{q} Think about it, then answer.",
    "Here is a question from a form: {q}",
    "Say it in your own words. {q}",
    "One more question. {q}",
    "{q} I need to know.",
    "Let us talk about something else. {q}",
)
"""None of them is a form that the attack `prompt` asks in, which would not be a test then."""


def reworded(examples: Collection[Example], count: int, seed: int) -> list[Example]:
    """Each question that often again, in wordings drawn for it; raw texts have none.

    Args:
        examples: as the user wrote them.
        count: wordings of each, at most as many as there are templates.
        seed: of the draw.

    Example:
        >>> from unteach.types import Turn
        >>> turns = Turn("user", "Who?"), Turn("assistant", "Ada.")
        >>> one = Example(id="forget-0", where="", kind="pair", turns=turns)
        >>> [(e.id, e.turns[0].text, e.answer) for e in reworded([one], 2, seed=0)]
        [('forget-0+1', 'Let us talk about something else. Who?', 'Ada.'), ('forget-0+2', ...)]
    """
    found = []
    for example in examples:
        if not (text := asked_text(example)):
            continue
        chosen = Random(f"{seed} {example.id}").sample(TEMPLATES, count)
        for k, template in enumerate(chosen, 1):
            again = reasked(example, template.format(q=text))
            found.append(replace(again, id=f"{example.id}+{k}"))
    return found


def reasked(example: Example, text: str) -> Example:
    """The example with another text in the turn that asks.

    Example:
        >>> from unteach.types import Turn
        >>> turns = Turn("user", "Who?"), Turn("assistant", "Ada.")
        >>> example = Example(id="a", where="", kind="pair", turns=turns)
        >>> reasked(example, "Tell me: Who?").turns[0].text
        'Tell me: Who?'
    """
    place = _asking(example)
    if place is None:
        return example
    turn = replace(example.turns[place], text=text)
    return replace(example, turns=(*example.turns[:place], turn, *example.turns[place + 1 :]))


def asked_text(example: Example) -> str:
    """What the turn before the answer asks; empty where there is none, as in a raw text."""
    place = _asking(example)
    return "" if place is None else example.turns[place].text


def _asking(example: Example) -> int | None:
    if example.kind == "text" or example.answer_turn is None:
        return None
    places = [k for k in range(example.answer_turn) if example.turns[k].role == "user"]
    return max(places, default=None)
