"""Define a model under attack: how to load and to evaluate it."""

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
        load: function that loads a fresh copy of the model.
        original: function that loads the original; None if it is not given.
        tokenizer: the model's tokenizer.
        groups: examples by group, without paraphrased and wrong answers.
        wordings: other wordings of the question by example id, if the data have them.
        settings: settings for scoring and generation.
        plain: the model's rows without attack; empty before they are computed.
        layers: number of layers.
        seed: seed of everything random.
        tell: progress callback: what is done, steps done, steps in total.
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
        """Return the questions of these examples, unchanged."""
        asked = {name: Group(examples=examples) for name, examples in groups.items()}
        return questions(asked, self.tokenizer, self.settings)

    def ask(self, model: Any, groups: dict[str, list[Example]] | None = None) -> Groups:
        """Evaluate a changed model on `groups`, by default on all; return its rows."""
        groups = self.groups if groups is None else groups
        return self.put(model, self.questions(groups), list(groups))

    def put(self, model: Any, asked: list[Question], groups: list[str]) -> Groups:
        """Evaluate a model on prepared questions; return its rows by group."""
        return {name: [bare(row) for row in rows] for name, rows in
                self.said(model, asked, groups).rows.items()}  # fmt: skip

    def said(self, model: Any, asked: list[Question], groups: list[str]) -> ModelAnswers:
        """Evaluate as `put` does; the result also has the generated texts, which stay in memory."""
        batch = self.settings.tokens_per_batch
        return score_questions(
            asked, groups, model, self.tokenizer,
            tokens_per_batch=batch, keep_text=True, progress=self.tell,
        )  # fmt: skip

    def with_plain(self, rows: Groups) -> Groups:
        """Complete rows of some groups with the rows without attack of all others."""
        return {name: rows.get(name, found) for name, found in self.plain.items()}


def bare(row: Row, *, short: int = SHORT) -> Row:
    """Reduce a row to the fields that recovery and closeness need.

    An answer is evaluated in many variants. Its numbers are rounded, but for an answer of one or
    two tokens many rounded numbers and the model would tell which tokens they are. So for answers
    of fewer than `short` tokens only scores of the generated answer are kept; likewise for a model
    whose log-probabilities are not finite, since an attack broke it.

    Args:
        row: the row of one example.
        short: least number of tokens of an answer whose log-probabilities are kept.

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
