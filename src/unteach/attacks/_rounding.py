"""Round weights to a few bits, as quantised models have them: round to nearest."""

from collections.abc import Iterator
from functools import cache
from statistics import NormalDist
from typing import Any

import torch
from torch import Tensor
from transformers.pytorch_utils import Conv1D

from unteach.adapters.lora import expert_names, linear_names

WHOLE = 0  # group size for one scale per output channel


@cache
def normal_floats() -> Tensor:
    """The 16 values of NF4, the 4-bit NormalFloat (QLoRA, arXiv 2305.14314, section 3).

    They are quantiles of the normal distribution, eight of them positive, divided by the largest.

    Example:
        >>> [round(x, 4) for x in normal_floats()[[0, 1, 7, 8, 15]].tolist()]
        [-1.0, -0.6962, 0.0, 0.0796, 1.0]
    """
    # So that the outermost values have as much probability as the others.
    end = (1 - 1 / 30 + 1 - 1 / 32) / 2
    normal = NormalDist()

    def quantiles(count: int) -> list[float]:
        steps = [end + (0.5 - end) * k / count for k in range(count)]
        return [normal.inv_cdf(share) for share in steps]

    found = sorted([*quantiles(8), 0.0, *(-x for x in quantiles(7))])
    return torch.tensor(found) / max(found)


def codes(weight: Tensor, *, bits: int, group: int, normal: bool = False) -> tuple[Tensor, Tensor]:
    """Return the integer code of each weight, and the scales.

    The codes are symmetric, from -(2^(bits-1) - 1) to 2^(bits-1) - 1; the largest code is the
    weight of largest magnitude in the group. Ties are rounded to the even code.

    Args:
        weight: weight [out, in] of a linear layer.
        bits: bits of a code.
        group: number of weights of a row that share a scale; `WHOLE` for the row. The last group
            of a row may be shorter.
        normal: use the values of NF4 instead of equal steps; a code is an index into them.

    Returns:
        Codes, int8 [out, groups, group], padded with zeros; scales [out, groups, 1].

    Example:
        >>> found, scale = codes(torch.tensor([[7.0, -3.4, 0.5, 1.5]]), bits=4, group=0)
        >>> found.tolist(), scale.item()
        ([[[7, -3, 0, 2]]], 1.0)
    """
    rows = _grouped(weight.float(), group)
    if normal:
        scale, book = rows.abs().amax(-1, keepdim=True), normal_floats().to(weight.device)
        shares = rows / torch.where(scale > 0, scale, 1.0)
        return torch.bucketize(shares, (book[1:] + book[:-1]) / 2).to(torch.int8), scale
    top = 2 ** (bits - 1) - 1
    scale = rows.abs().amax(-1, keepdim=True) / top
    steps = torch.where(scale > 0, rows / torch.where(scale > 0, scale, 1.0), 0.0)
    return steps.round().clamp(-top, top).to(torch.int8), scale


def rounded(weight: Tensor, *, bits: int, group: int, normal: bool = False) -> Tensor:
    """Return the weight after rounding, in its own shape and dtype; arguments as in `codes`."""
    found, scale = codes(weight, bits=bits, group=group, normal=normal)
    values = normal_floats().to(weight.device)[found.long()] if normal else found.float()
    flat = (values * scale).flatten(1)[:, : weight.shape[1]]
    return flat.to(weight.dtype)


@torch.no_grad()
def round_model(model: Any, *, bits: int, group: int, normal: bool = False) -> int:
    """Round linear layers and experts in place, except the head; return the number of weights."""
    count = 0
    for _, weight in _matrices(model):
        found = rounded(weight.flatten(0, -2), bits=bits, group=group, normal=normal)
        weight.copy_(found.view_as(weight))
        count += weight.numel()
    return count


@torch.no_grad()
def changed(model: Any, original: Any, *, bits: int, group: int, normal: bool = False) -> float:
    """Return the share of weights whose codes differ in two models, each with its own scales."""
    before, moved, count = dict(_matrices(original)), 0, 0
    how: Any = {"bits": bits, "group": group, "normal": normal}
    for name, weight in _matrices(model):
        found = [codes(x.flatten(0, -2).cpu(), **how)[0] for x in (weight, before[name])]
        moved += int((found[0] != found[1]).sum())
        count += weight.numel()
    return moved / max(count, 1)


def _matrices(model: Any) -> Iterator[tuple[str, Tensor]]:
    """Views of the weights that are rounded: [out, in], or [experts, out, in] of one parameter."""
    modules = dict(model.named_modules())
    for name in linear_names(model):
        layer = modules[name]
        yield name, layer.weight.T if isinstance(layer, Conv1D) else layer.weight
    for name in expert_names(model):
        module = modules[name.rpartition(".")[0]]
        weight = model.get_parameter(name)
        # GPT-OSS stores [experts, in, out], the others [experts, out, in].
        yield name, weight.mT if getattr(module, "is_transposed", False) else weight


def _grouped(weight: Tensor, group: int) -> Tensor:
    """Split rows into groups: [out, groups, group], padded with zeros."""
    width = weight.shape[1]
    size = min(group, width) if group else width
    short = -width % size
    return torch.nn.functional.pad(weight, (0, short)).unflatten(1, (-1, size))
