"""One model that is attacked, and how it is asked."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from unteach.files.rows import Groups
from unteach.suites import AskSettings, Group
from unteach.suites.ask import ModelAnswers, Told, score_questions
from unteach.suites.questions import Question, questions
from unteach.types import SHORT, Example, Row

KEPT = ("id", "tokens", "logp", "matched", "strength", "min_k", "min_k_plus_plus", "zlib",
        "rouge_l_recall", "fact_given", "verbatim")  # fmt: skip
SAID = ("id", "zlib", "rouge_l_recall", "fact_given", "verbatim")
DEFAULTS = Row(id="")


@dataclass(frozen=True, kw_only=True)
class AttackSubject:
    """A model under attack with the data and settings that all models share.

    Attributes:
        name: "original", "unlearned" or "retrained".
        load: loads a fresh copy of it.
        original: loads the original; None where it is not known.
        tokenizer: its tokenizer.
        groups: examples by group; answers in other words and wrong ones are left out.
        wordings: by example id, the same question in other words, where the data have them.
        settings: how questions are put.
        plain: its rows without any attack; empty before it was asked.
        layers: how many it has.
        seed: of everything that is drawn.
        tell: told what is being done and how far it is.
    """

    name: str
    load: Callable[[], Any] = field(repr=False)
    original: Callable[[], Any] | None = field(default=None, repr=False)
    tokenizer: Any = field(repr=False)
    groups: dict[str, list[Example]] = field(repr=False)
    wordings: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    settings: AskSettings
    plain: Groups = field(default_factory=dict, repr=False)
    layers: int = 0
    seed: int = 0
    tell: Told = field(default=lambda what, done, total: None, repr=False)

    def questions(self, groups: dict[str, list[Example]]) -> list[Question]:
        """What is asked about these examples when nothing is changed."""
        asked = {name: Group(examples=examples) for name, examples in groups.items()}
        return questions(asked, self.tokenizer, self.settings)

    def ask(self, model: Any, groups: dict[str, list[Example]] | None = None) -> Groups:
        """The rows of a model that was changed; the model's own groups when none are given."""
        groups = self.groups if groups is None else groups
        return self.put(model, self.questions(groups), list(groups))

    def put(self, model: Any, asked: list[Question], groups: list[str]) -> Groups:
        """The rows of questions that are ready."""
        return {name: [bare(row) for row in rows] for name, rows in
                self.said(model, asked, groups).rows.items()}  # fmt: skip

    def said(self, model: Any, asked: list[Question], groups: list[str]) -> ModelAnswers:
        """As `put`, with what the model said in words, which stays in memory."""
        batch = self.settings.tokens_per_batch
        return score_questions(
            asked, groups, model, self.tokenizer,
            tokens_per_batch=batch, keep_text=True, progress=self.tell,
        )  # fmt: skip

    def with_plain(self, rows: Groups) -> Groups:
        """Rows of some groups, and the plain rows of all others: the model itself is as it was."""
        return {name: rows.get(name, found) for name, found in self.plain.items()}


def bare(row: Row, *, short: int = SHORT) -> Row:
    """Of a row what recovery and closeness read.

    One answer is asked about in many variants. Each number of it is coarse, but with the model at
    hand many coarse ones of an answer of one or two tokens tell which tokens they are. So of an
    answer of fewer than `SHORT` tokens, only what the model said is kept.

    So it is of a model that gives no numbers, since an attack broke it.

    Args:
        row: as the model was asked.
        short: tokens of an answer of which all is kept.

    Example:
        >>> bare(Row(id="a", tokens=2, logp=-1.0, rouge_l_recall=0.5))
        ... # doctest: +ELLIPSIS
        Row(id='a', kind='answer', index=0, tokens=0, logp=None, ...rouge_l_recall=0.5, ...)
    """
    names = KEPT if row.tokens >= short and _finite(row) else SAID
    return replace(DEFAULTS, **{name: getattr(row, name) for name in names})


def _finite(row: Row) -> bool:
    values = (getattr(row, name) for name in KEPT)
    return all(math.isfinite(value) for value in values if isinstance(value, float))
