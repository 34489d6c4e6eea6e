"""An example in the template that was asked for: the model's own, lines, or as it is."""

from dataclasses import replace
from typing import Any

from unteach.data.chat import chat
from unteach.data.rendered import Rendered
from unteach.data.templates import THOUGHT_KEYS, has_chat_template
from unteach.data.tokens import front as front_of
from unteach.nouns import Example, Problem, Span, Turn, UserError
from unteach.registry import did_you_mean

TEMPLATES = ("auto", "chat", "plain", "none")
LEADS = {"user": "Question: ", "assistant": "Answer: "}


def render(example: Example, tokenizer: Any, template: str = "auto") -> Rendered:
    """The example as one text, with what is supervised in it: up to the last supervised turn.

    A bos that the first turn brings stands in front of everything, or is dropped where the chat
    template writes one. An eos at the end of an answer is dropped where one is added.

    Args:
        example: with a supervised turn.
        tokenizer: of the model.
        template: "auto", "chat", "plain" or "none".

    Raises:
        UserError: no such template, none in the tokenizer, or one that refuses the conversation.
    """
    if template not in TEMPLATES:
        hint = f"give one of {', '.join(TEMPLATES)}.{did_you_mean(template, list(TEMPLATES))}"
        raise UserError(Problem("data.template", f'is "{template}"', hint, "request"))
    if example.kind == "text":
        return _joined(example, {}, closed=True)
    ended = _without_eos(example, tokenizer)
    bare = _without_bos(ended, tokenizer)
    if template == "chat" or (template == "auto" and has_chat_template(tokenizer)):
        return _one_bos(ended, bare, tokenizer)
    front = tokenizer.bos_token if bare is not ended else ""
    leads = {} if template == "none" else LEADS
    return _joined(bare, leads, closed=False, front=front)


def _one_bos(example: Example, bare: Example, tokenizer: Any) -> Rendered:
    """In the chat template, without the bos of the first turn where the template writes one.

    Some models begin each turn with their bos: then it is no mark of the beginning.
    """
    if bare is example:
        return chat(example, tokenizer)
    without = chat(bare, tokenizer)
    own = sum(turn.text.count(tokenizer.bos_token) for turn in bare.turns)
    written = without.text.count(tokenizer.bos_token) - own
    return without if written == 1 else chat(example, tokenizer)


def _joined(example: Example, leads: dict[str, str], *, closed: bool, front: str = "") -> Rendered:
    """Turns one after the other; with a lead, each stands on its own line."""
    text, spans, said = front, list[Span](), list[Span]()
    turns = example.turns[: (example.answer_turn or 0) + 1]
    for turn in turns:
        lead = leads.get(turn.role, "")
        if leads and not turn.text.strip():
            continue
        if leads and text and not text.endswith("\n") and text != front:
            text += "\n"
        text += lead.rstrip()
        start = len(text)  # the blank after "Answer:" belongs to the answer: tokens begin with it
        text += lead[len(lead.rstrip()) :] + turn.text
        if turn.role == "assistant":
            if turn.supervised and turn.text.strip():
                spans.append((start, len(text)))
                said.append((len(text) - len(turn.text), len(text)))
        elif not lead and turn.role != "user":
            text += "\n"
    if not (spans and turns[-1].text.strip()):
        what = "the last answer has no text, and a template without messages writes nothing else"
        hint = "use data.template=chat, or take the line out"
        raise UserError(Problem(example.where, what, hint))
    left_out = _unwritten(example, turns)
    return Rendered(text, tuple(spans), tuple(said), spans[-1], closed, True, left_out)


def _unwritten(example: Example, turns: tuple[Turn, ...]) -> tuple[str, ...]:
    """What only a chat template can write."""
    said = [turn for turn in turns if turn.role == "assistant"]
    calls = ["call" for turn in said if turn.template_keys.get("tool_calls")]
    thoughts = ["thought" for turn in said if turn.supervised and _thinks(turn)]
    return (*calls, *thoughts, *(["tools"] if example.tools else []))


def _thinks(turn: Turn) -> bool:
    return any(turn.template_keys.get(name) for name in THOUGHT_KEYS)


def _without_eos(example: Example, tokenizer: Any) -> Example:
    """The conversation without an eos at the end of what the assistant says."""
    eos = getattr(tokenizer, "eos_token", None)
    if not eos or not any(eos in turn.text for turn in example.turns):
        return example
    turns = tuple(_ended(turn, eos) if turn.role == "assistant" else turn for turn in example.turns)
    return replace(example, turns=turns)


def _ended(turn: Turn, eos: str) -> Turn:
    text = turn.text.rstrip()
    if not text.endswith(eos):
        return turn
    while text.endswith(eos):
        text = text.removesuffix(eos).rstrip()
    return replace(turn, text=text)


def _without_bos(example: Example, tokenizer: Any) -> Example:
    """The conversation without a bos in front of its first turn; itself where there is none.

    Whatever the tokenizer puts in front together with bos goes with it.
    """
    bos, (first, *rest) = getattr(tokenizer, "bos_token", None), example.turns
    if not bos or not first.text.lstrip().startswith(bos) or first.role == "assistant":
        return example
    put = {bos, *tokenizer.convert_ids_to_tokens(front_of(tokenizer))}
    text = first.text
    while token := next((t for t in put if text.lstrip().startswith(t)), ""):
        text = text.lstrip().removeprefix(token)
    return replace(example, turns=(replace(first, text=text), *rest))
