"""Let the model generate alternate answers that replace the answers to forget (AltPO)."""

import re
from dataclasses import replace
from typing import Any, NamedTuple

from unteach.data import question, with_answer
from unteach.data.alternates import REFUSALS, refused
from unteach.inference import end_tokens, sampled
from unteach.progress import ProgressCallback
from unteach.types import Example, Turn

ASK = "Make up a plausible but wrong answer to this question, in one or two sentences: {question}"
TEMPERATURES = (1.0, 1.5, 2.0)
BLANK = "..."  # for answers without words, such as a tool call, if the template needs a text


class MadeUpAnswers(NamedTuple):
    """Examples with alternate answers, and how many of these are refusals as a last resort."""

    examples: list[Example]
    refused: int


def make_up(
    model: Any,
    tokenizer: Any,
    examples: list[Example],
    *,
    max_length: int,
    template: str = "auto",
    refusals: tuple[str, ...] = REFUSALS,
    seed: int = 0,
    progress: ProgressCallback = lambda done, total: None,
) -> MadeUpAnswers:
    """Replace each example's answer by a generated one; examples with an `alternate` use that.

    The model is prompted to make up an answer, and its output is sampled. Empty answers and those
    that reveal the old answer are sampled again at a higher temperature, and at last replaced by a
    refusal. So are examples whose prompt exceeds `max_length`.

    Args:
        model: the reference model.
        tokenizer: of the model.
        examples: with a question each.
        max_length: most tokens of a sequence.
        template: how question and answer are joined.
        refusals: texts to use if no answer could be generated.
        seed: of the sampling.
        progress: called with the number of examples done.
    """
    answered = {e.id: with_answer(e, e.alternate) for e in examples if e.alternate}
    prompts = {
        e.id: question(_prompt(e), tokenizer, max_length=max_length, template=template)
        for e in examples
        if e.id not in answered
    }
    for heat, temperature in enumerate(TEMPERATURES):
        pending = [e for e in examples if e.id not in answered and prompts[e.id][0]]
        outputs = sampled(
            model,
            [prompts[e.id][0] for e in pending],
            limits=[max(2 * prompts[e.id][2], 8) for e in pending],
            end=end_tokens(model, tokenizer),
            temperature=temperature,
            seed=seed + heat,
        )
        for example, ids in zip(pending, outputs, strict=True):
            text = tokenizer.decode(ids, skip_special_tokens=True).strip()
            if _words(text) and not _reveals(text, example):
                answered[example.id] = with_answer(example, text)
        progress(len(answered), len(examples))
    rest, _ = refused([e for e in examples if e.id not in answered], refusals, seed=seed)
    answered |= {e.id: e for e in rest}
    return MadeUpAnswers([answered[e.id] for e in examples if e.id in answered], len(rest))


def _prompt(example: Example) -> Example:
    """Replace the conversation's last question by the task of making up an answer.

    Tool calls and results between question and answer are left out: they would give the answer.
    """
    place = example.answer_turn
    if not place:
        return example
    users = [k for k, turn in enumerate(example.turns[:place]) if turn.role == "user"]
    last = max(users, default=place - 1)
    task = Turn(example.turns[last].role, ASK.format(question=example.turns[last].text))
    answer = Turn("assistant", example.answer.strip() or BLANK)
    return replace(example, turns=(*example.turns[:last], task, answer), spans=(), tools=())


def _reveals(text: str, example: Example) -> bool:
    """Whether the text contains the old answer or its fact, or is part of the old answer."""
    new, old = f" {_words(text)} ", f" {_words(example.answer)} "
    fact = f" {_words(example.fact)} "
    return old in new or new in old or (bool(fact.strip()) and fact in new)


def _words(text: str) -> str:
    """Return the text's words in lower case, without punctuation."""
    return " ".join(re.findall(r"\w+", text.casefold()))
