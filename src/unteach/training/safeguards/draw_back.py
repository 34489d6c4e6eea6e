"""Interpolate the weights of a model that forgot too much back towards its original weights."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from unteach.inference import answer_tokens
from unteach.teachers.holdout import level_auc
from unteach.types import Sequence

PROBE = 64  # scored answers of each kind
BISECTIONS = 7  # finds the share to 1 / 128
NEAR = 0.05  # the standard error of an AUC of one half between 64 answers of each kind


@dataclass(frozen=True)
class DrawBackResult:
    """Result of drawing back.

    Attributes:
        share: position between the weights before training (0) and those after (1); 1 if the model
            had not forgotten too much.
        before: AUC of the forget answers' log-probabilities against the holdout's at the end of
            training. Below one half they are less likely than answers that were never seen.
        after: the AUC at `share`.
    """

    share: float
    before: float
    after: float


class DrawBack:
    """Stores a model's trainable weights, and later interpolates between them and the trained ones.

    If a model forgot too much, the line W = W0 + a (W1 - W0) has a point where its forget answers
    are as likely as answers that it never saw: their AUC against these is one half. Bisection finds
    that point without training. (WiSE-FT, arXiv 2109.01903, interpolates the weights of two models
    for robust fine-tuning.) For adapters the factors are interpolated, not their product; both ends
    are the same.

    It costs one copy of the trainable weights in host memory during training, a second one during
    the search, and eight passes over at most 64 answers of each kind.

    Args:
        model: the model before training.

    Example:
        >>> model = torch.nn.Linear(1, 1)
        >>> kept = DrawBack(model)
        >>> before = model.bias.item()
        >>> _ = model.bias.data.add_(4.0)
        >>> kept.place(model, kept.now(model), 0.25)
        >>> round(model.bias.item() - before, 3)
        1.0
    """

    def __init__(self, model: torch.nn.Module):
        # Stored now: a method that trains only some layers unfreezes all of them at its end.
        self._names = {name for name, p in model.named_parameters() if p.requires_grad}
        self._before = self.now(model)

    def now(self, model: torch.nn.Module) -> dict[str, Tensor]:
        """Return a copy of the current trainable weights in host memory."""
        trained = ((n, p) for n, p in model.named_parameters() if n in self._names)
        return {name: p.detach().to("cpu", copy=True) for name, p in trained}

    def place(self, model: torch.nn.Module, end: dict[str, Tensor], share: float) -> None:
        """Set the model's weights to W0 + share (end - W0)."""
        weights = dict(model.named_parameters())
        with torch.no_grad():
            for name, after in end.items():
                weight = after if share == 1 else self._before[name].lerp(after, share)
                weights[name].copy_(weight)

    def to_never_seen(
        self,
        model: Any,
        forget: list[Sequence],
        never_seen: list[Sequence],
        *,
        tokens_per_batch: int = 4096,
    ) -> DrawBackResult:
        """Set the model to the point where the AUC is nearest to one half.

        A model whose AUC is one half or more stays unchanged, or so little below it that chance
        explains it. The answers are split over all processes, and every process must call this.

        Args:
            model: after training; it is in evaluation mode afterwards.
            forget: the forget sequences.
            never_seen: similar texts that the model never saw, not used in the evaluation.
            tokens_per_batch: padded tokens per forward pass.
        """
        probes = evenly(forget, PROBE), evenly(never_seen, PROBE)
        model.eval()

        def auc_now() -> float:
            answers = answer_tokens(
                model, [*probes[0], *probes[1]], tokens_per_batch=tokens_per_batch, shared=True
            )
            logps = [list(one.logps) for one in answers]
            return level_auc(logps[: len(probes[0])], logps[len(probes[0]) :])

        trained = auc_now()
        if trained >= 0.5 - NEAR:
            return DrawBackResult(1.0, trained, trained)
        end, low, high = self.now(model), 0.0, 1.0
        best = (1.0, trained)
        for _ in range(BISECTIONS):
            share = (low + high) / 2
            self.place(model, end, share)
            current = auc_now()
            # Of two equally near take the later: it is nearer to where the AUC crosses one half.
            best = min((share, current), best, key=lambda point: abs(point[1] - 0.5))
            low, high = (share, high) if current >= 0.5 else (low, share)
        self.place(model, end, best[0])
        return DrawBackResult(best[0], trained, best[1])


def evenly(sequences: list[Sequence], most: int) -> list[Sequence]:
    """Return at most `most` sequences with an answer, evenly spaced."""
    usable = [sequence for sequence in sequences if any(sequence.answer)]
    step = -(-len(usable) // most) or 1
    return usable[::step]
