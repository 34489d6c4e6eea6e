"""Initialise adapters with the part of the weights that the forget set uses most (FILA, LoKU)."""

import logging
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from unteach.adapters.base import BaseMark, mark_base
from unteach.adapters.factors import EPSILON, row_weights, weighted_factors
from unteach.adapters.fisher import exact, fisher, out_in
from unteach.adapters.lora import lora_layers
from unteach.adapters.swamped import Swamped
from unteach.adapters.unchanged import first_logits, require_same_logits
from unteach.errors import Problem, UserError, require
from unteach.progress import ProgressCallback
from unteach.types import Sequence

logger = logging.getLogger(__name__)


class FilaStart(NamedTuple):
    """The factors subtracted from the base weights, by layer, in the adapters' dtype.

    Training changes the weights by the difference to them, so an adapter for the original base
    needs both.
    """

    factors: dict[str, tuple[Tensor, Tensor]]  # name -> A [r, in], B [out, r]
    base: BaseMark  # of the base before the subtraction
    facts: dict[str, Any]  # measurements for a report


def initialise_fila(
    model: Any,
    forget: list[Sequence],
    retain: list[Sequence],
    *,
    max_samples: int | None = None,
    epsilon: float = EPSILON,
    batch: int = 1,
    device: Literal["auto", "cpu"] = "auto",
    seed: int = 0,
    progress: ProgressCallback = lambda done, total: None,
    note: Callable[[Problem], None] = lambda problem: logger.warning("%s", problem),
) -> FilaStart:
    """Initialise the adapters by FILA; the model's outputs do not change.

    Each targeted weight W is split into s B A, which is trained, and W - s B A, which is frozen,
    where B A is the rank-r part that matters most to the forget set relative to the retain set
    (arXiv 2408.06621, the Fisher-weighted initialisation). As many retain samples are used as there
    are forget samples, drawn by the seed.

    Memory beside the model: `fila_bytes`, two float32 sums of squares for each targeted weight.
    While gradients are computed, one of the two is on the model's device and the other on the CPU
    (both are on the CPU with `device="cpu"`), with the gradient of one layer at a time.

    Args:
        model: with adapters from `add_lora`; changed in place.
        forget: the forget sequences.
        retain: the retain sequences.
        max_samples: most samples of the forget set, and of the retain set; None for all forget
            samples.
        epsilon: added to the retain set's Fisher information; if that is far smaller, the row
            weights depend on the forget set alone.
        batch: samples per gradient of a mean loss; 1 gives Fisher information per sample, the
            authors use more.
        device: of the sums; "auto" is the model's device, "cpu" saves its memory and is slower.
        seed: for drawing samples, and the decomposition of large weights.
        progress: called with the number of samples done.
        note: called if epsilon is far above the retain set's Fisher information.

    Raises:
        UserError: there are no retain data, the weights are quantised, a gradient is not finite, or
            the model's outputs changed.
    """
    layers = lora_layers(model)
    _refuse(layers, retain)
    forget = _draw(forget, max_samples, seed)
    retain = _draw(retain, len(forget), seed)
    base, before = mark_base(model), first_logits(model, forget)
    total = len(forget) + len(retain)
    sums: dict[str, Any] = {"batch": batch, "device": None if device == "auto" else device}
    raw = fisher(model, forget, layers, lambda k, _: progress(k, total), **sums)
    of_forget = {name: f.cpu() for name, f in raw.items()}  # one set at a time on the accelerator
    del raw
    done = len(forget)
    of_retain = fisher(model, retain, layers, lambda k, _: progress(done + k, total), **sums)
    swamped = Swamped(epsilon, of_retain)
    weights = {}
    for name in layers:
        f = of_retain.pop(name)
        weights[name] = row_weights(of_forget.pop(name).to(f.device), f, epsilon)
    _require_finite(weights)
    for problem in swamped.notes():
        note(problem)
    factors = {n: _split(layer, weights[n], seed) for n, layer in layers.items()}
    drift = require_same_logits(model, before, first_logits(model, forget))
    size = fila_bytes(model)
    facts = {"fila_step0_error": drift, "fila_fisher_bytes": size, **swamped.facts()}
    return FilaStart(factors, base, facts)


def fila_bytes(model: Any) -> int:
    """Return the memory of the Fisher information of forget and retain set, in bytes.

    Args:
        model: with adapters.
    """
    weights = [layer.get_base_layer().weight for layer in lora_layers(model).values()]
    return sum(2 * w.numel() * exact(w).itemsize for w in weights)


@torch.no_grad()
def _split(layer: Any, weights: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Write the factors to the adapter and subtract their product from the base weight."""
    (name,) = layer.active_adapters
    down, up = layer.lora_A[name].weight, layer.lora_B[name].weight
    base, scaling = layer.get_base_layer().weight, layer.scaling[name]
    whole = out_in(layer, base).to(exact(base))
    a, b = weighted_factors(
        whole, weights.to(whole), rank=down.shape[0], scaling=scaling, seed=seed
    )
    live = a.any(1)  # other rows keep peft's random A and zero B: with both zero none would train
    down[live] = a[live].to(down.dtype)
    up.zero_()[:, live] = b[:, live].to(up.dtype)
    # Computed from the rounded factors, and rounded once, to change the logits least.
    taken = up.to(whole) @ down.to(whole)
    base.copy_(out_in(layer, whole - scaling * taken))
    return down.detach().clone(), up.detach().clone()


def _draw(sequences: list[Sequence], most: int | None, seed: int) -> list[Sequence]:
    """Draw at most `most` of the sequences that have an answer."""
    usable = [s for s in sequences if any(s.answer)]
    if most is None or len(usable) <= most:
        return usable
    order = torch.randperm(len(usable), generator=torch.Generator().manual_seed(seed)).tolist()
    return [usable[i] for i in order[:most]]


def _refuse(layers: dict[str, Any], retain: list[Sequence]) -> None:
    where, hint = "adapter.init", "set adapter.init=default"
    problems = []
    if not any(any(s.answer) for s in retain):
        what = "FILA weighs the forget set against the retain set, and there is none"
        problems.append(Problem(where, what, f"give --retain, or {hint}", "request"))
    types = {layer.get_base_layer().weight.dtype for layer in layers.values()}
    if whole := sorted(str(t).removeprefix("torch.") for t in types if not t.is_floating_point):
        what = f"FILA changes the base weights, and these are quantised ({', '.join(whole)})"
        problems.append(Problem(where, what, f"load the model unquantised, or {hint}", "request"))
    require(*problems)


def _require_finite(weights: dict[str, Tensor]) -> None:
    if broken := [name for name, w in weights.items() if not w.isfinite().all()]:
        what = f"gradients of {len(broken)} layers are no numbers, first {broken[0]}"
        hint = "load the model in float32 or bfloat16, or set adapter.init=default"
        raise UserError(Problem("adapter.init", what, hint))
