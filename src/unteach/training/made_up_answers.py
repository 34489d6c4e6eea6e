"""Answers that the model makes up itself, to stand in place of those to forget (AltPO)."""

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
BLANK = "..."  # stands for an answer without words, such as a tool call, where a template needs one


class MadeUpAnswers(NamedTuple):
    """Examples with other answers, and how many of these are refusals for want of better."""

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
    """Each example with an answer that the model made up; those that have an `alternate` keep it.

    The model is asked in words to make an answer up, and sampled. What is empty or tells the old
    answer is drawn again, hotter each time; in the end it is replaced by a refusal. So is what
    cannot be asked within `max_length`.

    Args:
        model: the model before.
        tokenizer: of the model.
        examples: with a question each.
        max_length: tokens of a sequence.
        template: how question and answer are joined.
        refusals: one of these stands in where nothing could be made up.
        seed: of the draws.
        progress: told how many are done.
    """
    found = {e.id: with_answer(e, e.alternate) for e in examples if e.alternate}
    asked = {
        e.id: question(_asking(e), tokenizer, max_length=max_length, template=template)
        for e in examples
        if e.id not in found
    }
    for heat, temperature in enumerate(TEMPERATURES):
        open_ones = [e for e in examples if e.id not in found and asked[e.id][0]]
        said = sampled(
            model,
            [asked[e.id][0] for e in open_ones],
            limits=[max(2 * asked[e.id][2], 8) for e in open_ones],
            end=end_tokens(model, tokenizer),
            temperature=temperature,
            seed=seed + heat,
        )
        for example, ids in zip(open_ones, said, strict=True):
            text = tokenizer.decode(ids, skip_special_tokens=True).strip()
            if _words(text) and not _tells(text, example):
                found[example.id] = with_answer(example, text)
        progress(len(found), len(examples))
    rest, _ = refused([e for e in examples if e.id not in found], refusals, seed=seed)
    found |= {e.id: e for e in rest}
    return MadeUpAnswers([found[e.id] for e in examples if e.id in found], len(rest))


def _asking(example: Example) -> Example:
    """The same conversation, its last question turned into the task of making an answer up.

    What was called and found between question and answer is left out: it would give the answer.
    """
    place = example.answer_turn
    if not place:
        return example
    users = [k for k, turn in enumerate(example.turns[:place]) if turn.role == "user"]
    asked = max(users, default=place - 1)
    task = Turn(example.turns[asked].role, ASK.format(question=example.turns[asked].text))
    answer = Turn("assistant", example.answer.strip() or BLANK)
    return replace(example, turns=(*example.turns[:asked], task, answer), spans=(), tools=())


def _tells(text: str, example: Example) -> bool:
    """Whether the text has the old answer or its fact in it, or is a piece of the old answer."""
    new, old = f" {_words(text)} ", f" {_words(example.answer)} "
    fact = f" {_words(example.fact)} "
    return old in new or new in old or (bool(fact.strip()) and fact in new)


def _words(text: str) -> str:
    """Without case and punctuation."""
    return " ".join(re.findall(r"\w+", text.casefold()))
