"""Every question of a suite put to a model in one go: a forward per text, one queue of prompts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from unteach.nouns import Row, Sequence
from unteach.suites._base import Group, Settings
from unteach.suites.questions import Question, questions
from unteach.suites.said import decoded, distinct, gives, repetition, rouge_l

Told = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Asked:
    """What a model was asked.

    Attributes:
        rows: of each group: each example's own answer, then its paraphrase and its wrong answers.
        counts: what it took; see `ask`.
    """

    rows: dict[str, list[Row]]
    counts: dict[str, int]


def ask(
    model: Any,
    tokenizer: Any,
    groups: dict[str, Group],
    settings: Settings,
    *,
    original: Any = None,
    gradient_norms: bool = False,
    progress: Told = lambda what, done, total: None,
) -> Asked:
    """The rows of every group.

    Equal texts are forwarded once, and equal prompts are answered once, in whichever groups they
    stand. Texts are sorted by their tokens first, so the order of examples changes no number.

    Args:
        model: a causal language model in evaluation mode, or a function of nothing that loads one,
            which is then freed as soon as it was asked.
        tokenizer: its tokenizer.
        groups: examples by group ("forget", "retain", "holdout", ...).
        settings: how the questions are put.
        original: the model before unlearning, or a function that loads it; not read yet.
        gradient_norms: fill the rows' `gradient_norm`; not done yet.
        progress: told what is being done, and how far it is, on the main process alone.
    """
    from unteach.probes import answer_tokens, end_tokens, greedy

    asked = questions(groups, tokenizer, settings)
    texts = sorted({q.text for q in asked if q.text}, key=_tokens)
    prompts = sorted({q.prompt for q in asked if q.prompt})
    with at_hand(model) as loaded:
        answered = answer_tokens(
            loaded,
            texts,
            tokens_per_batch=settings.tokens_per_batch,
            progress=lambda done, total: progress("scoring answers", done, total),
        )
        said = greedy(
            loaded,
            [prompt.ids for prompt in prompts],
            limits=[prompt.limit for prompt in prompts],
            end=end_tokens(loaded, tokenizer),
            tokens_per_batch=2 * settings.tokens_per_batch,
            progress=lambda done, total: progress("asking for answers", done, total),
        )
    scores = dict(zip(texts, answered, strict=True))
    answers = dict(zip(prompts, said, strict=True))
    rows: dict[str, list[Row]] = {group: [] for group in groups}
    for q in asked:
        row = q.row
        if q.text:
            row = replace(row, **{k: tuple(v) for k, v in scores[q.text]._asdict().items()})
        if q.prompt:
            row = replace(row, **_said(q, answers[q.prompt], tokenizer))
        rows[q.group].append(row)
    counts = {
        "texts": sum(q.text is not None for q in asked),
        "distinct_texts": len(texts),
        "prompts": sum(q.prompt is not None for q in asked),
        "distinct_prompts": len(prompts),
    }
    return Asked(rows, counts)


@contextmanager
def at_hand(model: Any) -> Iterator[Any]:
    """The model, or the one that the function loads: it is freed at the end."""
    import torch

    yield model if isinstance(model, torch.nn.Module) else model()


def _tokens(text: Sequence) -> tuple:
    return text.ids, text.answer


def _said(question: Question, ids: list[int], tokenizer: Any) -> dict[str, Any]:
    """The fields of a row that are about what the model said."""
    text, ids = decoded(ids, tokenizer, question.stop)
    overlap = rouge_l(text, question.expected)
    return {
        "rouge_l_recall": overlap.recall,
        "rouge_l_f1": overlap.f1,
        "fact_given": gives(text, question.fact) if question.fact else None,
        "said_tokens": len(ids),
        "said_repetition": repetition(text),
        "said_distinct": distinct(text),
    }
