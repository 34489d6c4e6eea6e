"""Define a loss's input, the rows of a group of answers, and its output, terms."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Literal, NamedTuple, Optional, TypeVar

import torch
from torch import Tensor

from unteach.losses.distributions import kl_to_reference
from unteach.losses.entropies import entropy
from unteach.losses.statistics import TokenStatistics, full, token_statistics
from unteach.losses.sums import answer_sum
from unteach.losses.teacher import exchange_columns, mean_over_draws, with_target_logps
from unteach.losses.tokens import ascent

T = TypeVar("T")
Over = Literal["answers", "tokens", "selected", "unselected", "prompt", "alternate"]
"""What a term is averaged over.

Complete answers; all answer tokens, the selected ones, or the unselected; prompt tokens; the tokens
of the alternate answers.
"""


class NeedsWholeAnswersError(Exception):
    """A value of complete answers was read, but only some of their rows are present.

    The row engine then retries with complete answers, but only if its first chunk raised this.
    """

    def __init__(self):
        super().__init__("only some rows of these answers are here: ask at every call, or at none")


class Term(NamedTuple):
    """One term of a step's loss, not yet averaged.

    A term adds `weight * values.sum() / count` to the loss. The count of what it is `over` spans
    the whole optimiser step: all micro-batches, all processes. So the batch size changes nothing.

    Attributes:
        name: the term's name in logs. The term "forget" removes knowledge, all others preserve it;
            gradient methods (orthogonalisation, SAM) tell them apart by this name.
        values: [N], one per row, or [B], one per answer if `over` is "answers".
        over: what the mean is over; or a count for each kind, if rows have different weights:
            {"tokens": 1, "selected": 9} gives selected tokens the weight 10.
        weight: factor of the term.
    """

    name: str
    values: Tensor
    over: Over | Mapping[Over, float] = "tokens"
    weight: float = 1.0


# What the fields below say of themselves. They are None unless a method reads them, or the field
# beside which they come.
_ROW = {"per": "row"}
_ANSWER = {"per": "answer"}
_GROUP = {"per": "group"}
_OF_SELECTED = {**_ROW, "beside": "selected"}
_OF_TEACHER = {**_ROW, "beside": "teacher_logits"}


@dataclass(frozen=True)
class AnswerRows:
    """The answer rows of one group, shifted and masked: row i predicts `target[i]`.

    Fields that the method did not declare in `reads` are None.

    Attributes:
        logits: [N, V], the rows that predict an answer token; None for answers so long that only
            their statistics are computed.
        target: [N], the answer tokens.
        answer_index: [N], index in the group of each row's answer.
        num_answers: number of answers in the group (B).
        reference_logits: [N, V], the same rows under the reference model.
        reference_logps: [B], each answer's log-probability under the reference model, in nats.
        selected: [N] bool, the tokens that the method selected.
        ignored: [N] bool, tokens that count neither as selected nor as unselected.
        position: [N], index of each row within its answer, from 0.
        refusal: [N], the tokens of a refusal, repeated along each answer.
        hidden: [N, D], hidden states of one layer *at* the answer tokens.
        reference_hidden: [N, D], the same under the reference model.
        teacher_logits: [N, V], the same rows under a teacher, before tokens are exchanged; or
            [N, K, V] for K draws, whose distributions are averaged.
        teacher_pairs: [N, S, 2] or [N, K, S, 2], pairs of tokens whose probabilities are exchanged
            in the teacher's rows.
        teacher_targets: [N], log-probability to set for the answer token in the teacher's rows;
            nan leaves it unchanged.
        alternate: the rows of alternate answers to the same prompts, in the same order.
        prompt: the rows that predict the prompt's tokens.
        whole: whether all rows of each answer are present; if not, values per answer are refused.
        known_statistics: the statistics, if they are computed already.
        entropies: maps a temperature to each row's entropy [N], if there are no logits.
    """

    logits: Tensor | None
    target: Tensor
    answer_index: Tensor
    num_answers: int
    reference_logits: Tensor | None = field(default=None, metadata=_ROW)
    reference_logps: Tensor | None = field(default=None, metadata=_ANSWER)
    selected: Tensor | None = field(default=None, metadata=_ROW)
    ignored: Tensor | None = field(default=None, metadata=_OF_SELECTED)
    position: Tensor | None = field(default=None, metadata=_ROW)
    refusal: Tensor | None = field(default=None, metadata=_ROW)
    hidden: Tensor | None = field(default=None, metadata=_ROW)
    reference_hidden: Tensor | None = field(default=None, metadata=_ROW)
    teacher_logits: Tensor | None = field(default=None, metadata=_ROW)
    teacher_pairs: Tensor | None = field(default=None, metadata=_OF_TEACHER)
    teacher_targets: Tensor | None = field(default=None, metadata=_OF_TEACHER)
    alternate: Optional["AnswerRows"] = field(default=None, metadata=_GROUP)
    prompt: Optional["AnswerRows"] = field(default=None, metadata=_GROUP)
    whole: bool = True
    known_statistics: TokenStatistics | None = None
    entropies: Callable[[float], Tensor] | None = None

    @cached_property
    def statistics(self) -> TokenStatistics:
        """`log_odds` and `runner_up_logp` of every row."""
        return self.known_statistics or token_statistics(self.require_logits(), self.target)

    @property
    def log_odds(self) -> Tensor:
        """[N], the log-odds of the target, in nats."""
        return self.statistics.log_odds

    @property
    def runner_up_logp(self) -> Tensor:
        """[N], log-probability of the likeliest other token among all tokens but the target."""
        return self.statistics.runner_up_logp

    def entropy(self, temperature: float = 1.0) -> Tensor:
        """Return the entropy [N] of each row's distribution, in nats, without gradient."""
        with torch.no_grad():
            if self.entropies is not None:
                return self.entropies(temperature)
            return entropy(self.require_logits(), temperature=temperature)

    @property
    def vocabulary(self) -> int:
        """V, the number of logits per row, padded entries included."""
        return self.require_logits().shape[-1]

    @property
    def logps(self) -> Tensor:
        """[B], each answer's log-probability, in nats."""
        return self.answer_sums(ascent(self.log_odds))

    @property
    def lengths(self) -> Tensor:
        """[B], number of tokens of each answer."""
        return self.answer_sums(torch.ones_like(self.log_odds))

    def answer_sums(self, values: Tensor) -> Tensor:
        """Sum values [N] over the rows of each answer, to [B]."""
        self._require_whole()
        return self.partial_answer_sums(values)

    def partial_answer_sums(self, values: Tensor) -> Tensor:
        """Sum values [N] over the present rows of each answer, to [B]; chunks then add up."""
        return answer_sum(values, vars(self)["answer_index"], vars(self)["num_answers"])

    def for_loss(self) -> "AnswerRows":
        """Return the rows; if answers are incomplete, reading `answer_index` raises an error."""
        if self.whole:
            return self
        rows = object.__new__(_IncompleteRows)
        vars(rows).update(vars(self))
        return rows

    def require_logits(self) -> Tensor:
        """Return the logits [N, V]. Raises RuntimeError if there are only statistics."""
        if self.logits is None:
            what = "logits of whole answers that are longer than a chunk are never held: "
            raise RuntimeError(
                what + "read `log_odds` and `runner_up_logp`, or raise train.extra.chunk_rows"
            )
        return self.logits

    def kl(self) -> Tensor:
        """Return KL(reference || model) [N], in nats."""
        return kl_to_reference(self.require_logits(), self.require_reference_logits())

    def require_reference_logits(self) -> Tensor:
        """Return the rows' logits [N, V] under the reference model."""
        return _declared(self.reference_logits, "reference_logits")

    def require_selected(self) -> Tensor:
        """Return the mask [N] of tokens that the method selected."""
        return _declared(self.selected, "selected")

    def unselected(self) -> Tensor:
        """Return the mask [N] of tokens that are neither selected nor ignored."""
        rest = ~self.require_selected()
        return rest if self.ignored is None else rest & ~self.ignored

    def require_reference_logps(self) -> Tensor:
        """Return each answer's log-probability [B] under the reference model, in nats."""
        self._require_whole()
        return _declared(self.reference_logps, "reference_logps")

    def refusal_log_odds(self) -> Tensor:
        """Return the log-odds [N] of the refusal's tokens."""
        return token_statistics(self.require_logits(), _declared(self.refusal, "refusal")).log_odds

    def require_hidden(self) -> Tensor:
        """Return hidden states [N, D] of one layer at the answer tokens."""
        return _declared(self.hidden, "hidden")

    def require_reference_hidden(self) -> Tensor:
        """Return hidden states [N, D] of that layer under the reference model."""
        return _declared(self.reference_hidden, "reference_hidden")

    def teacher_logps(self) -> Tensor:
        """Return log-probabilities [N, V] under the teacher, tokens exchanged and targets set."""
        with torch.no_grad():
            logps = full(_declared(self.teacher_logits, "teacher_logits")).log_softmax(-1)
            draws, pairs = logps.ndim == 3, self.teacher_pairs
            if pairs is not None:
                flat = pairs.flatten(0, 1) if draws else pairs
                rows = logps.flatten(0, 1) if draws else logps
                logps = exchange_columns(rows, flat).view_as(logps)
            if draws:
                logps = mean_over_draws(logps)
            if self.teacher_targets is not None:
                logps = with_target_logps(logps, self.target, self.teacher_targets)
            return logps

    def require_teacher_targets(self) -> Tensor:
        """Return the log-probability [N] of the answer tokens under the teacher, in nats."""
        return _declared(self.teacher_targets, "teacher_targets")

    def require_position(self) -> Tensor:
        """Return the index [N] of each row within its answer, from 0."""
        return _declared(self.position, "position")

    def require_alternate(self) -> "AnswerRows":
        """Return the rows of the alternate answers."""
        return _declared(self.alternate, "alternate")

    def require_prompt(self) -> "AnswerRows":
        """Return the rows that predict the prompt's tokens."""
        return _declared(self.prompt, "prompt")

    def probabilities(self) -> Tensor:
        """Return exp of each answer's mean log-probability per token, [B], without gradient."""
        with torch.no_grad():
            return (self.logps / self.lengths.clamp(min=1)).exp()

    def _require_whole(self) -> None:
        if not self.whole:
            raise NeedsWholeAnswersError


_DECLARED = {f.name: f.metadata for f in fields(AnswerRows) if f.metadata}
DECLARED = tuple(_DECLARED)
"""Fields that are None unless a method reads them."""
BESIDE = {name: about["beside"] for name, about in _DECLARED.items() if "beside" in about}
"""Of fields that come with another one, the name of that one."""
PER_ROW = ("logits", "target", *(n for n, about in _DECLARED.items() if about["per"] == "row"))
"""Fields with an entry for each row."""


class _IncompleteRows(AnswerRows):
    """Rows of incomplete answers; values per answer would be silently wrong, so they raise."""

    @property
    def answer_index(self):  # type: ignore[override]
        raise NeedsWholeAnswersError

    @property
    def num_answers(self):  # type: ignore[override]
        raise NeedsWholeAnswersError


def _declared(value: T | None, name: str) -> T:
    if value is None:
        raise RuntimeError(f'{name} was not declared: add "{name}" to the method\'s `reads`')
    return value
