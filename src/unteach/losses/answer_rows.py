"""What a loss is shown of one group of answers in a batch, and what it gives back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, Optional, TypeVar

import torch
from torch import Tensor

from unteach.losses.distributions import kl_to_reference
from unteach.losses.entropies import entropy
from unteach.losses.means import answer_sum
from unteach.losses.statistics import TokenStatistics, full, token_statistics
from unteach.losses.teacher import exchange_columns, mean_over_draws, with_target_logps
from unteach.losses.tokens import ascent

T = TypeVar("T")
Over = Literal["answers", "tokens", "selected", "unselected", "prompt", "alternate"]
"""What a term is averaged over.

Whole answers; all answer tokens, the chosen ones, or the rest; prompt tokens; the tokens of the
alternate answers.
"""


class NeedsWholeAnswersError(Exception):
    """Something was asked of answers of which only some rows are here.

    The engine then shows whole answers; but only if the first rows that it shows are asked so.
    """

    def __init__(self):
        super().__init__("only some rows of these answers are here: ask at every call, or at none")


class Term(NamedTuple):
    """One term of a step's loss, not yet averaged.

    A term is `weight * values.sum() / count`, where the count of what it is `over` spans the whole
    optimiser step: all micro-batches, all processes. So the cut of a batch changes nothing.

    Attributes:
        name: how the term is called in logs. What is called "forget" pushes away, everything else
            holds; methods of the gradient (orthogonalisation, SAM) tell them apart by it.
        values: [N], one per row, or [B], one per answer when `over` is "answers".
        over: what the mean is taken over; or how often each counts, where rows weigh differently:
            {"tokens": 1, "selected": 9} gives chosen tokens the weight 10.
        weight: its share of the loss.
    """

    name: str
    values: Tensor
    over: Over | Mapping[Over, float] = "tokens"
    weight: float = 1.0


@dataclass(frozen=True)
class AnswerRows:
    """The answer rows of one group, shifted and masked: row i predicts `target[i]`.

    A method reads the statistics below; what it did not declare under `reads` is None.

    Attributes:
        logits: [N, V], the rows that predict an answer token; None where an answer has so many
            that only their statistics are at hand.
        target: [N], the answer tokens.
        answer: [N], which answer of the group each row belongs to.
        answers: how many answers the group has (B).
        reference_logits: [N, V], the same rows under the model before.
        reference_logps: [B], each answer's log-probability under the model before, in nats.
        chosen: [N] bool, the tokens that the method chose.
        ignored: [N] bool, tokens that count neither as chosen nor as others.
        place: [N], number of each row within its answer, from 0.
        refusal: [N], the tokens of a refusal, repeated along each answer.
        hidden: [N, D], hidden states of one layer *at* the answer tokens.
        reference_hidden: [N, D], the same under the model before.
        teacher_logits: [N, V], the same rows under a teacher, before the exchange of tokens; or
            [N, K, V], of K draws whose distributions are averaged.
        teacher_pairs: [N, S, 2] or [N, K, S, 2], pairs of tokens whose probabilities are exchanged
            in them.
        teacher_targets: [N], log-probability that the answer token shall have in them; nan where
            it stays.
        alternate: the rows of other answers to the same prompts, in the same order.
        prompt: the rows that predict the prompt's tokens.
        whole: whether each answer is here with all its rows; if not, nothing may be asked of
            whole answers.
        known: the statistics, where they are worked out already.
        entropies: from a temperature to each row's entropy, [N], where there are no logits.
    """

    logits: Tensor | None
    target: Tensor
    answer_index: Tensor
    num_answers: int
    reference_logits: Tensor | None = None
    reference_logps: Tensor | None = None
    selected: Tensor | None = None
    ignored: Tensor | None = None
    position: Tensor | None = None
    refusal: Tensor | None = None
    hidden: Tensor | None = None
    reference_hidden: Tensor | None = None
    teacher_logits: Tensor | None = None
    teacher_pairs: Tensor | None = None
    teacher_targets: Tensor | None = None
    alternate: Optional["AnswerRows"] = None
    prompt: Optional["AnswerRows"] = None
    whole: bool = True
    known_statistics: TokenStatistics | None = None
    entropies: Callable[[float], Tensor] | None = None

    @cached_property
    def statistics(self) -> TokenStatistics:
        """`log_odds` and `runner_up_logp` of every row."""
        return self.known_statistics or token_statistics(self.require_logits(), self.target)

    @property
    def log_odds(self) -> Tensor:
        """[N], the log-odds of the target."""
        return self.statistics.log_odds

    @property
    def runner_up_logp(self) -> Tensor:
        """[N], log-probability of the best other token among the others."""
        return self.statistics.runner_up_logp

    def entropy(self, temperature: float = 1.0) -> Tensor:
        """[N], entropy of each row's distribution, in nats; for weights, no gradient."""
        with torch.no_grad():
            if self.entropies is not None:
                return self.entropies(temperature)
            return entropy(self.require_logits(), temperature=temperature)

    @property
    def vocabulary(self) -> int:
        """V, the width of the head, padded entries included."""
        return self.require_logits().shape[-1]

    @property
    def logps(self) -> Tensor:
        """[B], each answer's log-probability, in nats."""
        return self.answer_sums(ascent(self.log_odds))

    @property
    def lengths(self) -> Tensor:
        """[B], tokens of each answer."""
        return self.answer_sums(torch.ones_like(self.log_odds))

    def answer_sums(self, values: Tensor) -> Tensor:
        """[B], of values [N], over the rows of each answer."""
        self._require_whole()
        return self.partial_answer_sums(values)

    def partial_answer_sums(self, values: Tensor) -> Tensor:
        """[B], of values [N], over the rows of each answer that are here; for what adds them up."""
        return answer_sum(values, vars(self)["answer_index"], vars(self)["num_answers"])

    def for_loss(self) -> "AnswerRows":
        """As a loss may see it: without the numbers of answers that are not whole."""
        if self.whole:
            return self
        found = object.__new__(_Rows)
        vars(found).update(vars(self))
        return found

    def require_logits(self) -> Tensor:
        """[N, V], the logits. Raises RuntimeError where only statistics are at hand."""
        if self.logits is None:
            what = "logits of whole answers that are longer than a chunk are never held: "
            raise RuntimeError(
                what + "read `log_odds` and `runner_up_logp`, or raise train.extra.chunk_rows"
            )
        return self.logits

    def kl(self) -> Tensor:
        """[N], KL(reference || model)."""
        return kl_to_reference(self.require_logits(), self.require_reference_logits())

    def require_reference_logits(self) -> Tensor:
        """[N, V], the rows under the model before."""
        return _given(self.reference_logits, "reference_logits")

    def require_selected(self) -> Tensor:
        """[N] bool, the tokens that the method chose."""
        return _given(self.selected, "selected")

    def unselected(self) -> Tensor:
        """[N] bool, the tokens that were neither chosen nor ignored."""
        rest = ~self.require_selected()
        return rest if self.ignored is None else rest & ~self.ignored

    def require_reference_logps(self) -> Tensor:
        """[B], each answer's log-probability under the model before."""
        self._require_whole()
        return _given(self.reference_logps, "reference_logps")

    def refusal_log_odds(self) -> Tensor:
        """[N], the log-odds of the refusal's tokens."""
        return token_statistics(self.require_logits(), _given(self.refusal, "refusal")).log_odds

    def require_hidden(self) -> Tensor:
        """[N, D], hidden states of one layer at the answer tokens."""
        return _given(self.hidden, "hidden")

    def require_reference_hidden(self) -> Tensor:
        """[N, D], the same under the model before."""
        return _given(self.reference_hidden, "reference_hidden")

    def teacher_logps(self) -> Tensor:
        """[N, V], log-probabilities under the teacher."""
        with torch.no_grad():
            found = full(_given(self.teacher_logits, "teacher_logits")).log_softmax(-1)
            draws, pairs = found.ndim == 3, self.teacher_pairs
            if pairs is not None:
                flat = pairs.flatten(0, 1) if draws else pairs
                rows = found.flatten(0, 1) if draws else found
                found = exchange_columns(rows, flat).view_as(found)
            if draws:
                found = mean_over_draws(found)
            if self.teacher_targets is not None:
                found = with_target_logps(found, self.target, self.teacher_targets)
            return found

    def require_position(self) -> Tensor:
        """[N], number of each row within its answer, from 0."""
        return _given(self.position, "position")

    def require_alternate(self) -> "AnswerRows":
        """The rows of the alternate answers."""
        return _given(self.alternate, "alternate")

    def require_prompt(self) -> "AnswerRows":
        """The rows that predict the prompt's tokens."""
        return _given(self.prompt, "prompt")

    def probabilities(self) -> Tensor:
        """[B], exp of each answer's mean log-probability per token; for monitoring, no gradient."""
        with torch.no_grad():
            return (self.logps / self.lengths.clamp(min=1)).exp()

    def _require_whole(self) -> None:
        if not self.whole:
            raise NeedsWholeAnswersError


class _Rows(AnswerRows):
    """Rows of answers that are cut; what goes by their numbers would be wrong in silence."""

    @property
    def answer_index(self):  # type: ignore[override]
        raise NeedsWholeAnswersError

    @property
    def num_answers(self):  # type: ignore[override]
        raise NeedsWholeAnswersError


def _given(value: T | None, name: str) -> T:
    if value is None:
        raise RuntimeError(f'{name} was not declared: add "{name}" to the method\'s `reads`')
    return value
