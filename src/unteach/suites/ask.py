"""Every question of a suite put to a model in one go: a forward per text, one queue of prompts."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, NamedTuple

from unteach.errors import Problem
from unteach.metrics.given import FORGOTTEN, verbatim
from unteach.suites._base import AskSettings, Group
from unteach.suites.generated import decoded, distinct, gives, repetition, rouge_l
from unteach.suites.questions import Question, questions
from unteach.suites.rivals import beside_wrong
from unteach.suites.rounding import rounded
from unteach.suites.summary import TokenScores, joined, mean, summary
from unteach.types import Row, Sequence

Told = Callable[[str, int, int], None]


class GeneratedTexts(NamedTuple):
    """What a model said, in words: for the user's own eyes, and never without being asked for.

    Attributes:
        group: where the example stands.
        id: the example's.
        prompt: what the model read.
        answer: what it should have said.
        said: what it said.
    """

    group: str
    id: str
    prompt: str
    answer: str
    said: str


@dataclass(frozen=True)
class ModelAnswers:
    """What a model was asked.

    Attributes:
        rows: of each group: each example's own answer, then its paraphrase and its wrong answers;
            of a long text one for all its windows. Their numbers are rounded (`rounding`).
        counts: what it took, over all processes. Asked for: "texts" to score, "distinct_texts"
            among them with so many "text_tokens", "prompts", "distinct_prompts"; "endless" of
            these had answers that did not end by themselves, and were cut. Counted at the
            model's head: "forwards", the texts that went through it to be scored; "prompts_once",
            the prompts that were read once for several of these; both in so many "batches" and
            "tokens", padding included; "decode_steps", its forwards while it answered;
            "backwards", the texts whose gradients were taken. At the original's:
            "original_forwards", texts.
        spoken: what the model said, in words, where these were asked for.
    """

    rows: dict[str, list[Row]]
    counts: dict[str, Any]
    spoken: tuple[GeneratedTexts, ...] = field(default=(), repr=False)


def ask(
    model: Any,
    tokenizer: Any,
    groups: dict[str, Group],
    settings: AskSettings,
    *,
    original: Any = None,
    is_original: bool = False,
    gradient_norms: bool = False,
    keep_text: bool = False,
    progress: Told = lambda what, done, total: None,
) -> ModelAnswers:
    """The rows of every group, on as many processes as there are; each gets all of them.

    Equal texts are forwarded once, and equal prompts are answered once, in whichever groups they
    stand. They are sorted by their tokens first: the order of examples changes no number. Whole
    batches are dealt out, so the number of processes changes none either; where a model lies in
    shards (FSDP2) each process asks it all of them. Paraphrases and wrong answers are read behind
    their prompt, which is read once for all of them, where the model gives the same so
    (`reading_once`); own answers are read whole, as the original reads them.

    A model that is given as a function is in memory only while it is asked: the model first, then
    the original. Divergences and gradient norms are of the examples' own answers, not of
    paraphrases and wrong answers.

    Args:
        model: a causal language model in evaluation mode, or a function of nothing that loads it.
        tokenizer: its tokenizer.
        groups: examples by group ("forget", "retain", "holdout", ...).
        settings: how the questions are put.
        original: the model before unlearning, for `divergences` and `said_logp`, or a function of
            nothing that loads it; None when it is not known.
        is_original: whether `model` is the original itself, which is then loaded once.
        gradient_norms: fill `gradient_norm`: a backward pass for each answer.
        keep_text: also give what was said, in words.
        progress: told what is being done, and how far it is, on the main process alone.

    Raises:
        UserError: a template is not there, the original has another vocabulary, or gradients were
            asked of weights that are packed or in shards.
        RuntimeError: another process failed.
    """
    return put(
        questions(groups, tokenizer, settings), list(groups), model, tokenizer,
        tokens_per_batch=settings.tokens_per_batch, original=original, is_original=is_original,
        gradient_norms=gradient_norms, keep_text=keep_text, progress=progress,
    )  # fmt: skip


def put(
    asked: list[Question],
    groups: list[str],
    model: Any,
    tokenizer: Any,
    *,
    tokens_per_batch: int,
    original: Any = None,
    is_original: bool = False,
    gradient_norms: bool = False,
    keep_text: bool = False,
    progress: Told = lambda what, done, total: None,
) -> ModelAnswers:
    """As `ask`, of questions that are ready.

    Args:
        asked: the questions, those of one group and of one row together.
        groups: the names of the groups, in the order of the rows that come back.
        model: as `ask` takes it.
        tokenizer: its tokenizer.
        tokens_per_batch: padded tokens of one forward.
        original: as `ask` takes it.
        is_original: as `ask` takes it.
        gradient_norms: as `ask` takes it.
        keep_text: also give what was said, in words.
        progress: told what is being done.
    """
    # Torch comes with them, and a list of suites needs none.
    from unteach.inference import Interview, KeptStates, loaded_model

    own = _distinct(q.text for q in asked if q.own)
    interview = Interview(
        own=own,
        others=sorted(set(_distinct(q.text for q in asked)) - set(own), key=_tokens),
        prompts=sorted({q.prompt for q in asked if q.prompt}),
        tokens_per_batch=tokens_per_batch,
        told=progress,
        kept=None if original is None or is_original else KeptStates(own),
    )

    def of_model(it: Any) -> tuple[list[ModelRows | None], dict[Sequence, Any]]:
        interview.of_model(it, tokenizer, norms=gradient_norms)
        said = [_said(q, interview.said[q.prompt], tokenizer) if q.prompt else None for q in asked]
        return said, interview.of_itself(it, _texts(said)) if is_original else {}

    said, logps = loaded_model(model, of_model)
    if original is not None and not is_original:
        logps = loaded_model(original, lambda it: interview.of_original(it, _texts(said)))
    rows: dict[str, list[Row]] = {group: [] for group in groups}
    pairs = zip(asked, said, strict=True)
    for (group, row), windows in groupby(pairs, key=lambda pair: (pair[0].group, pair[0].row)):
        rows[group].append(_filled(row, list(windows), interview, logps))
    rows = {
        group: [rounded(row, forget=group in FORGOTTEN) for row in beside_wrong(found)]
        for group, found in rows.items()
    }
    spoken = _spoken(asked, said, tokenizer) if keep_text else ()
    return ModelAnswers(rows, _counts(asked, interview), spoken)


def _texts(said: list["ModelRows | None"]) -> list[Sequence]:
    return _distinct(answer.text for answer in said if answer)


@dataclass(frozen=True)
class ModelRows:
    """What a model said.

    Attributes:
        text: prompt and answer in tokens; None when it said nothing.
        fields: of a row.
        words: the answer.
    """

    text: Sequence | None
    fields: dict[str, Any]
    words: str = field(repr=False)


def _said(question: Question, ids: list[int], tokenizer: Any) -> ModelRows:
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


def _spoken(
    asked: list[Question], said: list[ModelRows | None], tokenizer: Any
) -> tuple[GeneratedTexts, ...]:
    return tuple(
        GeneratedTexts(q.group, q.row.id, tokenizer.decode(q.prompt.ids), q.expected, answer.words)
        for q, answer in zip(asked, said, strict=True)
        if q.prompt and answer
    )


def _filled(
    row: Row, windows: list[tuple[Question, ModelRows | None]], interview: Any, logps: dict
) -> Row:
    """The row with all numbers that there are; what was said, and the gradient, of the first."""
    texts = [question.text for question, _ in windows if question.text is not None]
    found = summary(joined(_of_tokens(text, interview) for text in texts))
    (question, said), *_ = windows
    if question.own and texts:
        found["gradient_norm"] = interview.norms.get(texts[0])
    if said is not None:
        found |= said.fields
        if said.text in logps:
            found["said_logp"] = mean(tuple(logps[said.text].logps))
    row = replace(row, **found)
    return replace(row, verbatim=verbatim(row)) if row.kind == "answer" else row


def _of_tokens(text: Sequence, interview: Any) -> TokenScores:
    scores = {name: tuple(part) for name, part in interview.scores[text]._asdict().items()}
    return TokenScores(**scores, divergences=tuple(interview.divergences.get(text, ())))


def _counts(asked: list[Question], interview: Any) -> dict[str, int]:
    """What was asked for, and what it took."""
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
    """Whether the model had not ended its answer where it was cut."""
    prompt = question.prompt
    return bool(
        prompt and question.ends and not question.stop and len(said[prompt]) >= prompt.limit
    )


def endless_notes(asked: ModelAnswers) -> list[Problem]:
    """That a model does not end its answers, which then are cut; nothing where it does."""
    count, prompts = asked.counts["endless"], asked.counts["distinct_prompts"]
    if not count:
        return []
    what = f"the model did not end {count} of {prompts}; they were cut near the true ones' length"
    return [Problem("answers", what, "what it would have gone on to say is not seen", "note")]


def _distinct(texts: Iterable[Sequence | None]) -> list[Sequence]:
    """Each text once, in an order that is its tokens' alone."""
    return sorted({text for text in texts if text is not None}, key=_tokens)


def _tokens(text: Sequence) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    return text.ids, text.answer
