"""All questions to one model, and those about it to the original, each in as few passes as do."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from unteach.inference.agreement import reading_once
from unteach.inference.budget import answering_tokens
from unteach.inference.divergence import KeptStates, divergences
from unteach.inference.generation import end_tokens, greedy
from unteach.inference.gradients import gradient_norms
from unteach.inference.loaded import counted
from unteach.inference.rows import agree_on_head
from unteach.inference.scoring import AnswerLogps, answer_tokens
from unteach.inference.shared_prompts import SharedPromptReader
from unteach.processes.lockstep import in_lockstep
from unteach.processes.share import speaks, together
from unteach.progress import ProgressCallback
from unteach.types import Sequence

Asking = tuple[tuple[int, ...], int]
"""The tokens of a prompt, and the most new ones."""


@dataclass(kw_only=True)
class Interview:
    """Distinct questions in tokens, and what was said to them; shared by all processes.

    A model in shards is asked everything by every process, which counts once.

    Attributes:
        own: texts that the original is asked too, and whose gradients are taken where wanted.
        others: texts that are scored alone; prompts that several have are read once.
        prompts: what the model is asked, and the most new tokens.
        tokens_per_batch: padded tokens of one forward; of a batch of answers, see `budget`.
        told: what is being done, and how far it is.
        kept: what of the model the original is compared with; None without an original.
        scores: of each text.
        norms: of each own text, where wanted.
        divergences: of each own text, with an original.
        said: to each prompt, in tokens.
        counts: what it took on this process; the names are those of `ask`.
    """

    own: list[Sequence]
    others: list[Sequence]
    prompts: list[Asking]
    tokens_per_batch: int
    told: Callable[[str, int, int], None]
    kept: KeptStates | None = None
    scores: dict[Sequence, AnswerLogps] = field(default_factory=dict)
    norms: dict[Sequence, float] = field(default_factory=dict)
    divergences: dict[Sequence, list[float]] = field(default_factory=dict)
    said: dict[Asking, list[int]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def of_model(self, model: Any, tokenizer: Any, *, norms: bool = False) -> None:
        """Score the texts, take the gradients where wanted, and let it answer the prompts."""
        _look_at_head(model, self.own + self.others)
        once = reading_once(model, self.others, tokens_per_batch=self.tokens_per_batch, shared=True)
        with counted(model) as through:
            self.scores = self._score(model, self.own, "answers", kept=self.kept)
            self.scores |= self._score(model, self.others, "other answers", once=once)
        prompts = once.prompts if once else 0
        self._count(model, forwards=through.texts - prompts, prompts_once=prompts)
        self._count(model, batches=through.batches, tokens=through.tokens)
        if norms:
            with counted(model) as through:
                progress = self._progress("taking gradients")
                found = gradient_norms(model, self.own, shared=True, progress=progress)
            self.norms = dict(zip(self.own, found, strict=True))
            self._count(model, backwards=through.texts)
        with counted(model) as through:
            said = greedy(
                model,
                [ids for ids, _ in self.prompts],
                limits=[limit for _, limit in self.prompts],
                end=end_tokens(model, tokenizer),
                tokens_per_batch=answering_tokens(model, self.tokens_per_batch),
                shared=True,
                progress=self._progress("asking for answers"),
            )
        self.said = dict(zip(self.prompts, said, strict=True))
        self._count(model, decode_steps=through.batches)

    def of_original(self, original: Any, said: list[Sequence]) -> dict[Sequence, AnswerLogps]:
        """Measure how far the model's distributions are from its own; score what the model said."""
        assert self.kept is not None, "nothing was kept of the model"
        _look_at_head(original, self.own + said)
        with counted(original) as through:
            found = divergences(
                original,
                self.own,
                self.kept,
                tokens_per_batch=self.tokens_per_batch,
                shared=True,
                progress=self._progress("comparing with the original"),
            )
            scores = self._score(original, said, "what was said")
        self.divergences = dict(zip(self.own, found, strict=True))
        self._count(original, original_forwards=through.texts)
        return scores

    def of_itself(self, original: Any, said: list[Sequence]) -> dict[Sequence, AnswerLogps]:
        """As `of_original`, where the model is the original: its own divergence is 0."""
        with counted(original) as through:
            scores = self._score(original, said, "what was said")
        self.divergences = {text: [0.0] * sum(text.answer) for text in self.own}
        self._count(original, original_forwards=through.texts)
        return scores

    def total(self) -> dict[str, int]:
        """The counts of all processes."""
        found: Counter[str] = Counter()
        for counts in together(lambda: self.counts):
            found.update(counts)
        return dict(found)

    def _score(
        self,
        model: Any,
        texts: list[Sequence],
        what: str,
        *,
        kept: KeptStates | None = None,
        once: SharedPromptReader | None = None,
    ) -> dict[Sequence, AnswerLogps]:
        found = answer_tokens(
            model,
            texts,
            tokens_per_batch=self.tokens_per_batch,
            kept=kept,
            once=once,
            shared=True,
            progress=self._progress(f"scoring {what}"),
        )
        return dict(zip(texts, found, strict=True))

    def _count(self, model: Any, **counts: int) -> None:
        if not in_lockstep(model) or speaks(shared=True):
            self.counts.update(counts)

    def _progress(self, what: str) -> ProgressCallback:
        return lambda done, total: self.told(what, done, total)


def _look_at_head(model: Any, texts: list[Sequence]) -> None:
    """So that its first look at a model, which is short, is not counted as a text."""
    if texts:
        agree_on_head(model, texts)
