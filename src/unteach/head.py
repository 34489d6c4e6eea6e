"""The last step of a language model, from final hidden states to logits, taken into our own hands.

A model's head is a matrix and, in some families, a rule or two behind it. Whoever knows both can
work out the logits of just the rows that matter, a few at a time.
"""

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from unteach.nouns import Problem, UserError

SOFTCAPS = ("final_logit_softcapping",)  # Gemma 2 and 3: cap tanh(z / cap)
FACTORS = ("logit_scale", "lm_head_multiplier", "output_multiplier_scale")  # Cohere, Falcon-H1
DIVISORS = ("logits_scaling",)  # Granite


@dataclass(frozen=True)
class Head:
    """What stands between final hidden states and logits.

    Attributes:
        weight: [V, D], the parameter.
        bias: [V], in families that have one.
        matrix: the weight as it is multiplied, where that is in another dtype; else None.
        module: in place of both where the head is no plain matrix (adapters on it, 4 bits).
        scale: what the product is multiplied by.
        cap: logits are held below it by cap tanh(z / cap); None for no cap.
    """

    weight: Tensor
    bias: Tensor | None = None
    matrix: Tensor | None = None
    module: nn.Module | None = None
    scale: float = 1.0
    cap: float | None = None

    @property
    def vocabulary(self) -> int:
        """V, the width of the head, padded entries included."""
        return self.weight.shape[0]

    def __str__(self) -> str:
        """What it does, in words.

        Example:
            >>> str(Head(torch.zeros(8, 2), scale=0.5, cap=30.0))
            '8 x 2, times 0.5, held below 30'
        """
        parts = [" x ".join(map(str, self.weight.shape))]
        parts += ["with bias"] if self.bias is not None else []
        parts += ["as a module"] if self.module is not None else []
        parts += [f"times {self.scale:g}"] if self.scale != 1 else []
        parts += [f"held below {self.cap:g}"] if self.cap is not None else []
        return ", ".join(parts)

    @property
    def trained(self) -> list[Tensor]:
        """The parameters that get a gradient."""
        if self.module is not None:
            return [p for p in self.module.parameters() if p.requires_grad]
        return [p for p in (self.weight, self.bias) if p is not None and p.requires_grad]

    @property
    def plain(self) -> bool:
        """Whether it is a matrix, with a bias or without."""
        return self.module is None

    def logits(self, states: Tensor) -> Tensor:
        """[n, V] of states [n, D], in float32 or better; with a graph where it is no matrix."""
        if self.module is not None:
            found = self.module(states)
            found = found if _exact(found) else found.float()
        else:
            found = _product(states, self._matrix)
            found = found if self.bias is None else found.add_(self.bias)
        found = found if self.scale == 1 else found * self.scale
        return found if self.cap is None else torch.tanh(found / self.cap) * self.cap

    def unruled(self, gradient: Tensor, logits: Tensor) -> Tensor:
        """From the gradient of the logits to that of the product, in place."""
        if self.cap is None and self.scale == 1:
            return gradient
        return gradient.mul_(self.slope(logits))

    def slope(self, logits: Tensor) -> Tensor:
        """How much the logits change with the product, elementwise."""
        if self.cap is None:
            return torch.full_like(logits[..., :1], self.scale)
        return (1 - (logits / self.cap).square()).mul_(self.scale)

    def back(self, gradient: Tensor) -> Tensor:
        """[n, D], the gradient of the states from that of the product, [n, V]."""
        return _back(gradient, self._matrix)

    def collect(self, gradient: Tensor, states: Tensor, into: Tensor) -> None:
        """Add the gradient of the weight to what is there, [V, D]."""
        _add_outer(gradient, states.detach().to(self._matrix.dtype), into)

    @property
    def _matrix(self) -> Tensor:
        return (self.weight if self.matrix is None else self.matrix).detach()

    def at(self, dtype: torch.dtype | None) -> "Head":
        """The head with products in that dtype; None leaves them in the weight's own."""
        if not self.plain or dtype is None or dtype == self.weight.dtype:
            return self
        return replace(self, matrix=self.weight.detach().to(dtype))

    def frozen(self) -> "Head":
        """The head as it is now: a copy of what is trained, and itself where nothing is."""
        if not self.trained:
            return self
        if self.module is not None:
            module = copy.deepcopy(self.module).requires_grad_(False).eval()
            return replace(self, module=module)
        bias = None if self.bias is None else self.bias.detach().clone()
        return replace(self, weight=self.weight.detach().clone(), bias=bias)


# Rows of a half-precision head that a CPU widens at once. There and on CUDA products are summed and
# kept in float32: rounding the logits to bfloat16 puts a small KL's gradient off by 8%.
PIECE = 8192


def _pieces(weight: Tensor) -> Iterator[slice]:
    for start in range(0, len(weight), PIECE):
        yield slice(start, start + PIECE)


def _exact(matrix: Tensor) -> bool:
    return matrix.dtype in (torch.float32, torch.float64)


def _product(states: Tensor, matrix: Tensor) -> Tensor:
    states = states.detach().to(matrix.dtype)
    if _exact(matrix):
        return states @ matrix.T
    if states.is_cuda:
        return torch.mm(states, matrix.T, out_dtype=torch.float32)  # type: ignore[call-overload]
    found = states.new_empty(len(states), len(matrix), dtype=torch.float32)
    for piece in _pieces(matrix):
        torch.mm(states.float(), matrix[piece].float().T, out=found[:, piece])
    return found


def _back(gradient: Tensor, matrix: Tensor) -> Tensor:
    if _exact(matrix):
        return gradient.to(matrix.dtype) @ matrix
    if gradient.is_cuda:
        return gradient.to(matrix.dtype) @ matrix
    found = gradient.new_zeros(len(gradient), matrix.shape[1])
    for piece in _pieces(matrix):
        found.addmm_(gradient[:, piece], matrix[piece].float())
    return found


def _add_outer(gradient: Tensor, states: Tensor, into: Tensor) -> None:
    """Into [V, D] goes gradient [n, V], transposed, times states [n, D]."""
    if _exact(states) and into.dtype == states.dtype:
        into.addmm_(gradient.to(states.dtype).T, states)
    elif states.is_cuda:
        gradient = gradient.to(states.dtype)
        into.add_(torch.mm(gradient.T, states, out_dtype=torch.float32))  # type: ignore[call-overload]
    else:
        for piece in _pieces(into):
            into[piece].add_(gradient[:, piece].T @ states.float())


def head_of(model: Any) -> Head:
    """The head of a causal language model, by its modules and its configuration.

    Raises:
        UserError: the model has none.
    """
    module: Any = model.get_output_embeddings()
    if module is None:
        hint = "take a causal language model whose `get_output_embeddings` gives its head"
        raise UserError(Problem("--model", "has no output embeddings", hint, "request"))
    config = model.config.get_text_config()
    scale = math.prod(_number(config, name) or 1.0 for name in FACTORS)
    scale /= math.prod(_number(config, name) or 1.0 for name in DIVISORS)
    cap = next((c for c in (_number(config, name) for name in SOFTCAPS) if c), None)
    rules: dict[str, Any] = {"scale": scale, "cap": cap}
    saved = getattr(module, "modules_to_save", None)  # peft trains a whole copy of it
    if saved is not None and not getattr(module, "disable_adapters", False):
        module = saved[module.active_adapters[0]]
    if type(module) is nn.Linear:
        return Head(module.weight, module.bias, **rules)
    return Head(module.weight, module=module, **rules)


def _number(config: Any, name: str) -> float | None:
    value = getattr(config, name, None)
    return float(value) if isinstance(value, (int, float)) else None


@contextmanager
def states_only(model: Any, *, logits: bool = False) -> Iterator[list[Tensor]]:
    """Within, forwards of the model leave the head's input here and give logits of no position.

    Args:
        model: a causal language model, wrapped or not.
        logits: let the head do its work all the same.
    """
    caught: list[Tensor] = []

    def catch(module: Any, args: tuple) -> tuple | None:
        caught[:] = [args[0]]
        return None if logits else (args[0][:, :0], *args[1:])

    handle = model.get_output_embeddings().register_forward_pre_hook(catch)
    try:
        yield caught
    finally:
        handle.remove()


def require_agreement(model: Any, ids: Tensor) -> Head:
    """The head, once it gives the logits that the model itself gives.

    Args:
        model: in evaluation mode.
        ids: [1, T], tokens of a text; at most sixteen are looked at.

    Raises:
        UserError: the model does more behind its head than is known here.
    """
    head = head_of(model)
    with torch.no_grad(), states_only(model, logits=True) as caught:
        expected = model(input_ids=ids[:, :16], use_cache=False).logits[0]
        found = head.logits(caught[0][0])
    rough = ROUGH.get(expected.dtype, 2e-2) * expected.nan_to_num(0, 0, 0).abs().max().clamp(min=1)
    if found.shape == expected.shape:
        same = (found == expected) | (found.isnan() & expected.isnan())  # broken alike
        if torch.where(same, 0, (found - expected).abs()).max() <= rough:
            return head
    kind = type(model.get_output_embeddings()).__name__
    what = f"{model.config.model_type}'s logits are not what its head ({kind}, {head}) makes of "
    what += "its final states: it has a rule behind the head that is not known here"
    hint = "tell us its name and the rule; training on guessed logits would be wrong"
    raise UserError(Problem("--model", what, hint))


ROUGH = {torch.float64: 1e-9, torch.float32: 1e-3}  # of the largest logit


def autocast_dtype(like: Tensor) -> torch.dtype | None:
    """What products are in under autocast on an accelerator; None elsewhere.

    A CPU takes longer in half precision, so there autocast changes nothing here.
    """
    kind = like.device.type
    if kind == "cpu" or not torch.is_autocast_enabled(kind):
        return None
    return torch.get_autocast_dtype(kind)


ON_CPU, ON_ACCELERATOR = 64 << 20, 768 << 20  # bytes of logits


def chunk_rows(head: Head, device: torch.device) -> int:
    """How many rows of logits are held at once.

    By bytes: on a CPU fewer rows take longer and more gain nothing (130 at a vocabulary of
    128,256); an accelerator needs more to be busy.
    """
    budget, least = (ON_CPU, 64) if device.type == "cpu" else (ON_ACCELERATOR, 256)
    return max(budget // (4 * head.vocabulary), least)
