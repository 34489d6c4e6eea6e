"""Evaluate a model on all groups of a suite: score its answers, generate, and build rows."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, NamedTuple

from unteach.errors import Problem
from unteach.metrics.earlier import is_forgotten
from unteach.metrics.given import verbatim
from unteach.suites._base import AskSettings, Group
from unteach.suites.generated import decoded, distinct, gives, repetition, rouge_l
from unteach.suites.questions import Question, questions
from unteach.suites.rivals import beside_wrong
from unteach.suites.rounding import rounded
from unteach.suites.summary import joined, mean, summary
from unteach.types import Row, Sequence, TokenScores

Told = Callable[[str, int, int], None]


class GeneratedTexts(NamedTuple):
    """A generated answer in plain text, only made when the user requests texts.

    Attributes:
        group: of the example.
        id: of the example.
        prompt: the text that the model read.
        answer: the expected answer.
        said: the generated text.
    """

    group: str
    id: str
    prompt: str
    answer: str
    said: str


@dataclass(frozen=True)
class ModelAnswers:
    """The result of evaluating a model on a suite.

    Attributes:
        rows: by group: each example's own answer, then its paraphrase and its wrong answers; a long
            text has one row for all its windows. Numbers are rounded (`rounding`).
        counts: amount of work, over all processes. Requested: "texts" to score, "distinct_texts"
            among them and their "text_tokens", "prompts", "distinct_prompts"; "endless" is the
            number of prompts whose answer did not end by itself and was cut. Counted at the
            model's head: "forwards", the scored texts; "prompts_once", prompts that were forwarded
            once for several texts; both took "batches" batches and "tokens" tokens, padding
            included; "decode_steps", forwards during generation; "backwards", texts with a gradient
            norm. Counted at the original's head: "original_forwards", texts.
        spoken: generated texts, where these were requested.
    """

    rows: dict[str, list[Row]]
    counts: dict[str, Any]
    spoken: tuple[GeneratedTexts, ...] = field(default=(), repr=False)


def score_groups(
    model: Any, tokenizer: Any, groups: dict[str, Group], settings: AskSettings, **options: Any
) -> ModelAnswers:
    """Tokenise the examples of every group, and compute their rows; see `score_questions`.

    Args:
        model: see `score_questions`.
        tokenizer: of the model.
        groups: examples by group ("forget", "retain", "holdout", ...).
        settings: for scoring and generation.
        options: of `score_questions`.

    Raises:
        UserError: a chat template is missing; and as `score_questions`.
    """
    asked = questions(groups, tokenizer, settings)
    tokens = settings.tokens_per_batch
    return score_questions(
        asked, list(groups), model, tokenizer, tokens_per_batch=tokens, **options
    )


def score_questions(
    asked: list[Question],
    groups: list[str],
    model: Any,
    tokenizer: Any,
    *,
    tokens_per_batch: int,
    original: Any = None,
    is_original: bool = False,
    states: Any = None,
    gradient_norms: bool = False,
    keep_text: bool = False,
    progress: Told = lambda what, done, total: None,
) -> ModelAnswers:
    """Compute the rows of every group, split over all processes; each process gets all rows.

    Equal texts are forwarded once, and equal prompts are answered once, also across groups. Texts
    are sorted by their tokens first, so the order of examples changes no number. Complete batches
    are split over processes, so the number of processes changes no number either; with a sharded
    model (FSDP2) every process runs all batches. The prompt of paraphrases and wrong answers is
    forwarded once for all of them, where the model gives the same scores that way
    (`reading_once`). Own answers are forwarded with their prompt, as the original does it.

    A model given as a function is in memory only while it is used: the model first, then the
    original. Divergences and gradient norms are computed for the examples' own answers, not for
    paraphrases and wrong answers.

    Args:
        asked: the questions, ordered by group and row.
        groups: names of the groups, in the order of the returned rows.
        model: a causal language model in evaluation mode, or a function without arguments that
            loads it.
        tokenizer: of the model.
        tokens_per_batch: padded tokens of one forward.
        original: the original model, for `divergences` and `said_logp`, or a function without
            arguments that loads it; None when it is not known.
        is_original: whether `model` is the original itself, which is then loaded only once.
        states: `OriginalStates`, which the original fills; models that are asked the same
            afterwards are compared with them. None forwards the original's texts for each model.
        gradient_norms: fill `gradient_norm`, with one backward pass per answer.
        keep_text: also return the generated texts.
        progress: called with stage, done and total, on the main process only.

    Raises:
        UserError: the original has another vocabulary, or gradients were requested for quantized
            or sharded weights.
        RuntimeError: another process failed.
    """
    # Imported here because it imports torch, which listing the suites does not need.
    from unteach.inference import Interview, KeptStates, OriginalStates, loaded_model

    own = _distinct(q.text for q in asked if q.own)
    interview = Interview(
        own=own,
        others=sorted(set(_distinct(q.text for q in asked)) - set(own), key=_tokens),
        prompts=sorted({q.prompt for q in asked if q.prompt}),
        tokens_per_batch=tokens_per_batch,
        told=progress,
        kept=None if original is None or is_original else KeptStates(own),
        original=is_original,
        states=states or OriginalStates(),
    )

    def of_model(it: Any) -> tuple[list[ModelRows | None], dict[Sequence, list[float]]]:
        interview.of_model(it, tokenizer, norms=gradient_norms)
        answers = [
            _generated(q, interview.said[q.prompt], tokenizer) if q.prompt else None for q in asked
        ]
        return answers, _of_itself(it, interview, asked, answers) if is_original else {}

    answers, logps = loaded_model(model, of_model)
    if original is not None and not is_original:
        said = _scored(answers)
        logps = _logps(loaded_model(original, lambda it: interview.of_original(it, said)))
    rows: dict[str, list[Row]] = {group: [] for group in groups}
    pairs = zip(asked, answers, strict=True)
    for (group, row), windows in groupby(pairs, key=lambda pair: (pair[0].group, pair[0].row)):
        rows[group].append(_filled(row, list(windows), interview, logps))
    rows = {
        group: [rounded(row, forget=is_forgotten(group)) for row in beside_wrong(exact)]
        for group, exact in rows.items()
    }
    spoken = _texts(asked, answers, tokenizer) if keep_text else ()
    return ModelAnswers(rows, _counts(asked, interview), spoken)


def _of_itself(
    model: Any, interview: Any, asked: list[Question], answers: list["ModelRows | None"]
) -> dict[Sequence, list[float]]:
    """Log-probabilities of what the original said: from decoding, or from a forward of each."""
    said = [
        (question.prompt, answer.text)
        for question, answer in zip(asked, answers, strict=True)
        if question.prompt in interview.said_logps and answer and answer.text
    ]
    known: dict[Sequence, list[float]] = {}
    for prompt, text in sorted(said, key=lambda pair: pair[0] or ()):
        size = sum(text.answer)  # a stop string may have cut the answer
        known.setdefault(text, interview.said_logps[prompt][:size])
    others = [text for text in _scored(answers) if text not in known]
    return known | _logps(interview.of_itself(model, others))


def _logps(scores: dict[Sequence, Any]) -> dict[Sequence, list[float]]:
    return {text: found.logps for text, found in scores.items()}


def _scored(answers: list["ModelRows | None"]) -> list[Sequence]:
    """The generated answers that the original scores, each once."""
    return _distinct(answer.text for answer in answers if answer)


@dataclass(frozen=True)
class ModelRows:
    """A generated answer.

    Attributes:
        text: tokens of prompt and answer; None when the answer is empty.
        fields: values for the fields of a row.
        words: the answer as text.
    """

    text: Sequence | None
    fields: dict[str, Any]
    words: str = field(repr=False)


def _generated(question: Question, ids: list[int], tokenizer: Any) -> ModelRows:
    text, ids = decoded(ids, tokenizer, question.stop)
    overlap = rouge_l(text, question.expected, stemmed=question.stemmed)
    fields = {
        "rouge_l_recall": overlap.recall,
        "rouge_l_f1": overlap.f1,
        "fact_given": gives(text, question.fact) if question.fact else None,
        "said_tokens": len(ids),
        "said_repetition": repetition(text),
        "said_distinct": distinct(text),
    }
    assert question.prompt is not None
    prompt = question.prompt.ids
    mask = (False,) * len(prompt) + (True,) * len(ids)
    return ModelRows(Sequence("", (*prompt, *ids), mask) if ids else None, fields, text)


def _texts(
    asked: list[Question], answers: list[ModelRows | None], tokenizer: Any
) -> tuple[GeneratedTexts, ...]:
    return tuple(
        GeneratedTexts(q.group, q.row.id, tokenizer.decode(q.prompt.ids), q.expected, answer.words)
        for q, answer in zip(asked, answers, strict=True)
        if q.prompt and answer
    )


def _filled(
    row: Row, windows: list[tuple[Question, ModelRows | None]], interview: Any, logps: dict
) -> Row:
    """Fill a row from its windows; generation and gradient norm are those of the first window."""
    texts = [question.text for question, _ in windows if question.text is not None]
    fields = summary(joined(_of_tokens(text, interview) for text in texts))
    (question, answer), *_ = windows
    if question.own and texts:
        fields["gradient_norm"] = interview.norms.get(texts[0])
    if answer is not None:
        fields |= answer.fields
        if answer.text in logps:
            fields["said_logp"] = mean(tuple(logps[answer.text]))
    row = replace(row, **fields)
    return replace(row, verbatim=verbatim(row)) if row.kind == "answer" else row


def _of_tokens(text: Sequence, interview: Any) -> TokenScores:
    return interview.scores[text]._replace(divergences=interview.divergences.get(text, ()))


def _counts(asked: list[Question], interview: Any) -> dict[str, int]:
    """Counts of requested texts and prompts, and of the work done."""
    return {
        "texts": sum(q.text is not None for q in asked),
        "distinct_texts": len(interview.own) + len(interview.others),
        "text_tokens": sum(len(text.ids) for text in interview.own + interview.others),
        "prompts": sum(q.prompt is not None for q in asked),
        "distinct_prompts": len(interview.prompts),
        "endless": len({q.prompt for q in asked if _endless(q, interview.said)}),
        **interview.total(),
    }


def _endless(question: Question, said: dict) -> bool:
    """Whether the answer was cut at its limit before the model ended it."""
    prompt = question.prompt
    return bool(
        prompt and question.ends and not question.stop and len(said[prompt]) >= prompt.limit
    )


def endless_notes(asked: ModelAnswers) -> list[Problem]:
    """A note if some answers did not end by themselves and were cut; else an empty list."""
    count, prompts = asked.counts["endless"], asked.counts["distinct_prompts"]
    if not count:
        return []
    what = f"the model did not end {count} of {prompts}; they were cut near the true ones' length"
    return [Problem("answers", what, "what it would have gone on to say is not seen", "note")]


def _distinct(texts: Iterable[Sequence | None]) -> list[Sequence]:
    """Each text once, sorted by tokens."""
    return sorted({text for text in texts if text is not None}, key=_tokens)


def _tokens(text: Sequence) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    return text.ids, text.answer
