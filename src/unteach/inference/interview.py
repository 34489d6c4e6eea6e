"""Score all texts and prompts with a model, and compare it with the original model."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from unteach.inference.agreement import reading_once
from unteach.inference.budget import answering_tokens
from unteach.inference.caches import depends_on_length
from unteach.inference.divergence import KeptStates, OriginalStates, divergences
from unteach.inference.generation import end_tokens, greedy, greedy_scored
from unteach.inference.gradients import gradient_norms
from unteach.inference.loaded import counted
from unteach.inference.rows import agree_on_head
from unteach.inference.scoring import answer_tokens
from unteach.inference.shared_prompts import SharedPromptReader
from unteach.processes.lockstep import in_lockstep
from unteach.processes.share import speaks, together
from unteach.progress import ProgressCallback
from unteach.types import Sequence, TokenScores

Asking = tuple[tuple[int, ...], int]
"""Token ids of a prompt, and the maximum number of new tokens."""
ALIKE = 1e-3  # nats: rounding of decoding against a forward of the whole text stays far below


@dataclass(kw_only=True)
class Interview:
    """Distinct tokenized texts and prompts, and their scores and generated answers.

    The work is split over all processes. With a sharded model every process does all of it, and
    only the main process counts.

    Attributes:
        own: texts that are also scored by the original, and whose gradient norms may be computed.
        others: texts that are only scored by the model; shared prompts are forwarded once.
        prompts: prompts to generate from, each with its maximum number of new tokens.
        tokens_per_batch: padded tokens of one forward; for generation batches see `budget`.
        told: progress callback: stage, done, total.
        kept: hidden states of the model for the comparison; None without an original.
        original: whether the model is the original itself, and scores what it says.
        states: hidden states of the original, kept for the models after it.
        scores: log-probabilities of each text.
        norms: gradient norm of each own text, where requested.
        divergences: KL divergence of each own text from the original.
        said: generated token ids for each prompt.
        said_logps: their log-probabilities, where the model is the original and decoding has them.
        counts: forwards, batches and tokens on this process; for the names see `score_groups`.
    """

    own: list[Sequence]
    others: list[Sequence]
    prompts: list[Asking]
    tokens_per_batch: int
    told: Callable[[str, int, int], None]
    kept: KeptStates | None = None
    original: bool = False
    states: OriginalStates = field(default_factory=OriginalStates)
    scores: dict[Sequence, TokenScores] = field(default_factory=dict)
    norms: dict[Sequence, float] = field(default_factory=dict)
    divergences: dict[Sequence, list[float]] = field(default_factory=dict)
    said: dict[Asking, list[int]] = field(default_factory=dict)
    said_logps: dict[Asking, list[float]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def of_model(self, model: Any, tokenizer: Any, *, norms: bool = False) -> None:
        """Score the texts, compute gradient norms if requested, and generate from the prompts."""
        _check_head(model, self.own + self.others)
        once = reading_once(model, self.others, tokens_per_batch=self.tokens_per_batch, shared=True)
        if self.original:
            self.states.begin(self.own)
        with counted(model) as through:
            kept = self.states if self.original else self.kept
            self.scores = self._score(model, self.own, "answers", kept=kept)
            self.scores |= self._score(model, self.others, "other answers", once=once)
        if self.original:
            self.states.agree()
        prompts = once.prompts if once else 0
        self._count(model, forwards=through.texts - prompts, prompts_once=prompts)
        self._count(model, batches=through.batches, tokens=through.tokens)
        if norms:
            with counted(model) as through:
                progress = self._progress("taking gradients")
                values = gradient_norms(model, self.own, shared=True, progress=progress)
            self.norms = dict(zip(self.own, values, strict=True))
            self._count(model, backwards=through.texts)
        with counted(model) as through:
            self._answer(model, tokenizer)
        self._count(model, decode_steps=through.batches)

    def _answer(self, model: Any, tokenizer: Any) -> None:
        """Generate from the prompts, but for those whose given answer the model knows by heart.

        Of these, the shortest and the longest prompt are decoded nevertheless: some models read
        padding, or a short text beside a long one, otherwise than the text alone. In narrower types
        than float32 decoding rounds otherwise than a forward of the whole text.
        """
        end = end_tokens(model, tokenizer)
        plain = model.dtype == torch.float32 and not depends_on_length(model)
        known = self._known_by_heart(end) if plain else {}
        order = sorted(known, key=lambda prompt: len(prompt[0]))
        checked = {*order[:1], *order[-1:]}
        self._decode(model, [p for p in self.prompts if p not in known or p in checked], end)
        others = [prompt for prompt in order if prompt not in checked]
        if any(self.said[prompt] != known[prompt][0] for prompt in checked):
            return self._decode(model, others, end)
        for prompt in others:
            self.said[prompt], logps = known[prompt]
            if self.original:
                self.said_logps[prompt] = logps

    def _known_by_heart(self, end: list[int]) -> dict[Asking, tuple[list[int], list[float]]]:
        """Answers, and their log-probabilities, of which each token and the end are likeliest."""
        found: dict[Asking, tuple[list[int], list[float]]] = {}
        limits = dict(self.prompts)
        for text in self.own:
            scores, size = self.scores[text], sum(text.answer)
            ids, answer = text.ids[:-size], text.ids[-size:]
            ends_once = [token in end for token in answer] == [False] * (size - 1) + [True]
            in_one = all(text.answer[-size:]) and size <= limits.get(ids, 0)
            if in_one and ends_once and all(scores.hits):
                found[ids, limits[ids]] = [*answer[:-1]], [*scores.logps[:-1]]
        return found

    def _decode(self, model: Any, prompts: list[Asking], end: list[int]) -> None:
        """Generate from prompts; where the model is the original, its own answers are scored too.

        Not where decoding rounds otherwise than a forward of the whole text, as the original reads
        those of other models.
        """
        given: dict[str, Any] = {
            "limits": [limit for _, limit in prompts],
            "end": end,
            "tokens_per_batch": answering_tokens(model, self.tokens_per_batch),
            "shared": True,
            "progress": self._progress("asking for answers"),
        }
        asked = [ids for ids, _ in prompts]
        if self.original and model.dtype == torch.float32:
            answers, logps = greedy_scored(model, asked, **given)
            if all(together(lambda: _scored_alike(model, asked, answers, logps))):
                self.said_logps |= dict(zip(prompts, logps, strict=True))
        else:
            answers = greedy(model, asked, **given)
        self.said |= dict(zip(prompts, answers, strict=True))

    def of_original(self, original: Any, said: list[Sequence]) -> dict[Sequence, TokenScores]:
        """Compute the model's KL divergence from the original, and score its generated texts."""
        assert self.kept is not None, "nothing was kept of the model"
        _check_head(original, self.own + said)
        with counted(original) as through:
            values = divergences(
                original,
                self.own,
                self.kept,
                states=self.states.of(self.own),
                tokens_per_batch=self.tokens_per_batch,
                shared=True,
                progress=self._progress("comparing with the original"),
            )
            scores = self._score(original, said, "what was said")
        self.divergences = dict(zip(self.own, values, strict=True))
        self._count(original, original_forwards=through.texts)
        return scores

    def of_itself(self, original: Any, said: list[Sequence]) -> dict[Sequence, TokenScores]:
        """As `of_original`, where the model is the original: its own divergence is 0.

        Args:
            original: the model.
            said: its answers, as far as decoding did not score them.
        """
        with counted(original) as through:
            scores = self._score(original, said, "what was said")
        self.divergences = {text: [0.0] * sum(text.answer) for text in self.own}
        self._count(original, original_forwards=through.texts)
        return scores

    def total(self) -> dict[str, int]:
        """The counts, summed over all processes."""
        total: Counter[str] = Counter()
        for counts in together(lambda: self.counts):
            total.update(counts)
        return dict(total)

    def _score(
        self,
        model: Any,
        texts: list[Sequence],
        what: str,
        *,
        kept: KeptStates | OriginalStates | None = None,
        once: SharedPromptReader | None = None,
    ) -> dict[Sequence, TokenScores]:
        scores = answer_tokens(
            model,
            texts,
            tokens_per_batch=self.tokens_per_batch,
            kept=kept,
            once=once,
            shared=True,
            progress=self._progress(f"scoring {what}"),
        )
        return dict(zip(texts, scores, strict=True))

    def _count(self, model: Any, **counts: int) -> None:
        if not in_lockstep(model) or speaks(shared=True):
            self.counts.update(counts)

    def _progress(self, what: str) -> ProgressCallback:
        return lambda done, total: self.told(what, done, total)


def _check_head(model: Any, texts: list[Sequence]) -> None:
    """Check the head before counting starts: its one short forward is not a scored text."""
    if texts:
        agree_on_head(model, texts)


def _scored_alike(
    model: Any, prompts: list[tuple[int, ...]], answers: list[list[int]], logps: list[list[float]]
) -> bool:
    """Whether decoding scored the answers of the shortest and longest prompt as a forward does."""
    order = sorted((len(ids), k) for k, ids in enumerate(prompts) if answers[k])
    ends = [order[0][1], order[-1][1]] if order else []
    texts = [
        Sequence(
            "", (*prompts[k], *answers[k]), (False,) * len(prompts[k]) + (True,) * len(answers[k])
        )
        for k in ends
    ]
    pairs = zip(ends, answer_tokens(model, texts), strict=True)
    gaps = [abs(a - b) for k, one in pairs for a, b in zip(logps[k], one.logps, strict=True)]
    return max(gaps, default=0.0) <= ALIKE
