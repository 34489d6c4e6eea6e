"""Examples in tokens: templates, and which tokens are answer tokens."""

from typing import Any, NamedTuple

from unteach.nouns import Example, Problem, Sequence, Turn, UserError


class Rendered(NamedTuple):
    """An example as one text.

    Attributes:
        text: what is tokenised.
        spans: characters of each supervised part, first and one past the last.
        closed: whether the text itself says that the answer is over; else eos is added.
        special: whether the tokenizer adds its own special tokens, such as bos.
    """

    text: str
    spans: tuple[tuple[int, int], ...]
    closed: bool
    special: bool


def encode(
    example: Example, tokenizer: Any, *, max_length: int, template: str = "auto"
) -> list[Sequence]:
    """The example in tokens: one sequence, or several windows of a long raw text.

    Which tokens are answer tokens is decided by characters, never by token ids: the token that
    ends an answer is supervised also where it is the padding token. Windows of a raw text overlap
    by one token, so every token is predicted once; a raw text is not said to end.

    Args:
        example: what to encode.
        tokenizer: a fast transformers tokenizer.
        max_length: the most tokens of a sequence. Longer answers are cut at their end.
        template: "auto" is "chat" where the tokenizer has a template, else "plain":
            `Question: ...`, newline, `Answer: ...`; "none" joins prompt and answer as they are.

    Raises:
        UserError: a chat template was asked for and there is none, or it fails.
    """
    if example.kind == "text" and not example.turns:
        return _windows(example, tokenizer, max_length)
    ids, answer = _tokens(render(example, tokenizer, template), tokenizer)
    kept = Sequence(example.id, ids[:max_length], answer[:max_length], sum(answer[max_length:]))
    return [kept]


def encode_all(
    examples: list[Example], tokenizer: Any, *, max_length: int, template: str = "auto"
) -> tuple[list[Sequence], list[Problem]]:
    """All examples in tokens, and which answers the context length cut off."""
    sequences, problems = [], []
    for example in examples:
        try:
            found = encode(example, tokenizer, max_length=max_length, template=template)
        except UserError as error:
            return [], list(error.problems)
        for sequence in found:
            if sequence.cut:
                problems.append(_cut(example, sequence, max_length))
        sequences += [s for s in found if any(s.answer)]
    return sequences, problems


def question(
    example: Example, tokenizer: Any, *, max_length: int, template: str = "auto"
) -> tuple[tuple[int, ...], str, int]:
    """What to ask so that the model should give the answer, the answer, and its length in tokens.

    Of a conversation, the last answer is asked for. Of a raw text, the second half of its first
    window. An empty prompt when it does not fit.
    """
    if example.kind == "text" and not example.turns:
        ids = _windows(example, tokenizer, max_length)[0].ids
        half = max(len(ids) // 2, 1)
        rest = ids[half:]
        return ids[:half], tokenizer.decode(rest, skip_special_tokens=True), len(rest)
    rendered = render(example, tokenizer, template)
    last = rendered._replace(spans=rendered.spans[-1:])
    ids, answer = _tokens(last, tokenizer)
    start = answer.index(True)
    prompt = ids[:start] if start < max_length else ()
    return prompt, example.answer, len(ids) - start


def context_length(config: Any, tokenizer: Any) -> int:
    """Tokens that fit: the least of what model and tokenizer say, 2048 when neither does."""
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    names = ("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx")
    found = [getattr(text, name, None) for name in names]
    found.append(getattr(tokenizer, "model_max_length", None))
    # A tokenizer that does not know says 1e30.
    lengths = [int(n) for n in found if isinstance(n, (int, float)) and 0 < n < 1e9]
    return min(lengths, default=2048)


def render(example: Example, tokenizer: Any, template: str = "auto") -> Rendered:
    """The example as one text, with what is supervised in it."""
    if example.kind == "text":
        return _joined([("", example.turns[0]), ("", example.turns[1])], closed=True)
    chat = template == "chat" or (template == "auto" and has_chat_template(tokenizer))
    if chat:
        return _chat(example, tokenizer)
    if template == "none":
        return _joined([("", turn) for turn in example.turns], closed=False)
    leads = {"user": "Question: ", "assistant": "Answer: "}
    return _joined([(leads.get(turn.role, ""), turn) for turn in example.turns], closed=False)


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
    """The model's own chat template; each assistant turn with the marker that ends it."""
    messages = [{"role": turn.role, "content": turn.text} for turn in example.turns]
    whole = _apply(tokenizer, messages, example)
    spans, position, marked = [], 0, True
    for number, turn in enumerate(example.turns):
        if turn.role != "assistant":
            continue
        before = _apply(tokenizer, messages[:number], example, add_generation_prompt=True)
        upto = _apply(tokenizer, messages[: number + 1], example).rstrip()
        if whole.startswith(before) and whole.startswith(upto):
            start, end = len(before), len(upto)
        else:  # the template shows an earlier turn differently once others follow
            start = whole.find(turn.text.strip(), position)
            if start < 0:
                what = "the chat template leaves out an assistant turn"
                raise UserError(Problem(example.where, what, "use --set data.template=plain"))
            end = start + len(turn.text.strip())
        marked = not whole[start:end].endswith(turn.text.strip())
        spans.append((start, end))
        position = end
    # A blank line after the last end marker is no part of the answer, and nothing follows it.
    return Rendered(whole[:position], tuple(spans), marked, special=False)


def _apply(tokenizer: Any, messages: list[dict], example: Example, **options: Any) -> str:
    if not has_chat_template(tokenizer):
        hint = "use --set data.template=plain, or give the tokenizer a chat template"
        where = "data.template"
        raise UserError(Problem(where, "the tokenizer has no chat template", hint, "request"))
    try:
        return tokenizer.apply_chat_template(messages, tokenize=False, **options)
    except Exception as error:  # a template is a program of the model's author
        what = f"the chat template refuses it ({type(error).__name__})"
        hint = "check the roles and their order, or use --set data.template=plain"
        raise UserError(Problem(example.where, what, hint)) from None


def _tokens(rendered: Rendered, tokenizer: Any) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """Token ids, and which of them are answer tokens."""
    found = tokenizer(
        rendered.text,
        add_special_tokens=rendered.special,
        return_offsets_mapping=True,
        verbose=False,
    )
    ids, offsets = list(found["input_ids"]), list(found["offset_mapping"])
    answer = [
        any(start < last and first < end for start, end in rendered.spans)
        for first, last in offsets
    ]
    eos = tokenizer.eos_token_id
    if ids and offsets[-1] == (0, 0) and ids[-1] == eos:  # the tokenizer added its own
        answer[-1] = True
    elif not rendered.closed and eos is not None:
        ids.append(eos)
        answer.append(True)
    if answer:
        answer[0] = False  # nothing predicts the first token
    return tuple(ids), tuple(answer)


def _windows(example: Example, tokenizer: Any, max_length: int) -> list[Sequence]:
    """Windows of a raw text, each behind the tokens that the tokenizer puts in front."""
    ids = list(tokenizer(example.text, add_special_tokens=False, verbose=False)["input_ids"])
    front = _front(tokenizer)
    width = max(max_length - len(front), 2)
    sequences = []
    for start in range(0, max(len(ids) - 1, 1), width - 1):
        body = ids[start : start + width]
        known = bool(front) and start == 0  # what stands before the first token predicts it
        answer = (False,) * len(front) + (known,) + (True,) * (len(body) - 1)
        number = f"/{len(sequences) + 1}" if sequences else ""
        sequences.append(
            Sequence(example.id + number, (*front, *body), answer[: len(front + body)])
        )
    return sequences


def _front(tokenizer: Any) -> list[int]:
    """What the tokenizer puts before a text of its own accord, such as bos."""
    plain = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = list(tokenizer("a")["input_ids"])
    place = next((k for k in range(len(whole)) if whole[k : k + len(plain)] == list(plain)), 0)
    return whole[:place]


def _cut(example: Example, sequence: Sequence, max_length: int) -> Problem:
    left = sum(sequence.answer)
    hint = f"shorten it, or raise data.max_length ({max_length})"
    if left:
        what = f"{sequence.cut} of {sequence.cut + left} answer tokens are cut off"
        return Problem(example.where, what, hint, "note")
    return Problem(example.where, f"all {sequence.cut} answer tokens are cut off", hint)
