"""Compute logits and their gradients from final hidden states with a model's head."""

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from unteach.head.products import add_outer, back, exact, product


@dataclass(frozen=True)
class Head:
    """The map from final hidden states to logits.

    Attributes:
        weight: [V, D], the parameter.
        bias: [V], in model families that have one.
        matrix: the weight cast to the dtype of the product, if that is another dtype; else None.
        module: used instead of weight and bias if the head is not a plain matrix (it has adapters,
            or is quantised to 4 bits).
        scale: factor on the product.
        cap: bound on the logits, applied as cap tanh(z / cap); None for no cap.
    """

    weight: Tensor
    bias: Tensor | None = None
    matrix: Tensor | None = None
    module: nn.Module | None = None
    scale: float = 1.0
    cap: float | None = None

    @property
    def vocabulary(self) -> int:
        """V, the number of logits per row, padded entries included."""
        return self.weight.shape[0]

    def __str__(self) -> str:
        """Describe the head in words.

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
        """The parameters that require a gradient."""
        if self.module is not None:
            return [p for p in self.module.parameters() if p.requires_grad]
        return [p for p in (self.weight, self.bias) if p is not None and p.requires_grad]

    @property
    def plain(self) -> bool:
        """Whether the head is a plain matrix, with or without a bias."""
        return self.module is None

    def logits(self, states: Tensor) -> Tensor:
        """Return logits [n, V] of states [n, D], in float32 or better.

        They have a graph only if the head is a module.
        """
        if self.module is not None:
            logits = self.module(states)
            logits = logits if exact(logits) else logits.float()
        else:
            logits = product(states, self._matrix)
            logits = logits if self.bias is None else logits.add_(self.bias)
        return self._scale_and_cap(logits)

    def _scale_and_cap(self, product: Tensor) -> Tensor:
        scaled = product if self.scale == 1 else product * self.scale
        return scaled if self.cap is None else torch.tanh(scaled / self.cap) * self.cap

    def traced(self, states: Tensor) -> Tensor:
        """Return the same as `logits`, with a graph back to the states and the head."""
        if self.module is not None:
            return self.logits(states)
        product = nn.functional.linear(states.to(self.weight.dtype), self.weight, self.bias)
        return self._scale_and_cap(product if exact(product) else product.float())

    def unruled(self, gradient: Tensor, logits: Tensor) -> Tensor:
        """Return the gradient [n, V] of the product before scale and cap.

        Args:
            gradient: of the logits, [n, V]; may be a view.
            logits: [n, V].
        """
        if self.cap is None:
            return gradient if self.scale == 1 else gradient * self.scale
        return self.slope(logits).mul_(gradient)

    def slope(self, logits: Tensor) -> Tensor:
        """Return the elementwise derivative of the logits by the product."""
        if self.cap is None:
            return torch.full_like(logits[..., :1], self.scale)
        return (1 - (logits / self.cap).square()).mul_(self.scale)

    def back(self, gradient: Tensor) -> Tensor:
        """Return the gradient of the states, [n, D], from that of the product, [n, V]."""
        return back(gradient, self._matrix)

    def collect(self, gradient: Tensor, states: Tensor, into: Tensor) -> None:
        """Add the gradient of the weight to `into`, [V, D]."""
        add_outer(gradient, states.detach().to(self._matrix.dtype), into)

    @property
    def _matrix(self) -> Tensor:
        return (self.weight if self.matrix is None else self.matrix).detach()

    def at(self, dtype: torch.dtype | None) -> "Head":
        """Return the head with products in `dtype`; None keeps the weight's own dtype."""
        if not self.plain or dtype is None or dtype == self.weight.dtype:
            return self
        return replace(self, matrix=self.weight.detach().to(dtype))

    def frozen(self) -> "Head":
        """Return the head with its trained parameters copied; the head itself if it has none."""
        if not self.trained:
            return self
        if self.module is not None:
            same = {id(p): p for p in self.module.parameters() if not p.requires_grad}
            module = copy.deepcopy(self.module, same).requires_grad_(False).eval()
            return replace(self, module=module)
        bias = None if self.bias is None else self.bias.detach().clone()
        weight = self.weight.detach().clone() if self.matrix is None else self.matrix
        return replace(self, weight=weight, bias=bias, matrix=None)
