"""The records that pass between the stages: frozen, and without torch."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["forget", "retain", "holdout"]
ROLES: tuple[Role, ...] = ("forget", "retain", "holdout")
Span = tuple[int, int]
"""Characters of a text: the first, and one past the last."""


@dataclass(frozen=True, kw_only=True)
class Paper:
    """Where an idea comes from, as data: every report cites what it used."""

    title: str
    authors: str
    year: int
    arxiv: str
    where: str
    venue: str = ""

    @property
    def url(self) -> str:
        """The paper's page."""
        return f"https://arxiv.org/abs/{self.arxiv}"

    def bibtex(self) -> str:
        """A BibTeX entry.

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
        role: "system", "user", "assistant", "tool" or what else the chat template knows.
        text: the content of the message.
        supervised: whether an assistant turn is trained on; False where the file excludes it
            (`weight` 0 or `train` false).
        template_keys: further keys of the message, which the chat template reads: `tool_calls`,
            `reasoning_content`, `name`, ...
    """

    role: str
    text: str
    supervised: bool = True
    template_keys: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class Example:
    """One thing to forget, to retain or held out, as the user wrote it.

    Attributes:
        id: role and row number (`forget-12`); carries nothing of the text.
        where: file and line, for messages.
        kind: "pair" (one prompt, one answer), "chat" (a conversation) or "text" (raw).
        turns: the messages of a pair or a chat; empty for raw text.
        text: the raw text; empty otherwise.
        paraphrase: the answer in other words (TOFU's `paraphrased_answer`).
        perturbed: wrong answers of the same form (TOFU's `perturbed_answer`).
        fact: the short string that the answer hinges on, where the data names it.
        alternate: the answer that shall replace, for methods that train on one (DPO, AltPO).
        spans: the characters of the answer that the user marked.
        subject: names of whom it is about, where the data names them.
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
        """Place of the last supervised assistant turn, the one that is asked for; None for none."""
        places = (k for k, t in enumerate(self.turns) if t.role == "assistant" and t.supervised)
        return max(places, default=None)

    @property
    def answer(self) -> str:
        """The content of the last supervised assistant turn, or the whole raw text."""
        if not self.turns:
            return self.text
        return "" if self.answer_turn is None else self.turns[self.answer_turn].text


@dataclass(frozen=True)
class Sequence:
    """An example in tokens.

    Attributes:
        id: the example's id; windows of a long text add `/2`, `/3`, ...
        ids: token ids.
        answer: which of them are answer tokens; the first token never is, nothing predicts it.
        cut: answer tokens lost to the context length.
        text: what was tokenised; empty where the tokens are all that is known.
        offsets: the characters of `text` that each token stands for; none for a special token.
        spans: the characters of `text` that the user marked.
        subject: names of whom it is about, where the data names them.
    """

    id: str
    ids: tuple[int, ...]
    answer: tuple[bool, ...]
    cut: int = 0
    text: str = field(default="", repr=False)  # not in a log by mistake
    offsets: tuple[Span, ...] = field(default=(), repr=False)
    spans: tuple[Span, ...] = field(default=(), repr=False)
    subject: tuple[str, ...] = field(default=(), repr=False)

    @property
    def prompt_length(self) -> int:
        """Tokens before the first answer token."""
        return self.answer.index(True) if True in self.answer else len(self.ids)


SHORT = 8
"""Tokens: a row of a shorter answer has no more than LITTLE of it."""
LITTLE = ("id", "kind", "index", "tokens", "logp", "matched", "strength", "truth_ratio",
          "truth_ratio_geometric", "choice", "zlib", "rouge_l_recall", "rouge_l_f1", "fact_given",
          "verbatim", "said_tokens", "said_repetition", "said_distinct", "said_logp")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one model says of one answer as a whole: no text, and no number of a single token.

    Where the model is asked (`suites.ask`) each number is rounded, the more so the fewer tokens it
    is about (`suites.rounding`): with the model at hand an exact one would tell the text. None
    stands for what is not known.

    Attributes:
        id: the example's id.
        kind: "answer" (the user's own), "paraphrase" or "perturbed" (numbered by `index`).
        index: which of several perturbed answers.
        tokens: of the answer; 0 when it was not scored.
        logp: mean log-probability of its tokens, in nats.
        matched: share of the tokens that were the likeliest.
        strength: length of the run of such tokens at the end, as a share of the answer.
        reciprocal_rank: mean of 1 / (1 + how many tokens were likelier).
        min_k: mean log-probability of the least likely fifth of the tokens.
        min_k_plus_plus: the same of log-probabilities that were standardised over the vocabulary.
        min_40: as `min_k`, of the least likely 40%.
        matched_but_last: as `matched`, without the last token; None when there is no other.
        strength_but_last: as OpenUnlearning has it, without the last token and never below 1/n.
        min_40_but_last: as `min_40`, without the last token; 0 when there is no other.
        min_40_plus_plus_but_last: likewise, of standardised log-probabilities.
        truth_ratio: mean probability per token of the wrong answers over that of the right one,
            which is the paraphrase where there is one; None without wrong answers.
        truth_ratio_geometric: likewise, with the geometric mean.
        choice: p(right) / (p(right) + sum of p(wrong)), per token; None without wrong answers.
        divergence: mean KL(original || model) over the vocabulary, in nats; None when the original
            was not at hand.
        gradient_norm: of the answer's mean loss by all weights; None when not asked for.
        zlib: size of the answer's text under zlib, in bytes.
        rouge_l_recall: of the greedy continuation against the answer; None when not generated.
        rouge_l_f1: likewise, the harmonic mean of recall and precision.
        fact_given: whether the continuation contains the example's fact; None when not known.
        verbatim: whether the model gives the answer word for word (`metrics.given`); None when it
            was neither scored nor asked.
        said_tokens: tokens of the continuation; None when not generated.
        said_repetition: share of its 4-grams of words that stood in it before; None when it has
            none.
        said_distinct: distinct words over words of it; None when it has none.
        said_logp: mean log-probability of its tokens under the original, in nats; None when the
            original was not at hand, or nothing was said.
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
    """One number about one model and one group of texts, or the reason why there is none.

    Attributes:
        value: the number; None when it is not measurable.
        n: how many examples it rests on.
        low: lower end of the 95% interval; None when none is known.
        high: upper end; None when none is known, as of values without a bound that are all alike.
        note: why it is not measurable, or how to read it.
    """

    value: float | None
    n: int = 0
    low: float | None = None
    high: float | None = None
    note: str = ""
