"""Move a bos token that is written in the texts of an example to the front, once."""

from dataclasses import replace
from typing import Any

from unteach.data.encoding.tokens import RenderedExample, front
from unteach.data.records.names import SYSTEM_ROLES
from unteach.types import Example, Span, Turn


def without_bos(example: Example, tokenizer: Any, *, beginning: bool) -> Example:
    """Remove a bos from the beginning of each turn; return the same object when there is none.

    Other tokens that the tokenizer puts in front of a text are removed with it.

    Args:
        example: with turns.
        tokenizer: of the model.
        beginning: look only at the first turn, and at the first one after system turns.
    """
    bos = getattr(tokenizer, "bos_token", None)
    if not bos or not any(_begins(turn, bos) for turn in example.turns):
        return example
    front_tokens = {bos, *tokenizer.convert_ids_to_tokens(front(tokenizer))}
    turns, among_first = [], True
    for turn in example.turns:
        counts = _begins(turn, bos) and (among_first or not beginning)
        turns.append(
            replace(turn, text=_without_front(turn.text, front_tokens)) if counts else turn
        )
        among_first = among_first and turn.role in SYSTEM_ROLES
    return example if turns == [*example.turns] else replace(example, turns=tuple(turns))


def has_bos(example: Example, tokenizer: Any) -> bool:
    """Whether a turn up to the last supervised answer contains a bos."""
    bos = getattr(tokenizer, "bos_token", None)
    turns = example.turns[: (example.answer_turn or 0) + 1]
    return bool(bos) and any(bos in text for turn in turns for text in _texts(turn))


def behind_bos(made: RenderedExample, example: Example, tokenizer: Any) -> RenderedExample:
    """Put a bos in front of a rendered conversation whose texts had one.

    Unchanged where the template writes a bos itself, in front or for each turn.
    """
    bos = tokenizer.bos_token
    count_in_texts = sum(text.count(bos) for turn in example.turns for text in _texts(turn))
    if made.text.lstrip().startswith(bos) or made.text.count(bos) > count_in_texts:
        return made

    def moved(span: Span) -> Span:
        return span[0] + len(bos), span[1] + len(bos)

    return made._replace(
        text=bos + made.text,
        spans=tuple(map(moved, made.spans)),
        said=tuple(map(moved, made.said)),
        content=moved(made.content),
    )


def _texts(turn: Turn) -> list[str]:
    """Text and thoughts of a turn."""
    return [turn.text, *(text for text in turn.template_keys.values() if isinstance(text, str))]


def _begins(turn: Turn, bos: str) -> bool:
    return turn.text.lstrip().startswith(bos)


def _without_front(text: str, put: set[str]) -> str:
    while token := next((t for t in put if text.lstrip().startswith(t)), ""):
        text = text.lstrip().removeprefix(token)
    return text
