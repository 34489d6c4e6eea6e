"""Interpolate the weights of a model that forgot too much back towards those before training."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from unteach.inference import answer_tokens
from unteach.teachers.holdout import auc
from unteach.types import Sequence

PROBE = 64  # answers of each kind that are scored
BISECTIONS = 7  # so that the share is found to 1 / 128


@dataclass(frozen=True)
class DrawBackResult:
    """What drawing back did.

    Attributes:
        share: where the model stands between the weights before training (0) and those after (1);
            1 where it had not forgotten too much.
        before: the AUC of the forget answers' log-probabilities against the holdout's at the end of
            training. Below one half they are less likely than answers that were never seen.
        after: the same AUC at `share`.
    """

    share: float
    before: float
    after: float


class DrawBack:
    """Keeps a model's trained weights, and later interpolates between them and the new ones.

    On the line W = W0 + a (W1 - W0) a model that forgot too much passes a point where its forget
    answers are as likely as answers that it never saw: the AUC of the ones against the others is
    one half there. Bisection finds that point without training. (Weights between two models are
    used for robust fine-tuning in WiSE-FT, arXiv 2109.01903.) Of adapters the factors are
    interpolated, not their product; both ends are the same.

    It costs one copy of the trained weights in the host's memory while the model trains, a second
    one while the point is searched, and eight passes over at most 64 answers of each kind.

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
        # Named now: a method that trains some layers alone lets all go again when it ends.
        self._names = {name for name, p in model.named_parameters() if p.requires_grad}
        self._before = self.now(model)

    def now(self, model: torch.nn.Module) -> dict[str, Tensor]:
        """The trained weights as they are, in the host's memory."""
        trained = ((n, p) for n, p in model.named_parameters() if n in self._names)
        return {name: p.detach().to("cpu", copy=True) for name, p in trained}

    def place(self, model: torch.nn.Module, end: dict[str, Tensor], share: float) -> None:
        """Interpolate: set the model's weights to W0 + share (end - W0)."""
        weights = dict(model.named_parameters())
        with torch.no_grad():
            for name, after in end.items():
                found = after if share == 1 else self._before[name].lerp(after, share)
                weights[name].copy_(found)

    def to_never_seen(
        self,
        model: Any,
        forget: list[Sequence],
        never_seen: list[Sequence],
        *,
        tokens_per_batch: int = 4096,
    ) -> DrawBackResult:
        """Set the model to the point where the AUC is nearest to one half.

        A model whose AUC is one half or more stays as it is. The answers are dealt out to all
        processes, and each of these must call this.

        Args:
            model: after training; it is in evaluation mode afterwards.
            forget: what was to be forgotten.
            never_seen: texts of its kind that the model never saw, and that judge nothing later.
            tokens_per_batch: padded tokens of one forward.
        """
        probes = evenly(forget, PROBE), evenly(never_seen, PROBE)
        model.eval()

        def auc_now() -> float:
            found = answer_tokens(
                model, [*probes[0], *probes[1]], tokens_per_batch=tokens_per_batch, shared=True
            )
            logps = [list(one.logps) for one in found]
            return auc(logps[: len(probes[0])], logps[len(probes[0]) :])

        found = auc_now()
        if found >= 0.5:
            return DrawBackResult(1.0, found, found)
        end, low, high = self.now(model), 0.0, 1.0
        best = (1.0, found)
        for _ in range(BISECTIONS):
            share = (low + high) / 2
            self.place(model, end, share)
            there = auc_now()
            # Of two as near the later one: it is nearer to where the AUC passes one half.
            best = min((share, there), best, key=lambda point: abs(point[1] - 0.5))
            low, high = (share, high) if there >= 0.5 else (low, share)
        self.place(model, end, best[0])
        return DrawBackResult(best[0], found, best[1])


def evenly(sequences: list[Sequence], most: int) -> list[Sequence]:
    """At most so many with an answer, evenly spaced in their order."""
    found = [sequence for sequence in sequences if any(sequence.answer)]
    step = -(-len(found) // most) or 1
    return found[::step]
