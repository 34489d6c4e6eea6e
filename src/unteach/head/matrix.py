"""What stands between final hidden states and logits, as a record."""

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from unteach.head.products import add_outer, back, exact, product


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
            found = found if exact(found) else found.float()
        else:
            found = product(states, self._matrix)
            found = found if self.bias is None else found.add_(self.bias)
        return self._ruled(found)

    def _ruled(self, product: Tensor) -> Tensor:
        found = product if self.scale == 1 else product * self.scale
        return found if self.cap is None else torch.tanh(found / self.cap) * self.cap

    def traced(self, states: Tensor) -> Tensor:
        """[n, V] of states [n, D], as `logits`, with a graph back to the states and the head."""
        if self.module is not None:
            return self.logits(states)
        found = nn.functional.linear(states.to(self.weight.dtype), self.weight, self.bias)
        return self._ruled(found if exact(found) else found.float())

    def unruled(self, gradient: Tensor, logits: Tensor) -> Tensor:
        """From the gradient of the logits, which may be a view, to that of the product."""
        if self.cap is None:
            return gradient if self.scale == 1 else gradient * self.scale
        return self.slope(logits).mul_(gradient)

    def slope(self, logits: Tensor) -> Tensor:
        """How much the logits change with the product, elementwise."""
        if self.cap is None:
            return torch.full_like(logits[..., :1], self.scale)
        return (1 - (logits / self.cap).square()).mul_(self.scale)

    def back(self, gradient: Tensor) -> Tensor:
        """[n, D], the gradient of the states from that of the product, [n, V]."""
        return back(gradient, self._matrix)

    def collect(self, gradient: Tensor, states: Tensor, into: Tensor) -> None:
        """Add the gradient of the weight to what is there, [V, D]."""
        add_outer(gradient, states.detach().to(self._matrix.dtype), into)

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
            same = {id(p): p for p in self.module.parameters() if not p.requires_grad}
            module = copy.deepcopy(self.module, same).requires_grad_(False).eval()
            return replace(self, module=module)
        bias = None if self.bias is None else self.bias.detach().clone()
        weight = self.weight.detach().clone() if self.matrix is None else self.matrix
        return replace(self, weight=weight, bias=bias, matrix=None)
