"""FILA: adapters that start as the part of the weights that the forget set uses most (LoKU)."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from unteach.adapters.fisher import fisher, out_in
from unteach.adapters.lora import lora_layers
from unteach.nouns import Problem, Sequence, UserError
from unteach.probes import Progress

EPSILON = 1e-5  # both of the authors' constants (csm9493/efficient-llm-unlearning, forget.py)
EXACT_UP_TO = 512  # a full decomposition costs little up to this size


class FilaStart(NamedTuple):
    """The factors taken out of the base weights, by layer, as they were cast.

    What training changed is the difference to them, so an adapter for the original base needs both.
    """

    factors: dict[str, tuple[Tensor, Tensor]]  # name -> A [r, in], B [out, r]


def initialise_fila(
    model: Any,
    forget: list[Sequence],
    retain: list[Sequence],
    *,
    max_samples: int | None = None,
    epsilon: float = EPSILON,
    seed: int = 0,
    progress: Progress = lambda done, total: None,
) -> FilaStart:
    """Start the adapters by FILA; what the model computes does not change.

    Each targeted weight W is split into s B A, which is trained, and W - s B A, which is frozen,
    where B A is the rank-r part that matters most to the forget set relative to the retain set
    (arXiv 2408.06621, the Fisher-weighted initialisation). The Fisher information is per sample,
    and as many retain samples are taken as there are forget samples, drawn by the seed.

    Args:
        model: with adapters, as `add_lora` made it; changed in place.
        forget: what to forget.
        retain: what to keep.
        max_samples: of the forget set, and of the retain set; None takes all forget samples.
        epsilon: added to the retain set's Fisher information; where that is far smaller, the
            weights are those of the forget set alone.
        seed: for the draw of samples, and the decomposition of large weights.
        progress: told how many samples are done.

    Raises:
        UserError: there is no retain data, the weights are quantised, or a gradient is no number.
    """
    layers = lora_layers(model)
    _refuse(layers, retain)
    forget = _draw(forget, max_samples, seed)
    retain = _draw(retain, len(forget), seed)
    total = len(forget) + len(retain)
    found = fisher(model, forget, layers, lambda k, _: progress(k, total))
    of_forget = {name: f.cpu() for name, f in found.items()}  # one set at a time on the accelerator
    del found
    of_retain = fisher(model, retain, layers, lambda k, _: progress(len(forget) + k, total))
    weights = {
        name: row_weights(of_forget.pop(name).to(f.device), f, epsilon)
        for name, f in of_retain.items()
    }
    _require_finite(weights)
    return FilaStart({n: _split(layer, weights[n], seed) for n, layer in layers.items()})


def row_weights(of_forget: Tensor, of_retain: Tensor, epsilon: float = EPSILON) -> Tensor:
    """[out], how much more each output row matters to the forget set than to the retain set.

    The square root of the row's sum of F_forget / (F_retain + epsilon), both [out, in].

    Example:
        >>> row_weights(torch.tensor([[1.0, 3.0]]) * 1e-5, torch.zeros(1, 2)).tolist()
        [2.0]
    """
    return (of_forget / (of_retain + epsilon)).sum(1).sqrt()


def weighted_factors(
    weight: Tensor, weights: Tensor, *, rank: int, scaling: float, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """A [r, in] and B [out, r] that minimise ||diag(w) (W - scaling B A)||.

    By singular values of diag(w) W, exact for small weights and randomised (seeded) for large.
    B = diag(1 / (w + 1e-5)) U sqrt(S / scaling), computed as diag(w / (w + 1e-5)) W V / sqrt(S
    scaling): the same number, but in rows with w near 0 the division of U would leave nothing but
    its rounding error. Directions without a singular value are 0 in both.

    Args:
        weight: W, [out, in].
        weights: w, [out], at least 0.
        rank: r, at most the smaller side of W.
        scaling: the adapter's alpha / r.
        seed: of the randomised decomposition.

    Example:
        >>> a, b = weighted_factors(torch.tensor([[8.0], [2.0]]), torch.ones(2), rank=1, scaling=2)
        >>> (2 * b @ a).round(decimals=3).tolist()
        [[8.0], [2.0]]
    """
    s, v = _right_svd(weights[:, None] * weight, rank, seed)
    least = s[:1] * max(weight.shape) * torch.finfo(s.dtype).eps
    live = s > least
    root = torch.where(live, s / scaling, 0).sqrt()
    inverse = torch.where(live, 1 / (s * scaling).sqrt(), 0)
    damping = weights / (weights + EPSILON)
    return (v * root).T.contiguous(), damping[:, None] * (weight @ v) * inverse


def _right_svd(matrix: Tensor, rank: int, seed: int) -> tuple[Tensor, Tensor]:
    """The largest singular values and their right vectors, [r] and [in, r]."""
    if min(matrix.shape) <= EXACT_UP_TO:
        _, s, vh = torch.linalg.svd(matrix, full_matrices=False)
        return s[:rank], vh[:rank].T
    with torch.random.fork_rng(devices=[matrix.device] if matrix.is_cuda else []):
        torch.manual_seed(seed)
        _, s, v = torch.svd_lowrank(matrix, q=min(rank + 8, *matrix.shape), niter=4)
    return s[:rank], v[:, :rank]


@torch.no_grad()
def _split(layer: Any, weights: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Write the factors into the adapter and take them out of the base weight."""
    (name,) = layer.active_adapters
    down, up = layer.lora_A[name].weight, layer.lora_B[name].weight
    base, scaling = layer.get_base_layer().weight, layer.scaling[name]
    exact = torch.promote_types(base.dtype, torch.float32)
    whole = out_in(layer, base).to(exact)
    a, b = weighted_factors(
        whole, weights.to(exact), rank=down.shape[0], scaling=scaling, seed=seed
    )
    live = a.any(1)  # the others keep peft's start, A random and B zero: all zero never trains
    down[live] = a[live].to(down.dtype)
    up.zero_()[:, live] = b[:, live].to(up.dtype)
    # From the factors as they were cast, and cast once: else the first logits drift further.
    base.copy_(out_in(layer, whole - scaling * (up.to(exact) @ down.to(exact))))
    return down.detach().clone(), up.detach().clone()


def _draw(sequences: list[Sequence], most: int | None, seed: int) -> list[Sequence]:
    """At most so many of those that have an answer."""
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
    if problems:
        raise UserError(*problems)


def _require_finite(weights: dict[str, Tensor]) -> None:
    if broken := [name for name, w in weights.items() if not w.isfinite().all()]:
        what = f"gradients of {len(broken)} layers are no numbers, first {broken[0]}"
        hint = "load the model in float32 or bfloat16, or set adapter.init=default"
        raise UserError(Problem("adapter.init", what, hint))
