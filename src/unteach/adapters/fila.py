"""FILA: adapters that start as the part of the weights that the forget set uses most (LoKU)."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from unteach.adapters.lora import lora_layers
from unteach.nouns import Problem, Sequence, UserError
from unteach.probes import Progress, right_padded

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
        seed: for the draw of retain samples, and the decomposition of large weights.
        progress: told how many samples are done.

    Raises:
        UserError: there is no retain data.
    """
    if not retain:
        hint = "give --retain, or set adapter.init=default"
        where = "adapter.init"
        what = "FILA weighs the forget set against the retain set, and there is none"
        raise UserError(Problem(where, what, hint, "request"))
    layers = lora_layers(model)
    order = torch.randperm(len(retain), generator=torch.Generator().manual_seed(seed)).tolist()
    drawn = [retain[i] for i in order[: len(forget)]]
    total = len(forget) + len(drawn)
    of_forget = fisher(model, forget, layers, lambda k, _: progress(k, total))
    of_retain = fisher(model, drawn, layers, lambda k, _: progress(len(forget) + k, total))
    return FilaStart(
        {
            name: _split(layer, row_weights(of_forget[name], of_retain[name]), seed)
            for name, layer in layers.items()
        }
    )


def fisher(
    model: Any,
    sequences: list[Sequence],
    layers: Iterable[str],
    progress: Progress = lambda done, total: None,
) -> dict[str, Tensor]:
    """Diagonal Fisher information of the layers' base weights, [out, in] in float32.

    F = sum_i n_i g_i^2 / sum_i n_i, with g_i the gradient of sample i's mean loss over its n_i
    answer tokens. The authors square the gradient of a batch's mean, so that the batch size changes
    the result; one sample at a time does not.
    """
    modules = dict(model.named_modules())
    weights = {name: modules[name].get_base_layer().weight for name in layers}
    sums = {n: torch.zeros_like(w, dtype=torch.float32) for n, w in weights.items()}
    trained = [p for p in model.parameters() if p.requires_grad]
    was_training, tokens = model.training, 0
    model.eval()
    for p in trained:
        p.requires_grad_(False)
    for weight in weights.values():
        weight.requires_grad_(True)
    try:
        for done, sequence in enumerate(sequences, 1):
            n = sum(sequence.answer)
            grads = torch.autograd.grad(_loss(model, sequence), list(weights.values()))
            for total, grad in zip(sums.values(), grads, strict=True):
                total.addcmul_(grad.float(), grad.float(), value=n)
            tokens += n
            progress(done, len(sequences))
    finally:
        for weight in weights.values():
            weight.requires_grad_(False)
        for p in trained:
            p.requires_grad_(True)
        model.train(was_training)
    found = {n: s / max(tokens, 1) for n, s in sums.items()}
    return {n: _out_in(modules[n], f) for n, f in found.items()}


def row_weights(of_forget: Tensor, of_retain: Tensor) -> Tensor:
    """[out], how much more each output row matters to the forget set than to the retain set.

    The square root of the row's sum of F_forget / (F_retain + 1e-5).

    Example:
        >>> row_weights(torch.tensor([[1.0, 3.0]]) * 1e-5, torch.zeros(1, 2)).tolist()
        [2.0]
    """
    return (of_forget / (of_retain + EPSILON)).sum(1).sqrt()


def weighted_factors(
    weight: Tensor, weights: Tensor, *, rank: int, scaling: float, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """A [r, in] and B [out, r] that minimise ||diag(w) (W - scaling B A)||.

    By singular values of diag(w) W, exact for small weights and randomised (seeded) for large.

    Args:
        weight: W, [out, in].
        weights: w, [out], at least 0.
        rank: r.
        scaling: the adapter's alpha / r.
        seed: of the randomised decomposition.
    """
    u, s, v = _svd(weights[:, None] * weight, rank, seed)
    root = (s / scaling).sqrt()
    return (v * root).T.contiguous(), (u * root) / (weights + EPSILON)[:, None]


def _svd(matrix: Tensor, rank: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    if min(matrix.shape) <= EXACT_UP_TO:
        u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
        return u[:, :rank], s[:rank], vh[:rank].T
    with torch.random.fork_rng(devices=[matrix.device] if matrix.is_cuda else []):
        torch.manual_seed(seed)
        u, s, v = torch.svd_lowrank(matrix, q=min(rank + 8, *matrix.shape), niter=4)
    return u[:, :rank], s[:rank], v[:, :rank]


@torch.no_grad()
def _split(layer: Any, weights: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Write the factors into the adapter and take them out of the base weight."""
    (name,) = layer.active_adapters
    down, up = layer.lora_A[name].weight, layer.lora_B[name].weight
    base, scaling = layer.get_base_layer().weight, layer.scaling[name]
    exact = torch.float64 if base.dtype == torch.float64 else torch.float32
    a, b = weighted_factors(
        _out_in(layer, base).to(exact),
        weights.to(exact),
        rank=down.shape[0],
        scaling=scaling,
        seed=seed,
    )
    rank = a.shape[0]  # below the adapter's where the weight is smaller than it
    down.zero_()[:rank] = a.to(down.dtype)
    up.zero_()[:, :rank] = b.to(up.dtype)
    # From the factors as they were cast: else the first logits drift in half precision.
    taken = scaling * (up.to(exact) @ down.to(exact))
    base -= _out_in(layer, taken).to(base.dtype)
    return down.detach().clone(), up.detach().clone()


def _out_in(layer: Any, matrix: Tensor) -> Tensor:
    """[out, in] of a base weight, and back: GPT-2 keeps its weights the other way round."""
    return matrix.T if getattr(layer, "fan_in_fan_out", False) else matrix


def _loss(model: Any, sequence: Sequence) -> Tensor:
    ids = right_padded([sequence.ids], model.device)
    logits = model(input_ids=ids, use_cache=False).logits[0, :-1]
    answer = torch.tensor(sequence.answer[1:], device=logits.device)
    logits = logits[answer] if logits.dtype == torch.float64 else logits[answer].float()
    return torch.nn.functional.cross_entropy(logits, ids[0, 1:][answer])
