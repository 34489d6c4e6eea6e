"""Add low-rank adapters to a model's linear layers, and to experts that are one parameter."""

import copy
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from unteach.errors import Problem, UserError
from unteach.registry import did_you_mean

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class LoraSettings:
    """Settings of LoRA adapters.

    Attributes:
        rank: of each adapter, and for each expert; a layer with a smaller dimension gets that
            dimension as its rank.
        alpha: scaling times rank; None is twice the rank (LoKU's choice).
        dropout: on an adapter's input.
        targets: names of linear layers ("q_proj", "mlp.fc1", ...) or of experts that are one
            parameter ("experts.down_proj"), or "all-linear" for all except the head.
        experts: with "all-linear", also the experts that are one parameter (Qwen3-MoE, Mixtral,
            GPT-OSS, ...). peft supports no dropout there.
    """

    rank: int = 16
    alpha: float | None = None
    dropout: float = 0.0
    targets: str | list[str] = "all-linear"
    experts: bool = True


def add_lora(model: PreTrainedModel, settings: LoraSettings) -> PeftModel:
    """Add adapters that have no effect yet; freeze the model in place.

    Raises:
        UserError: the model lacks a target, or peft does not support it.
    """
    linear, experts = targets_of(model, settings.targets, experts=settings.experts)
    layers: dict[str, Any] = dict(model.named_modules())
    sides = {name: min(_sides(layers[name])) for name in linear}
    alpha = 2 * settings.rank if settings.alpha is None else settings.alpha
    small = _smaller(sides, settings.rank)
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=alpha,  # type: ignore[arg-type]
        lora_dropout=settings.dropout,
        target_modules=linear,
        target_parameters=experts or None,
        rank_pattern=small,
        # the same scaling everywhere
        alpha_pattern={name: alpha / settings.rank * rank for name, rank in small.items()},
        fan_in_fan_out=keeps_in_out(model, linear) if linear else False,
        task_type="CAUSAL_LM",
    )
    try:
        return get_peft_model(model, config)  # type: ignore[return-value]
    except ValueError as error:
        raise UserError(_refused(error)) from error


def require_adaptable(model: PreTrainedModel, names: Iterable[str]) -> None:
    """Check that peft can put adapters on these layers; it refuses some in some model families.

    Args:
        model: on the meta device; not changed.
        names: full names; one layer of each last name part is tried.

    Raises:
        UserError: peft refuses one of them.
    """
    one_of_each = {name.rpartition(".")[2]: name for name in names}
    if one_of_each:
        with torch.device("meta"):
            tried = LoraSettings(rank=1, targets=list(one_of_each.values()))
            add_lora(copy.deepcopy(model), tried)


def _refused(error: Exception) -> Problem:
    reason = re.sub(r"^\[PEFT:?[\w.]*\] *", "", str(error).strip().splitlines()[0])[:240]
    hint = "name other layers in adapter.targets, or train all weights (adapter.kind=full)"
    return Problem("adapter.targets", f"peft refuses them: {reason}", hint, "request")


def targets_of(
    model: PreTrainedModel, targets: str | list[str], *, experts: bool = True
) -> tuple[list[str], list[str]]:
    """Return full names of the linear layers and of the expert parameters that get an adapter.

    Args:
        model: with weights, or on the meta device.
        targets: as in `LoraSettings`.
        experts: whether experts can have adapters.

    Raises:
        UserError: the model lacks a target, or a target is an expert and these can have none.
    """
    linear, others = linear_names(model), expert_names(model)
    if isinstance(targets, str):
        return linear, others if experts else []
    _refuse_unknown(targets, linear + others)
    linear, others = (
        [name for name in names if any(_matches(name, target) for target in targets)]
        for names in (linear, others)
    )
    if others and not experts:
        what = f"names experts that are one parameter ({others[0]}), which can have no adapter here"
        hint = "leave out FILA, adapter.bits, adapter.dropout and shards, or these targets"
        raise UserError(Problem("adapter.targets", what, hint, "request"))
    return linear, others


def linear_names(model: PreTrainedModel) -> list[str]:
    """Return full names of all linear layers except the head, which many models tie.

    Of a multimodal model only those of its language model.
    """
    head = model.get_output_embeddings()
    within = _language(model)
    layers = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, (torch.nn.Linear, Conv1D))
        and module is not head
        and name.startswith(within)
    }
    one_of_each: dict[type, Any] = {type(module): module for module in layers.values()}
    plain = {kind for kind, module in one_of_each.items() if _gives_a_product(module)}
    return [name for name, module in layers.items() if type(module) in plain]


def _gives_a_product(layer: Any) -> bool:
    """Whether a layer returns a matrix product; routers, for example, return selected experts.

    A custom class is run on zeros, except 4-bit layers, which change when they run.
    """
    kind = type(layer)
    known = kind.__module__.startswith("bitsandbytes") or isinstance(layer, Conv1D)
    if known or kind.forward is torch.nn.Linear.forward:
        return True
    weight = layer.weight
    width: Any = layer.in_features
    states = torch.zeros(1, 1, width, dtype=weight.dtype, device=weight.device)
    try:
        with torch.no_grad():
            output = layer(states)
    except Exception:  # it takes other inputs
        return False
    return isinstance(output, torch.Tensor) and output.shape == (1, 1, layer.out_features)


def expert_names(model: PreTrainedModel) -> list[str]:
    """Return full names of the parameters with a matrix for each expert, [experts, ., .]."""
    within = _language(model)
    return [
        f"{name}.{own}"
        for name, module in model.named_modules()
        if "expert" in type(module).__name__.lower() and name.startswith(within)
        for own, parameter in module.named_parameters(recurse=False)
        if parameter.ndim == 3 and parameter.is_floating_point()
    ]


def _language(model: Any) -> str:
    """Return the prefix of names in the language model; "" if the model has no other parts."""
    if model.config.get_text_config(decoder=True) is model.config:
        return ""
    decoder = model.get_decoder()
    return next((f"{n}." for n, m in model.named_modules() if m is decoder and n), "")


def skipped(model: PreTrainedModel) -> tuple[str, ...]:
    """Return name prefixes of modules that get no adapters: embedding, head, other modalities."""
    within, ends = _language(model), (model.get_input_embeddings(), model.get_output_embeddings())
    return tuple(
        f"{name}."
        for name, module in model.named_modules()
        if name
        and (module in ends or not (name + ".").startswith(within))
        and not within.startswith(name + ".")
    )


def adapted_weight(layer: Any) -> Any:
    """Return the base weight of a layer from `lora_layers`."""
    if hasattr(layer, "parameter_name"):
        return layer.get_param()
    return layer.get_base_layer().weight


def keeps_in_out(model: Any, names: Iterable[str]) -> bool:
    """Whether the weights of these layers are [in, out], as in GPT-2."""
    layers = dict(model.named_modules())
    return all(isinstance(layers[name], Conv1D) for name in names)


def lora_layers(model: Any) -> dict[str, Any]:
    """Return the layers with an adapter, by name."""
    from peft.tuners.lora import LoraLayer

    return {name: m for name, m in model.named_modules() if isinstance(m, LoraLayer)}


def _sides(layer: Any) -> tuple[int, ...]:
    """Return the dimensions of a layer's matrix; 4-bit weights are stored as a packed column."""
    if isinstance(layer, torch.nn.Linear):
        return layer.in_features, layer.out_features
    return tuple(layer.weight.shape)


def _matches(name: str, target: str) -> bool:
    """Compare complete name parts: "dense" does not match "dense_h_to_4h"."""
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
    """Return the layers smaller than the rank, and log a warning about them."""
    small = {name: size for name, size in sizes.items() if size < rank}
    if small:
        text = "adapter.rank: %d is more than the size of %d of %d layers; they get their size, %s"
        sizes_found = ", ".join(map(str, sorted(set(small.values()))))
        logger.warning(text, rank, len(small), len(sizes), sizes_found)
    return small
