"""The model as it was before unlearning, in the cheapest form that serves."""

import copy
from contextlib import nullcontext

import torch
from torch import Tensor
from transformers import PreTrainedModel

from unteach.engine.batch import FORGET, Batch
from unteach.nouns import Sequence
from unteach.probes import answer_tokens


class Reference:
    """What the loss may read of the model before.

    Log-probabilities are computed once and kept as one number per answer. Whole distributions come
    from the same model with its adapters off where that is the model before, else from a frozen
    copy.

    Args:
        policy: the model as it is now, before training; with adapters or without.
        reads: which of "reference_logits", "reference_logps" the loss needs.
        forget: the forget sequences, for the log-probabilities.
        original: the model before, where the policy with its adapters off is not it (FILA).
    """

    def __init__(
        self,
        policy: PreTrainedModel,
        reads: frozenset[str],
        forget: list[Sequence],
        original: PreTrainedModel | None = None,
    ):
        self._logps: Tensor | None = None
        self._frozen: PreTrainedModel | None = None
        self._adapters = hasattr(policy, "disable_adapter") and original is None
        if not reads & {"reference_logits", "reference_logps"}:
            return
        if "reference_logps" in reads:
            self._logps = self._compute_logps(original or policy, forget)
        if "reference_logits" in reads and not self._adapters:
            frozen = copy.deepcopy(original or policy).eval().requires_grad_(False)
            self._frozen = frozen

    def logps(self, batch: Batch) -> Tensor | None:
        """[B], of the batch's forget answers, in nats."""
        if self._logps is None:
            return None
        index = batch["index"][batch["group"] == FORGET]
        return self._logps.to(index.device)[index]

    @torch.no_grad()
    def logits(self, batch: Batch, policy: PreTrainedModel) -> Tensor:
        """[B, T, V] of the model before; no gradient, evaluation mode."""
        model = self._frozen if self._frozen is not None else policy
        was_training = model.training
        model.eval()
        with self._off(policy):
            logits = model(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                use_cache=False,
            ).logits
        model.train(was_training)
        return logits

    def _compute_logps(self, model: PreTrainedModel, forget: list[Sequence]) -> Tensor:
        was_training = model.training
        model.eval()
        with self._off(model):
            answered = answer_tokens(model, forget)
        model.train(was_training)
        return torch.tensor([sum(a.logps) for a in answered])

    def _off(self, model: PreTrainedModel):
        return model.disable_adapter() if self._adapters else nullcontext()  # type: ignore[operator]
