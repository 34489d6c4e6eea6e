"""Stop training on all processes before an optimiser step with a non-finite or exploding value."""

import math
from collections.abc import Iterable
from statistics import fmean, median
from typing import Any, NamedTuple

import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from torch import Tensor
from transformers import TrainerCallback

from unteach.errors import Problem, UserError
from unteach.models.finite import local_part, not_finite
from unteach.rowengine.batch import ALTERNATE, FORGET, REPLAY, RETAIN, Batch, Pairs
from unteach.rowengine.rows import COUNTED

# With twenty methods on the demo's data, with their default settings, the demo's and LoRA, a
# gradient norm above 10 was at most 88 times the median before it, and none was above 1100.
EXPLODED, LARGE = 1000.0, 1e4
# Within four steps none of these raised the forget answers' NLL above 0.4 nats per token.
FIRST = 4
SHOWN = 8  # number of example ids in a message
# Retain terms that equal the log of the vocabulary for a uniform distribution.
IN_NATS = {"nll", "kl"}
HELD = {"retain": RETAIN, "replay": REPLAY}  # groups of terms that are not the method's


class ModelDestroyed(UserError):
    """The first steps made the model worse than a uniform distribution.

    Attributes:
        lower: the learning rate to restart with, if the rate was the automatic one; None if the
            user set the rate, which is not changed.
    """

    def __init__(self, *problems: Problem, lower: float | None = None):
        super().__init__(*problems)
        self.lower = lower


class StepProblem(NamedTuple):
    """A problem of a step: what was found, the ids of the examples, and what to do."""

    what: str
    ids: tuple[str, ...] = ()
    hint: str = ""


class DivergenceGuard(TrainerCallback):
    """Checks the loss and the gradient of each step before the optimiser step.

    Args:
        pairs: the sequences; errors name their ids, never their texts.
        model: the model in training.
        retain: name of the retain term.
        rate: the learning rate, and the one that suits the model's size.
        of: which answers are trained on as the forget group: "retain" if a method retrains.
    """

    def __init__(
        self,
        pairs: Pairs,
        model: Any,
        *,
        retain: str,
        rate: tuple[float | None, float],
        of: str = "forget",
    ):
        self._pairs, self._model, self._retain, self._rate = pairs, model, retain, rate
        self._of = of
        self._nats = math.log(model.config.get_text_config().vocab_size)
        self._norms: list[float] = []
        self._first: dict[str, float] = {}
        self._step, self._stepped, self._skipped = 0, 0, 0
        self._open: list[StepProblem] = []
        self._ids: list[str] = []
        self._kept = 0.0

    @property
    def seen(self) -> dict[str, Any]:
        """State for checkpoints: with it a resumed run stops where this one would."""
        return {
            "norms": self._norms,
            "first": self._first,
            "stepped": self._stepped,
            "skipped": self._skipped,
        }

    @seen.setter
    def seen(self, held: dict[str, Any]) -> None:
        self._norms, self._first = list(held["norms"]), dict(held["first"])
        self._stepped, self._skipped = held["stepped"], held["skipped"]

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Reset the state of the step."""
        self._step, self._ids, self._kept = state.global_step + 1, [], 0.0

    def counted(self, counts: Tensor, batches: list[Batch]) -> None:
        """Check the step's counts over all processes. Raises UserError if no token is trained."""
        if not counts[COUNTED.index(("forget", "tokens"))]:
            own = [i for batch in batches for i in self._named(batch, {FORGET})]
            ids = tuple(i for some in _gathered(own) for i in some)
            hint = "drop these examples, or raise data.max_length"
            self._stop([StepProblem(f"no {self._of} answer has a token", ids, hint)])

    def look(
        self, batch: Batch, loss: float, terms: dict[str, float], *,
        kept: float = 0.0, probabilities: Tensor | None = None,
    ) -> StepProblem | None:  # fmt: skip
        """Return the problem of a micro-batch's loss on this process; None if it is finite.

        Args:
            batch: the micro-batch.
            loss: its part of the step's loss, in nats.
            terms: the part of each term.
            kept: the part of the retain term without its weight.
            probabilities: per-token probabilities of its forget answers.
        """
        self._ids += self._named(batch, {FORGET, RETAIN, REPLAY})
        self._kept += kept
        if math.isfinite(loss):
            return None
        broken = [name for name, value in terms.items() if not math.isfinite(value)] or list(terms)
        groups = {HELD.get(name, FORGET) for name in broken}
        ids = self._named(batch, groups)
        if groups == {FORGET} and probabilities is not None:
            where = ~probabilities.isfinite().cpu()
            ids = [i for i, bad in zip(ids, where.tolist(), strict=True) if bad] or ids
        problem = StepProblem(f"the loss is {loss} (term {', '.join(broken)})", tuple(ids))
        self._open.append(problem)
        return problem

    def agreed(
        self, findings: Iterable[StepProblem | None], probabilities: Iterable[float]
    ) -> None:
        """Check a micro-batch's problems and probabilities, gathered from all processes.

        Raises:
            UserError: any process found a problem, or the first steps destroyed the model.
        """
        self._stop(findings)
        if nats := [-math.log(max(p, 1e-45)) for p in probabilities if p == p]:
            self._destroyed(self._of, fmean(nats))

    def step(self, norm: Any, scaler: Any = None) -> None:
        """Check the step's gradient, the same on all processes, before the optimiser step.

        Args:
            norm: of the gradient before clipping, without the scaler's factor.
            scaler: of float16 gradients; skips a step if the scaled gradient overflows.

        Raises:
            UserError: any process found a problem, or the gradient is not finite or explodes.
        """
        open_, self._open = self._open, []
        shares = _gathered((self._kept, open_, self._ids))
        self._ids = [i for *_, some in shares for i in some]
        self._stop(finding for _, some, _ in shares for finding in some)
        if self._retain in IN_NATS and self._pairs.retain:
            self._destroyed("retain", sum(share[0] for share in shares))
        if finding := self._of_gradient(norm, scaler):
            self._stop([finding._replace(ids=tuple(self._ids))])

    def _of_gradient(self, norm: Any, scaler: Any) -> StepProblem | None:
        norm = None if norm is None else float(norm)
        if norm is None or norm < 0:  # some engines do not report it
            return None
        if not math.isfinite(norm):
            self._skipped += 1
            return self._overflow(norm, scaler)
        usual = median(self._norms) if self._norms else norm
        self._stepped += 1
        self._norms.append(norm)
        if norm > LARGE and norm > EXPLODED * usual:
            what = (
                f"the gradient's norm is {norm:.3g}; the median of the steps before is {usual:.3g}"
            )
            return StepProblem(what)
        return None

    def _overflow(self, norm: float, scaler: Any) -> StepProblem | None:
        if scaler is None or not scaler.is_enabled():
            return StepProblem(f"the gradient's norm is {norm}, though the loss is a number")
        if scaler.get_scale() >= 1:
            return None
        what = f"the gradient overflows float16 for the {self._skipped}th time, even if scaled by "
        return StepProblem(what + f"{scaler.get_scale():g}", hint=_wider())

    def _destroyed(self, group: str, nats: float) -> None:
        """Stop if the first steps made the model worse than a uniform distribution.

        Later steps may be worse: PDU's retain loss is above it until its weight has grown.
        """
        first = self._first.setdefault(group, nats)
        bound = self._nats * (2 if self._stepped > 1 else 1)
        if first < self._nats / 2 and nats > bound and self._stepped <= FIRST:
            what = f"the model is destroyed: its {group} answers cost {nats:.3g} nats per token "
            what += f"({first:.3g} at first); a uniform guess would cost {self._nats:.3g}"
            self._stop([StepProblem(what, tuple(self._ids))], destroyed=True)

    def before_save(self) -> None:
        """Check the weights before a checkpoint. Raises UserError if one is not finite."""
        broken = [name for names in _gathered(not_finite(self._model)) for name in names]
        if broken:
            what = f"the step made {len(broken)} weights no numbers, first {broken[0]}"
            self._stop([StepProblem(what, tuple(self._ids))])

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Raise UserError if float16 gradients overflowed in every step."""
        if self._skipped and not self._stepped:
            what = f"the gradient overflowed float16 in all {self._skipped} steps: nothing moved"
            self._stop([StepProblem(what, hint=_wider())])

    def _stop(self, findings: Iterable[StepProblem | None], *, destroyed: bool = False) -> None:
        problems = [finding for finding in findings if finding]
        if not problems:
            return
        ids = list(dict.fromkeys(i for finding in problems for i in finding.ids))
        more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
        of = f", in the batch of {', '.join(ids[:SHOWN])}{more}" if ids else ""
        hint = problems[0].hint or self._hint()
        problem = Problem(f"training, step {self._step}", problems[0].what + of, hint)
        if not destroyed:
            raise UserError(problem)
        given, suits = self._rate
        raise ModelDestroyed(problem, lower=self._lower() if given in (None, suits) else None)

    def _hint(self) -> str:
        if half := {torch.float16} & {p.dtype for p in self._model.parameters()}:
            return f"{half.pop()} ends at 65504: ".removeprefix("torch.") + _wider()
        if self._stepped == 0:
            return f"no step was taken yet, so it is the model: {_suspect(self._model)}"
        given, suits = self._rate
        rate = given or suits
        lower = f"set train.learning_rate={self._lower():g} (it was {rate:g})"
        return lower if rate > 10 * suits else f"{lower}, or stop before it: train.stop_at"

    def _lower(self) -> float:
        """Return a tenth of the rate, or the rate that suits the model if that is lower."""
        given, suits = self._rate
        return float(f"{min((given or suits) / 10, suits):.1e}")

    def _named(self, batch: Batch, groups: set[int]) -> list[str]:
        """Return the ids of the batch's examples of some groups, in order, without alternates."""
        pairs = self._pairs
        texts = {FORGET: pairs.forget, RETAIN: pairs.retain, REPLAY: pairs.replay}
        if batch["spare"].any():
            return []
        members = zip(batch["group"].tolist(), batch["index"].tolist(), strict=True)
        return [texts[g][i].id for g, i in members if g in groups and g != ALTERNATE]


def _wider() -> str:
    return "set dtype=bfloat16 or dtype=float32, and leave train.extra.fp16 out"


def _gathered(one: Any) -> list[Any]:
    return gather_object([one]) if PartialState().num_processes > 1 else [one]


def _suspect(model: Any) -> str:
    """Describe what is wrong with the weights."""
    if broken := not_finite(model):
        return f"its weight {broken[0]} holds NaN or infinity; take a whole copy"
    sizes = {n: local_part(p.detach()).abs().max().item() for n, p in model.named_parameters()}
    name = max(sizes, key=sizes.__getitem__)
    return f"its largest weight is {sizes[name]:.3g}, in {name}; is it whole, and loaded as it was?"
