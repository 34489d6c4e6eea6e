"""Render an example as one text: with the chat template, as plain lines, or as it is."""

from dataclasses import replace
from typing import Any

from unteach.data.encoding.bos import behind_bos, has_bos, without_bos
from unteach.data.encoding.chat import chat
from unteach.data.encoding.templates import THOUGHT_KEYS, has_chat_template
from unteach.data.encoding.tokens import RenderedExample
from unteach.errors import Problem, UserError
from unteach.registry import did_you_mean
from unteach.types import Example, Span, Turn

TEMPLATES = ("auto", "chat", "plain", "none")
LEADS = {"user": "Question: ", "assistant": "Answer: "}


def render(example: Example, tokenizer: Any, template: str = "auto") -> RenderedExample:
    """Render the example up to its last supervised turn, with the supervised character ranges.

    A bos at the beginning of a turn moves to the front, or is dropped where the chat template
    writes one; a bos in the middle of a turn is reported. An eos at the end of an answer is
    dropped, since one is added.

    Args:
        example: with a supervised turn.
        tokenizer: of the model.
        template: "auto", "chat", "plain" or "none".

    Raises:
        UserError: unknown template name, no chat template in the tokenizer, or one that refuses
            the conversation.
    """
    if template not in TEMPLATES:
        hint = f"give one of {', '.join(TEMPLATES)}.{did_you_mean(template, list(TEMPLATES))}"
        raise UserError(Problem("data.template", f'is "{template}"', hint, "request"))
    if example.kind == "text":
        bare = without_bos(example, tokenizer, beginning=False)
        front = "" if bare is example else tokenizer.bos_token
        return _render_plain(bare, {}, closed=True, front=front)
    in_chat = template == "chat" or (template == "auto" and has_chat_template(tokenizer))
    ended = _without_eos(example, tokenizer)
    # With "none" the texts may already follow another template that has a bos in each turn.
    bare = without_bos(ended, tokenizer, beginning=template == "none")
    brought = bare is not ended
    if in_chat:
        made = chat(bare, tokenizer)
        made = behind_bos(made, bare, tokenizer) if brought else made
    else:
        front = tokenizer.bos_token if brought else ""
        leads = {} if template == "none" else LEADS
        made = _render_plain(bare, leads, closed=False, front=front)
    if template != "none" and has_bos(bare, tokenizer):
        made = made._replace(left_out=(*made.left_out, "bos"))
    return made


def _render_plain(
    example: Example, leads: dict[str, str], *, closed: bool, front: str = ""
) -> RenderedExample:
    """Join the turns; where `leads` has prefixes such as "Answer: ", one turn per line."""
    text, spans, said = front, list[Span](), list[Span]()
    turns = example.turns[: (example.answer_turn or 0) + 1]
    for turn in turns:
        lead = leads.get(turn.role, "")
        if leads and not turn.text.strip():
            continue
        if leads and text and not text.endswith("\n") and text != front:
            text += "\n"
        text += lead.rstrip()
        start = len(text)  # the blank after "Answer:" is in the answer: tokens begin with a blank
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
    left_out = _left_out_kinds(example, turns)
    return RenderedExample(text, tuple(spans), tuple(said), spans[-1], closed, True, left_out)


def _left_out_kinds(example: Example, turns: tuple[Turn, ...]) -> tuple[str, ...]:
    """Return the kinds of content that only a chat template can write."""
    assistant_turns = [turn for turn in turns if turn.role == "assistant"]
    calls = ["call" for turn in assistant_turns if turn.template_keys.get("tool_calls")]
    thoughts = ["thought" for turn in assistant_turns if turn.supervised and _thinks(turn)]
    return (*calls, *thoughts, *(["tools"] if example.tools else []))


def _thinks(turn: Turn) -> bool:
    return any(turn.template_keys.get(name) for name in THOUGHT_KEYS)


def _without_eos(example: Example, tokenizer: Any) -> Example:
    """Remove an eos from the end of each assistant turn."""
    eos = getattr(tokenizer, "eos_token", None)
    if not eos or not any(eos in turn.text for turn in example.turns):
        return example
    turns = tuple(
        _turn_without_eos(turn, eos) if turn.role == "assistant" else turn for turn in example.turns
    )
    return replace(example, turns=turns)


def _turn_without_eos(turn: Turn, eos: str) -> Turn:
    text = turn.text.rstrip()
    if not text.endswith(eos):
        return turn
    while text.endswith(eos):
        text = text.removesuffix(eos).rstrip()
    return replace(turn, text=text)
