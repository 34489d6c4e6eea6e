"""Tokenise examples, build prompts for generation, and report what could not be encoded."""

from typing import Any, NamedTuple

from unteach.data.encoding.left_out import cut, empty, left_out, nothing_left
from unteach.data.encoding.marks import placed
from unteach.data.encoding.render import render
from unteach.data.encoding.tokens import TextTokens, speaks, text_tokens, with_masks
from unteach.data.encoding.windows import windows
from unteach.data.listing import shortened
from unteach.errors import Problem, UserError
from unteach.types import Example, Sequence

UNBOUNDED = 10**9


class EncodedExample(NamedTuple):
    """A tokenised example, and what the template left out of it.

    Attributes:
        sequences: one, or several windows of a long raw text.
        says: whether an answer token comes from the example's text and not from an end marker.
        left_out: what the template leaves out, as in `RenderedExample`.
    """

    sequences: list[Sequence]
    says: bool
    left_out: tuple[str, ...] = ()


class EncodedExamples(NamedTuple):
    """Tokenised examples, and the problems found.

    Attributes:
        sequences: those with at least one answer token to train on.
        refused: problems of examples that the tokenizer or its template refuses.
        told: problems of examples that are cut, incomplete, or have nothing to train on.
    """

    sequences: list[Sequence]
    refused: list[Problem]
    told: list[Problem]


class ReadExample:
    """An example that is rendered and tokenised once, for its sequences and for its question.

    Args:
        example: the example.
        tokenizer: a fast transformers tokenizer.
        max_length: maximum number of tokens of a sequence.
        template: see `encode`.

    Raises:
        UserError: see `encode`.
    """

    def __init__(
        self, example: Example, tokenizer: Any, *, max_length: int, template: str = "auto"
    ):
        self._example, self._tokenizer, self._max_length = example, tokenizer, max_length
        self._windows: list[Sequence] = []
        self._rendered, self._tokens = None, TextTokens([], [], False)
        if example.kind == "text" and not example.turns:
            self._windows = windows(example, tokenizer, max_length)
        elif example.answer_turn is not None:
            self._rendered = render(example, tokenizer, template)
            self._tokens = text_tokens(self._rendered, tokenizer)

    def encoded(self, *, last: bool = False) -> EncodedExample:
        """The sequences, and what the template left out; see `encode`."""
        if self._windows:
            says = any(speaks(sequence, self._tokenizer) for sequence in self._windows)
            return EncodedExample(self._windows, says)
        if self._rendered is None:
            return EncodedExample([], False, ("excluded",))
        rendered, length = self._rendered.last() if last else self._rendered, self._max_length
        ids, answer, offsets, said = with_masks(rendered, self._tokens, self._tokenizer)
        sequence = Sequence(
            self._example.id,
            ids[:length],
            answer[:length],
            sum(answer[length:]),
            text=rendered.text,
            offsets=offsets[:length],
            spans=placed(self._example, rendered.text, *rendered.content),
            subject=self._example.subject,
        )
        return EncodedExample([sequence], any(said[:length]), rendered.left_out)

    def question(self) -> tuple[tuple[int, ...], str, int]:
        """Prompt ids, expected completion, and its length in tokens; see `question`."""
        if self._windows:
            ids = self._windows[0].ids
            half = max(len(ids) // 2, 1)
            rest = ids[half:]
            return ids[:half], self._decoded(rest), len(rest)
        if self._rendered is None:
            return (), "", 0
        rendered = self._rendered.last()
        found = with_masks(rendered, self._tokens, self._tokenizer)
        ids = found.ids
        start = found.answer.index(True) if True in found.answer else len(ids)
        prompt = ids[:start] if start < self._max_length else ()
        expected = self._example.answer
        if rendered.text[slice(*rendered.said[-1])].strip() != expected.strip():
            end = max((k for k, mine in enumerate(found.said) if mine), default=start)
            expected = self._decoded(ids[start : end + 1]).strip()
        return prompt, expected, len(ids) - start

    def _decoded(self, ids: tuple[int, ...]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=True)


def encode(
    example: Example,
    tokenizer: Any,
    *,
    max_length: int,
    template: str = "auto",
    last: bool = False,
) -> list[Sequence]:
    """Tokenise an example: one sequence, or several windows of a long raw text.

    The answer mask comes from character offsets, never from token ids: the token that ends an
    answer is supervised even where it is the padding token. Windows of a raw text overlap by one
    token, so every token is predicted once; no eos is added to a raw text.

    Args:
        example: the example.
        tokenizer: a fast transformers tokenizer.
        max_length: maximum number of tokens of a sequence; longer answers are truncated.
        template: "auto" is "chat" where the tokenizer has a template, else "plain":
            `Question: ...`, newline, `Answer: ...`, again for every turn, after the system
            message; "none" joins prompt and answer without additions.
        last: supervise only the last supervised turn; all earlier turns are prompt.

    Returns:
        The sequences; an empty list where no turn of the example is supervised.

    Raises:
        UserError: unknown template name, a chat template that is missing, fails, or shows nothing
            of the last answer, or a slow tokenizer.
    """
    read = ReadExample(example, tokenizer, max_length=max_length, template=template)
    return read.encoded(last=last).sequences


def encode_all(
    examples: list[Example], tokenizer: Any, *, max_length: int, template: str = "auto"
) -> tuple[list[Sequence], list[Problem]]:
    """Tokenise all examples, and collect the problems.

    What a template leaves out is reported once for each kind, with the number of turns and the
    place of the first.
    """
    found = encode_each(examples, tokenizer, max_length=max_length, template=template)
    return found.sequences, shortened([*found.refused, *found.told])


def encode_each(
    examples: list[Example],
    tokenizer: Any,
    *,
    max_length: int,
    template: str = "auto",
    last: bool = False,
) -> EncodedExamples:
    """As `encode_all`, but with the problems of refused examples apart from the other problems."""
    found = EncodedExamples([], [], [])
    missing: list[tuple[str, str]] = []
    for example in examples:
        try:
            one = ReadExample(example, tokenizer, max_length=max_length, template=template).encoded(
                last=last
            )
        except UserError as error:
            found.refused.extend(error.problems)
            if any(problem.where != example.where for problem in error.problems):
                return EncodedExamples(
                    [], found.refused, []
                )  # not caused by this example: every example would repeat it
            continue
        missing += [(kind, example.where) for kind in one.left_out]
        truncated = [sequence for sequence in one.sequences if sequence.cut]
        found.told.extend(
            cut(example, sequence, max_length, says=one.says) for sequence in truncated
        )
        if one.says:
            found.sequences.extend(s for s in one.sequences if any(s.answer))
        elif one.sequences and not truncated:
            found.told.append(empty(example))
    if not found.sequences:
        found.told.extend(nothing_left(examples, [*found.refused, *found.told]))
    found.told.extend(left_out(missing, template, tokenizer))
    return found


def question(
    example: Example, tokenizer: Any, *, max_length: int, template: str = "auto"
) -> tuple[tuple[int, ...], str, int]:
    """Return the prompt ids, the expected completion, and its length in tokens.

    For a conversation, the completion is the last supervised answer, with the thought and the tool
    calls that the template shows before or in it. For a raw text, it is the second half of the
    first window. The prompt is empty when it does not fit, or no turn is supervised.
    """
    return ReadExample(example, tokenizer, max_length=max_length, template=template).question()


def prompt_ids(example: Example, tokenizer: Any, *, template: str = "auto") -> tuple[int, ...]:
    """Return the token ids before the last answer; for a raw text, the first half of its tokens."""
    return question(example, tokenizer, max_length=UNBOUNDED, template=template)[0]


def context_length(config: Any, tokenizer: Any) -> int:
    """Return the smallest length limit of model config and tokenizer; 2048 if neither has one."""
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    names = ("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx")
    found = [getattr(text, name, None) for name in names]
    found.append(getattr(tokenizer, "model_max_length", None))
    # A tokenizer without a limit has 1e30 here.
    lengths = [int(n) for n in found if isinstance(n, (int, float)) and 0 < n < 1e9]
    return min(lengths, default=2048)
