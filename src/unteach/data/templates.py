"""An example as one text, with the characters that are supervised."""

from collections.abc import Callable
from typing import Any, NamedTuple

from unteach.nouns import Example, Problem, Turn, UserError
from unteach.registry import did_you_mean

TEMPLATES = ("auto", "chat", "plain", "none")
LEADS = {"user": "Question: ", "assistant": "Answer: "}

# Stands for an answer while a template is rendered: of characters that mean nothing to anyone.
MARK = "\ue000{}\ue001"
AS_SHOWN: tuple[Callable[[str], str], ...] = (
    str,
    str.strip,
    str.lstrip,
    str.rstrip,
    lambda text: text.strip("\n"),
    lambda text: text.lstrip("\n"),
)


class Rendered(NamedTuple):
    """An example as one text.

    Attributes:
        text: what is tokenised.
        spans: characters of each supervised part, first and one past the last.
        closed: whether nothing is to follow: the text says itself that the answer is over, or it
            is raw and not known to end. Else eos is added.
        special: whether the tokenizer adds its own special tokens, such as bos.
    """

    text: str
    spans: tuple[tuple[int, int], ...]
    closed: bool
    special: bool


def render(example: Example, tokenizer: Any, template: str = "auto") -> Rendered:
    """The example as one text, with what is supervised in it.

    Raises:
        UserError: no such template, none in the tokenizer, or one that refuses the conversation.
    """
    if template not in TEMPLATES:
        hint = f"give one of {', '.join(TEMPLATES)}.{did_you_mean(template, list(TEMPLATES))}"
        raise UserError(Problem("data.template", f'is "{template}"', hint, "request"))
    if example.kind == "text":
        turns = example.turns or (Turn("assistant", example.text),)
        return _joined([("", turn) for turn in turns], closed=True)
    if template == "chat" or (template == "auto" and has_chat_template(tokenizer)):
        return _chat(example, tokenizer)
    if template == "none":
        return _joined([("", turn) for turn in example.turns], closed=False)
    return _joined([(LEADS.get(turn.role, ""), turn) for turn in example.turns], closed=False)


def has_chat_template(tokenizer: Any) -> bool:
    """Whether the tokenizer brings a chat template."""
    return bool(getattr(tokenizer, "chat_template", None))


def _joined(parts: list[tuple[str, Turn]], *, closed: bool) -> Rendered:
    """Turns one after the other; with a lead, each stands on its own line."""
    text, spans = "", []
    for lead, turn in parts:
        if lead and text and not text.endswith("\n"):
            text += "\n"
        text += lead.rstrip()
        start = len(text)  # the blank after "Answer:" belongs to the answer: tokens begin with it
        text += lead[len(lead.rstrip()) :] + turn.text
        if turn.role == "assistant":
            spans.append((start, len(text)))
        elif not lead and turn.role != "user":
            text += "\n"
    return Rendered(text, tuple(spans), closed, special=True)


def _chat(example: Example, tokenizer: Any) -> Rendered:
    """The model's own chat template; each assistant turn with the marker that ends it.

    The places are found by rendering once more with marks for the answers, so that an answer
    that also stands elsewhere in the conversation is not mistaken. What a template puts before
    an answer, such as an empty thought, is part of the prompt; a blank that the model is to
    say itself, being no part of the generation prompt, is not.
    """
    messages = [{"role": turn.role, "content": turn.text} for turn in example.turns]
    answers = {n: t.text for n, t in enumerate(example.turns) if t.role == "assistant"}
    marked = [
        {**message, "content": MARK.format(n)} if n in answers else message
        for n, message in enumerate(messages)
    ]
    whole = _apply(tokenizer, messages, example)
    frame = _apply(tokenizer, marked, example)
    ends = {n: _end(_apply(tokenizer, marked[: n + 1], example), n) for n in answers}
    spans = _located(whole, frame, answers, ends, tokenizer.tokenize)
    if spans is None:
        spans = _by_prefix(tokenizer, messages, list(answers), whole, example)
    asked = [_asked(tokenizer, messages[:n], example) for n in answers]
    spans = [(_start(whole, a, first), last) for a, (first, last) in zip(asked, spans, strict=True)]
    closed = bool(ends[max(ends)])
    # A blank line after the last end marker is no part of the answer, and nothing follows it.
    return Rendered(whole[: spans[-1][1]], tuple(spans), closed, special=False)


def _located(
    whole: str,
    frame: str,
    answers: dict[int, str],
    ends: dict[int, str],
    tokenize: Callable[[str], list[str]],
) -> list[tuple[int, int]] | None:
    """Where each answer and its end marker are; None where the rest is not as in the frame."""
    spans = []
    text, _, rest = frame.partition(MARK.format(min(answers)))
    for number, next_number in zip(answers, [*list(answers)[1:], None], strict=True):
        following, _, rest = rest.partition(MARK.format(next_number))
        ways = (text + way(answers[number]) for way in AS_SHOWN)
        shown = next((way for way in ways if whole.startswith(way + following)), None)
        if shown is None:
            return None
        end = ends[number]
        if not following.startswith(end):
            end = _shared(end, following, tokenize(end))
        spans.append((len(text), len(shown) + len(end)))
        text = shown + following
    return spans if text == whole else None


def _shared(end: str, following: str, tokens: list[str]) -> str:
    """The end markers that also stand where the conversation goes on; some close the last only."""
    length = 0
    for token in tokens:
        if not (end.startswith(token, length) and following.startswith(token, length)):
            break
        length += len(token)
    return end[:length]


def _end(rendered: str, number: int) -> str:
    """What the template puts after the last answer, but for blanks at the end."""
    return rendered.partition(MARK.format(number))[2].rstrip()


def _asked(tokenizer: Any, messages: list[dict], example: Example) -> str:
    """What the model is given when it is to answer; nothing where it speaks unasked."""
    if not messages or messages[-1]["role"] != "user":
        return ""
    return _apply(tokenizer, messages, example, add_generation_prompt=True)


def _start(whole: str, asked: str, start: int) -> int:
    """Where the model begins to speak: a blank that it was not given belongs to the answer."""
    begins = whole.startswith(asked) and not whole[len(asked) : start].strip()
    return min(len(asked), start) if asked and begins else start


def _by_prefix(
    tokenizer: Any, messages: list[dict], answers: list[int], whole: str, example: Example
) -> list[tuple[int, int]]:
    """The places of answers that the template shows in other words: what it adds for each turn."""
    spans = []
    for n in answers:
        before = _apply(tokenizer, messages[:n], example, add_generation_prompt=True)
        upto = _apply(tokenizer, messages[: n + 1], example).rstrip()
        if not (whole.startswith(before) and whole.startswith(upto) and len(before) < len(upto)):
            what = "the chat template leaves out or changes what an assistant turn says"
            raise UserError(Problem(example.where, what, "use data.template=plain"))
        spans.append((len(before), len(upto)))
    return spans


def _apply(tokenizer: Any, messages: list[dict], example: Example, **options: Any) -> str:
    if not has_chat_template(tokenizer):
        hint = "use data.template=plain, or give the tokenizer a chat template"
        where = "data.template"
        raise UserError(Problem(where, "the tokenizer has no chat template", hint, "request"))
    try:
        return tokenizer.apply_chat_template(messages, tokenize=False, **options)
    except Exception as error:  # a template is a program of the model's author
        what = f"the chat template refuses it ({type(error).__name__})"
        hint = "check the roles and their order, or use data.template=plain"
        raise UserError(Problem(example.where, what, hint)) from None
