"""Low-rank adapters on the linear layers of a model."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from unteach.nouns import Problem, UserError
from unteach.registry import did_you_mean

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class LoraSettings:
    """How adapters look.

    Attributes:
        rank: of each adapter; a layer with a side smaller than that gets the side's size.
        alpha: scaling times rank; None is twice the rank (LoKU's choice).
        dropout: on an adapter's input.
        targets: names of linear layers ("q_proj", "mlp.fc1", ...), or "all-linear" for every one
            but the head.
    """

    rank: int = 16
    alpha: float | None = None
    dropout: float = 0.0
    targets: str | list[str] = "all-linear"


def add_lora(model: PreTrainedModel, settings: LoraSettings) -> PeftModel:
    """The model with adapters that change nothing yet; the model itself is frozen in place.

    Raises:
        UserError: a target that the model does not have.
    """
    names = linear_names(model)
    if isinstance(settings.targets, str):
        targets = names
    else:
        _refuse_unknown(settings.targets, names)
        targets = [n for n in names if any(_matches(n, target) for target in settings.targets)]
    layers: dict[str, Any] = dict(model.named_modules())
    alpha = 2 * settings.rank if settings.alpha is None else settings.alpha
    small = _smaller({name: min(_sides(layers[name])) for name in targets}, settings.rank)
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=alpha,  # type: ignore[arg-type]
        lora_dropout=settings.dropout,
        target_modules=targets,
        rank_pattern=small,
        # the same scaling everywhere
        alpha_pattern={name: alpha / settings.rank * rank for name, rank in small.items()},
        fan_in_fan_out=keeps_in_out(model, targets),
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)  # type: ignore[return-value]


def linear_names(model: PreTrainedModel) -> list[str]:
    """Full names of all linear layers but the head, which ties to the embedding in many models."""
    head = model.get_output_embeddings()
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, (torch.nn.Linear, Conv1D)) and module is not head
    ]


def keeps_in_out(model: Any, names: Iterable[str]) -> bool:
    """Whether the weights of these layers are [in, out], as GPT-2 has them."""
    layers = dict(model.named_modules())
    return all(isinstance(layers[name], Conv1D) for name in names)


def lora_layers(model: Any) -> dict[str, Any]:
    """The layers that carry an adapter, by name."""
    from peft.tuners.lora import LoraLayer

    return {name: m for name, m in model.named_modules() if isinstance(m, LoraLayer)}


def _sides(layer: Any) -> tuple[int, ...]:
    """Of the matrix that a layer is; 4-bit weights are packed into a column."""
    if isinstance(layer, torch.nn.Linear):
        return layer.in_features, layer.out_features
    return tuple(layer.weight.shape)


def _matches(name: str, target: str) -> bool:
    """By whole parts of the name: "dense" is not "dense_h_to_4h"."""
    return f".{name}".endswith(f".{target}")


def _refuse_unknown(targets: list[str], names: list[str]) -> None:
    known = sorted({name.rpartition(".")[2] for name in names})
    problems = [
        Problem(
            "adapter.targets",
            f'no linear layer below the head is called "{target}"',
            f"{did_you_mean(target, known)} Known: {', '.join(known)}".strip(),
            "request",
        )
        for target in targets
        if not any(_matches(name, target) for name in names)
    ]
    if problems or not targets:
        hint = f"known: {', '.join(known)}"
        raise UserError(*(problems or [Problem("adapter.targets", "is empty", hint, "request")]))


def _smaller(sizes: dict[str, int], rank: int) -> dict[str, int]:
    """The layers that have no such rank; the user is told."""
    small = {name: size for name, size in sizes.items() if size < rank}
    if small:
        text = "adapter.rank: %d is more than the size of %d of %d layers; they get their size, %s"
        sizes_found = ", ".join(map(str, sorted(set(small.values()))))
        logger.warning(text, rank, len(small), len(sizes), sizes_found)
    return small
