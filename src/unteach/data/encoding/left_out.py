"""Report parts of examples that the template or the context length leaves out."""

from collections import Counter
from typing import Any, NamedTuple

from unteach.data.encoding.templates import has_chat_template
from unteach.errors import Problem
from unteach.types import Example, Sequence

SHOWS = "give the tokenizer a chat template that shows them, if they are to be trained on"
PLAIN = "give the tokenizer a chat template that shows them, or use data.template=plain"


class LeftOutMessage(NamedTuple):
    """Message for one kind of part that is left out.

    Attributes:
        what: text with the placeholders `{template}`, `{turns}` (their number) and `{lines}`.
        hint: what to do about it.
    """

    what: str
    hint: str


TOLD: dict[str, LeftOutMessage] = {
    "thought": LeftOutMessage(
        "{template} leaves out the thoughts of {turns}: neither trained on nor asked for", SHOWS
    ),
    "call": LeftOutMessage("{template} leaves out the tool calls of {turns}", SHOWS),
    "changed": LeftOutMessage(
        "{template} changes or leaves out a part of what is said in {turns}; what it shows is "
        "trained on",
        "use data.template=plain to train on the text as it is",
    ),
    "turn": LeftOutMessage(
        "{template} shows {turns} not at all or not in one piece: neither trained on nor asked for",
        "use data.template=plain, or make each turn an example of its own",
    ),
    "empty": LeftOutMessage("nothing is said in {turns}", "take them out"),
    "tools": LeftOutMessage("{template} shows nothing of the `tools` of {lines}", SHOWS),
    "opened": LeftOutMessage(
        "{template} asks for an answer with an open <think>, and shows {turns} without a thought: "
        "trained and asked without it",
        "take a chat template that shows thoughts, if the model is to be asked with one in use",
    ),
    "bos": LeftOutMessage(
        "a bos stands in the midst of what is said in {lines}: it stays there, and no model learns "
        "to say it",
        "take it out of the texts: one is put in front",
    ),
    "excluded": LeftOutMessage(
        "no turn of {lines} is supervised, so nothing of it is trained on or asked",
        "set weight or train on an assistant turn, or take the line out",
    ),
}

OF_THE_DATA = ("bos", "excluded", "empty")
"""Kinds that another template does not solve."""


def left_out(missing: list[tuple[str, str]], template: str, tokenizer: Any) -> list[Problem]:
    """Make one note for each kind of part that a template leaves out, with its count.

    Args:
        missing: pairs of a key of `TOLD` (or "system turn" and the like) and file and line.
        template: "auto", "chat", "plain" or "none".
        tokenizer: of the model.
    """
    known = has_chat_template(tokenizer)
    chat = template == "chat" or (template == "auto" and known)
    named = "the chat template" if chat else "a template without messages (plain, none)"
    counts = Counter(kind for kind, _ in missing)
    first = dict(reversed(missing))
    problems = []
    for kind, count in counts.items():
        message = TOLD.get(kind) or LeftOutMessage(
            f"{{template}} leaves out {_many(count, kind)}", PLAIN
        )
        what = message.what.format(
            template=named, turns=_many(count, "assistant turn"), lines=_many(count, "line")
        )
        place = "" if count == 1 else " (the first is here)"
        other = known and not chat and kind not in OF_THE_DATA
        hint = "use data.template=chat" if other else message.hint
        problems.append(Problem(first[kind], what + place, hint, "note"))
    return problems


def empty(example: Example) -> Problem:
    """Make the problem of an example without a token to train on."""
    what = "has no token that could be trained on: no model learns to say the first token, an end "
    what += "marker alone or nothing"
    return Problem(example.where, what, "write a longer text, or take the line out")


def cut(example: Example, sequence: Sequence, max_length: int, *, says: bool) -> Problem:
    """Make the problem of an answer that is truncated to the context length.

    Args:
        example: the example of the sequence.
        sequence: the truncated sequence.
        max_length: maximum number of tokens.
        says: whether a word of the answer is left.
    """
    left = sum(sequence.answer)
    hint = (
        f"shorten it; {max_length} tokens are read (data.max_length, at most what the model takes)"
    )
    if says:
        what = f"{sequence.cut} of {sequence.cut + left} answer tokens are cut off"
        return Problem(example.where, what, hint, "note")
    return Problem(example.where, f"all {sequence.cut + left} answer tokens are cut off", hint)


def nothing_left(examples: list[Example], problems: list[Problem]) -> list[Problem]:
    """Make the problem that no example can be trained on, where no error reports it already."""
    if not examples or any(problem.kind != "note" for problem in problems):
        return []
    what = f"is the first of {_many(len(examples), 'line')} of which none can be trained on"
    return [Problem(examples[0].where, what, "give a file with something in it to train on")]


def _many(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
