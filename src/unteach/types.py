"""Define the frozen dataclasses that the stages pass to each other; needs no torch."""

import re
from collections.abc import Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Role = Literal["forget", "retain", "holdout"]
ROLES: tuple[Role, ...] = ("forget", "retain", "holdout")
Span = tuple[int, int]
"""Character range of a text: start, and end (exclusive)."""


@dataclass(frozen=True, kw_only=True)
class Paper:
    """Citation of a paper; every report cites the papers that its run used."""

    title: str
    authors: str
    year: int
    arxiv: str
    where: str
    venue: str = ""

    @property
    def url(self) -> str:
        """URL of the paper on arXiv."""
        return f"https://arxiv.org/abs/{self.arxiv}"

    def bibtex(self) -> str:
        """Return a BibTeX entry.

        Example:
            >>> paper = Paper(title="On Rows", authors="Ann Lee and Bo Li", year=2025,
            ...               arxiv="2501.00001", where="eq. 2")
            >>> print(paper.bibtex().splitlines()[0])
            @misc{lee2025rows,
        """
        first = re.sub(r"[^a-z]", "", self.authors.split(" and ")[0].split()[-1].lower())
        words = re.findall(r"[a-z]+", self.title.lower())
        word = next((w for w in words if len(w) > 3), words[0])
        lines = [
            f"  title = {{{self.title}}}",
            f"  author = {{{self.authors}}}",
            f"  year = {{{self.year}}}",
            f"  eprint = {{{self.arxiv}}}",
            "  archivePrefix = {arXiv}",
        ]
        if self.venue:
            lines.append(f"  note = {{{self.venue}}}")
        return f"@misc{{{first}{self.year}{word},\n" + ",\n".join(lines) + "\n}"


@dataclass(frozen=True)
class Turn:
    """One message of a conversation.

    Attributes:
        role: "system", "user", "assistant", "tool" or another role of the chat template.
        text: the content of the message.
        supervised: whether an assistant turn is trained on; False where the file excludes it
            (`weight` 0 or `train` false).
        template_keys: further keys of the message that the chat template reads: `tool_calls`,
            `reasoning_content`, `name`, ...
    """

    role: str
    text: str
    supervised: bool = True
    template_keys: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class Example:
    """One example of the forget, retain or holdout set, as the user wrote it.

    Attributes:
        id: role and row number (`forget-12`); contains no text of the example.
        where: file and line, for messages.
        kind: "pair" (one prompt, one answer), "chat" (a conversation) or "text" (raw).
        turns: the messages of a pair or a chat; empty for raw text.
        text: the raw text; empty otherwise.
        paraphrase: the answer in other words (TOFU's `paraphrased_answer`).
        perturbed: wrong answers of the same form (TOFU's `perturbed_answer`).
        fact: the short string that makes the answer correct, where the data has it.
        alternate: the replacement answer, for methods that train on one (DPO, AltPO).
        spans: character ranges of the answer that the user marked.
        subject: names of the people or things it is about, where the data has them.
        tools: descriptions of the functions that the model may call, for the chat template.
    """

    id: str
    where: str
    kind: Literal["pair", "chat", "text"]
    turns: tuple[Turn, ...] = ()
    text: str = ""
    paraphrase: str = ""
    perturbed: tuple[str, ...] = ()
    fact: str = ""
    alternate: str = ""
    spans: tuple[Span, ...] = ()
    subject: tuple[str, ...] = ()
    tools: tuple[Any, ...] = field(default=(), hash=False, repr=False)

    @property
    def answer_turn(self) -> int | None:
        """Index of the last supervised assistant turn, the one to generate; None without one."""
        places = (k for k, t in enumerate(self.turns) if t.role == "assistant" and t.supervised)
        return max(places, default=None)

    @property
    def answer(self) -> str:
        """The content of the last supervised assistant turn, or the whole raw text."""
        if not self.turns:
            return self.text
        return "" if self.answer_turn is None else self.turns[self.answer_turn].text


Numbers = Items[float]


class TokenScores(NamedTuple):
    """Scores of an answer's tokens, in order; never written to disk.

    Attributes:
        logps: log-probabilities, in nats.
        hits: whether each was the most likely token.
        ranks: how many tokens of the vocabulary were more likely.
        means: mean of log p over the vocabulary, weighted by p.
        spreads: standard deviation of log p, with the same weights.
        divergences: KL(original || model) over the vocabulary; empty when it is not known.
    """

    logps: Numbers = ()
    hits: Items[bool] = ()
    ranks: Items[int] = ()
    means: Numbers = ()
    spreads: Numbers = ()
    divergences: Numbers = ()


@dataclass(frozen=True)
class Sequence:
    """A tokenised example with its answer mask.

    Attributes:
        id: the example's id; windows of a long text add `/2`, `/3`, ...
        ids: token ids.
        answer: mask of the answer tokens; False for the first token, which nothing predicts.
        cut: number of answer tokens beyond the context length.
        text: the tokenised text; empty where only the tokens are known.
        offsets: character range in `text` of each token; an empty range for a special token.
        spans: character ranges of `text` that the user marked.
        subject: names of the people or things it is about, where the data has them.
    """

    id: str
    ids: tuple[int, ...]
    answer: tuple[bool, ...]
    cut: int = 0
    text: str = field(default="", repr=False)  # repr=False keeps texts out of logs
    offsets: tuple[Span, ...] = field(default=(), repr=False)
    spans: tuple[Span, ...] = field(default=(), repr=False)
    subject: tuple[str, ...] = field(default=(), repr=False)

    @property
    def prompt_length(self) -> int:
        """Number of tokens before the first answer token."""
        return self.answer.index(True) if True in self.answer else len(self.ids)


SHORT = 8
"""Answers with fewer tokens than this keep only the fields in LITTLE."""
LITTLE = ("id", "kind", "index", "tokens", "logp", "matched", "strength", "truth_ratio",
          "truth_ratio_geometric", "choice", "zlib", "rouge_l_recall", "rouge_l_f1", "fact_given",
          "verbatim", "said_tokens", "said_repetition", "said_distinct", "said_logp")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Row:
    """Metrics of one model on one answer as a whole; holds no text and no value of one token.

    `suites.ask` rounds each number, more coarsely for fewer tokens (`suites.rounding`): with the
    model, an exact number would reveal the text. None means that the value is not known.

    Attributes:
        id: the example's id.
        kind: "answer" (the user's own), "paraphrase" or "perturbed" (numbered by `index`).
        index: which of several perturbed answers.
        tokens: number of answer tokens; 0 when the answer was not scored.
        logp: mean log-probability of the answer tokens, in nats.
        matched: share of the tokens that had the highest probability (argmax).
        strength: length of the run of such tokens at the end, as a share of the answer.
        reciprocal_rank: mean of 1 / (1 + number of likelier tokens).
        min_k: mean log-probability of the least likely fifth of the tokens.
        min_k_plus_plus: as `min_k`, of log-probabilities standardised over the vocabulary.
        min_40: as `min_k`, of the least likely 40%.
        matched_but_last: as `matched`, without the last token; None when there is no other.
        strength_but_last: as in OpenUnlearning, without the last token and never below 1/n.
        min_40_but_last: as `min_40`, without the last token; 0 when there is no other.
        min_40_plus_plus_but_last: likewise, of standardised log-probabilities.
        truth_ratio: mean probability per token of the wrong answers over that of the right one,
            which is the paraphrase where there is one; None without wrong answers.
        truth_ratio_geometric: likewise, with the geometric mean.
        choice: p(right) / (p(right) + sum of p(wrong)), per token; None without wrong answers.
        divergence: mean KL(original || model) over the vocabulary, in nats; None when the original
            model was not available.
        gradient_norm: norm of the gradient of the answer's mean loss with respect to all weights;
            None when not requested.
        zlib: size of the answer's text compressed with zlib, in bytes.
        rouge_l_recall: ROUGE-L recall of the greedy continuation against the answer; None when
            not generated.
        rouge_l_f1: likewise, the harmonic mean of recall and precision.
        fact_given: whether the continuation contains the example's fact; None when not known.
        verbatim: whether the model gives the answer word for word (`metrics.given`); None when it
            was neither scored nor generated.
        said_tokens: number of tokens of the continuation; None when not generated.
        said_repetition: share of the continuation's word 4-grams that occurred in it before; None
            when it has none.
        said_distinct: distinct words divided by words of the continuation; None when it has none.
        said_logp: mean log-probability of the continuation's tokens under the original model, in
            nats; None when that model was not available or the continuation is empty.
    """

    id: str
    kind: Literal["answer", "paraphrase", "perturbed"] = "answer"
    index: int = 0
    tokens: int = 0
    logp: float | None = None
    matched: float | None = None
    strength: float | None = None
    reciprocal_rank: float | None = None
    min_k: float | None = None
    min_k_plus_plus: float | None = None
    min_40: float | None = None
    matched_but_last: float | None = None
    strength_but_last: float | None = None
    min_40_but_last: float | None = None
    min_40_plus_plus_but_last: float | None = None
    truth_ratio: float | None = None
    truth_ratio_geometric: float | None = None
    choice: float | None = None
    divergence: float | None = None
    gradient_norm: float | None = None
    zlib: int | None = None
    rouge_l_recall: float | None = None
    rouge_l_f1: float | None = None
    fact_given: bool | None = None
    verbatim: bool | None = None
    said_tokens: int | None = None
    said_repetition: float | None = None
    said_distinct: float | None = None
    said_logp: float | None = None


@dataclass(frozen=True)
class Score:
    """One metric of one model on one group of examples, or the reason why it has no value.

    Attributes:
        value: the number; None when it is not measurable.
        n: number of examples it is computed from.
        low: lower end of the 95% interval; None when unknown.
        high: upper end; None when unknown, for example for unbounded values that are all equal.
        note: why it is not measurable, or how to read it.
    """

    value: float | None
    n: int = 0
    low: float | None = None
    high: float | None = None
    note: str = ""
