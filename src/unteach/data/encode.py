"""Examples in tokens, and which of the tokens are answer tokens."""

from typing import Any, NamedTuple

from unteach.data.listing import shortened
from unteach.data.marks import placed
from unteach.data.templates import Rendered, render
from unteach.nouns import Example, Problem, Sequence, Span, UserError

UNBOUNDED = 10**9


class Tokens(NamedTuple):
    """Token ids, which of them are answer tokens, and the characters that each stands for."""

    ids: tuple[int, ...]
    answer: tuple[bool, ...]
    offsets: tuple[Span, ...]


def encode(
    example: Example,
    tokenizer: Any,
    *,
    max_length: int,
    template: str = "auto",
    last: bool = False,
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
            `Question: ...`, newline, `Answer: ...`, again for every turn, behind the system's
            text; "none" joins prompt and answer as they are.
        last: of a conversation, only the last answer is one; what was said before is prompt.

    Raises:
        UserError: no such template, a chat template that is missing or fails, or a slow tokenizer.
    """
    if example.kind == "text" and not example.turns:
        return _windows(example, tokenizer, max_length)
    rendered = render(example, tokenizer, template)
    if last:
        rendered = rendered._replace(spans=rendered.spans[-1:])
    ids, answer, offsets = _tokens(rendered, tokenizer)
    kept = Sequence(
        example.id,
        ids[:max_length],
        answer[:max_length],
        sum(answer[max_length:]),
        text=rendered.text,
        offsets=offsets[:max_length],
        spans=placed(example, rendered.text, *rendered.spans[-1]),
    )
    return [kept]


def encode_all(
    examples: list[Example], tokenizer: Any, *, max_length: int, template: str = "auto"
) -> tuple[list[Sequence], list[Problem]]:
    """All examples in tokens, what cannot be encoded, and what the context length cut off."""
    sequences, problems = [], []
    for example in examples:
        try:
            found = encode(example, tokenizer, max_length=max_length, template=template)
        except UserError as error:
            problems += error.problems
            if any(problem.where != example.where for problem in error.problems):
                return [], problems  # not this example's fault, so all would say it again
            continue
        for sequence in found:
            if sequence.cut:
                problems.append(_cut(example, sequence, max_length))
        sequences += [s for s in found if any(s.answer)]
    return sequences, shortened(problems)


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
    ids, answer, _ = _tokens(rendered._replace(spans=rendered.spans[-1:]), tokenizer)
    start = answer.index(True) if True in answer else len(ids)
    prompt = ids[:start] if start < max_length else ()
    return prompt, example.answer, len(ids) - start


def prompt_ids(example: Example, tokenizer: Any, *, template: str = "auto") -> tuple[int, ...]:
    """The prompt as the model sees it when it is asked: the ids before the last answer.

    Of a raw text, the first half of its tokens.
    """
    return question(example, tokenizer, max_length=UNBOUNDED, template=template)[0]


def context_length(config: Any, tokenizer: Any) -> int:
    """Tokens that fit: the least of what model and tokenizer say, 2048 when neither does."""
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    names = ("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx")
    found = [getattr(text, name, None) for name in names]
    found.append(getattr(tokenizer, "model_max_length", None))
    # A tokenizer that does not know says 1e30.
    lengths = [int(n) for n in found if isinstance(n, (int, float)) and 0 < n < 1e9]
    return min(lengths, default=2048)


def _tokens(rendered: Rendered, tokenizer: Any) -> Tokens:
    ids, offsets = _tokenised(rendered.text, tokenizer, special=rendered.special)
    answer = [_within(first, last, rendered.spans) for first, last in offsets]
    eos = tokenizer.eos_token_id
    own_end = bool(ids) and offsets[-1] == (0, 0) and ids[-1] == eos
    if own_end:  # the tokenizer puts eos behind every text; whether it belongs there is ours to say
        for row in (ids, answer, offsets):
            row.pop()
    if not rendered.closed and eos is not None:
        ids.append(eos)
        answer.append(True)
        offsets.append((len(rendered.text), len(rendered.text)))
    if answer:
        answer[0] = False  # nothing predicts the first token
    return Tokens(tuple(ids), tuple(answer), _plain(ids, offsets, tokenizer))


def _tokenised(text: str, tokenizer: Any, *, special: bool) -> tuple[list[int], list[Span]]:
    try:
        found = tokenizer(
            text, add_special_tokens=special, return_offsets_mapping=True, verbose=False
        )
    except NotImplementedError:
        what, hint = "is a slow one, which gives no offsets", "use the model's fast tokenizer"
        raise UserError(Problem("tokenizer", what, hint)) from None
    return list(found["input_ids"]), [(first, last) for first, last in found["offset_mapping"]]


def _plain(ids: list[int], offsets: list[Span], tokenizer: Any) -> tuple[Span, ...]:
    """The offsets with no characters for special tokens, whose marks are nobody's words."""
    special = set(tokenizer.all_special_ids)
    return tuple(
        (first, first if token in special else last)
        for token, (first, last) in zip(ids, offsets, strict=True)
    )


def _within(first: int, last: int, spans: tuple[tuple[int, int], ...]) -> bool:
    if first == last:  # a blank whose offsets the tokenizer has trimmed: it stood just before
        first -= 1
    return any(start < last and first < end for start, end in spans)


def _windows(example: Example, tokenizer: Any, max_length: int) -> list[Sequence]:
    """Windows of a raw text, each behind the tokens that the tokenizer puts in front."""
    ids, offsets = _tokenised(example.text, tokenizer, special=False)
    places = _plain(ids, offsets, tokenizer)
    marks = placed(example, example.text, 0, len(example.text))
    front = _front(tokenizer)
    width = max(max_length - len(front), 2)
    sequences = []
    for start in range(0, max(len(ids) - 1, 1), width - 1):
        body = ids[start : start + width]
        known = bool(front) and start == 0  # what stands before the first token predicts it
        answer = (False,) * len(front) + (known,) + (True,) * (len(body) - 1)
        number = f"/{len(sequences) + 1}" if sequences else ""
        within = places[start : start + width]
        first, last = min((a for a, _ in within), default=0), max((b for _, b in within), default=0)
        sequences.append(
            Sequence(
                example.id + number,
                (*front, *body),
                answer[: len(front + body)],
                text=example.text[first:last],
                offsets=((0, 0),) * len(front) + _clipped(within, first, last),
                spans=_clipped(
                    tuple(m for m in marks if m[0] < last and first < m[1]), first, last
                ),
            )
        )
    return sequences


def _clipped(spans: tuple[Span, ...], first: int, last: int) -> tuple[Span, ...]:
    """What of them lies between two characters, counted from the first of these."""
    return tuple((max(a, first) - first, min(b, last) - first) for a, b in spans)


def _front(tokenizer: Any) -> list[int]:
    """What the tokenizer puts before a text of its own accord, such as bos."""
    plain = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = list(tokenizer("a")["input_ids"])
    place = next((k for k in range(len(whole)) if whole[k : k + len(plain)] == list(plain)), 0)
    return whole[:place]


def _cut(example: Example, sequence: Sequence, max_length: int) -> Problem:
    left = sum(sequence.answer)
    hint = (
        f"shorten it; {max_length} tokens are read (data.max_length, at most what the model takes)"
    )
    if left:
        what = f"{sequence.cut} of {sequence.cut + left} answer tokens are cut off"
        return Problem(example.where, what, hint, "note")
    return Problem(example.where, f"all {sequence.cut} answer tokens are cut off", hint)
