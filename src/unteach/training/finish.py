"""Apply a method's final change to the weights after training (task vectors)."""

from typing import Any

import torch

from unteach.errors import Problem, UserError
from unteach.methods import Method


class Finish:
    """Stores the initial weights and applies the method's `finish`, if it has one.

    New adapters have random A and zero B, so their change s (B A) is negated and scaled by negating
    and scaling B alone.

    Args:
        method: the method with `finish`.
        model: before training.

    Raises:
        UserError: B is not zero at first (FILA), or adapters are not plain LoRA.
    """

    def __init__(self, method: Method, model: Any):
        self._method, self._start = method, {}
        self.acts = type(method).finish is not Method.finish
        if not self.acts:
            return
        moving = {p: n for n, p in model.named_parameters() if p.requires_grad}
        if hasattr(model, "peft_config"):
            up = {p: n for p, n in moving.items() if ".lora_B." in n}
            down = [p for p, n in moving.items() if ".lora_A." in n]
            if len(up) + len(down) < len(moving) or any(p.any() for p in up):
                what = f"{method.name} reverses what training changes, and these adapters "
                what += "do not begin as nothing, or are no plain LoRA"
                hint = "set adapter.init=default"
                raise UserError(Problem("adapter.init", what, hint, "request"))
            moving = up
        self._start = {p: p.detach().to("cpu", copy=True) for p in moving}

    @torch.no_grad()
    def apply(self) -> None:
        """Change the weights in place."""
        for parameter, start in self._start.items():
            parameter.copy_(self._method.finish(start.to(parameter), parameter))
