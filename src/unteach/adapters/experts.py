"""Experts of a mixture that are one 3-D parameter: which adapters reach them, and what is left."""

from typing import Any

from unteach.adapters.lora import expert_names, linear_names, skipped
from unteach.errors import Problem


def why_not_experts(adapter: Any, *, sharded: bool = False) -> str:
    """Why adapters of these settings leave such experts out; empty where they do not.

    Args:
        adapter: the request's section.
        sharded: whether weights are to be put in shards.

    Example:
        >>> from unteach.settings.request import Adapter
        >>> why_not_experts(Adapter(kind="lora")), why_not_experts(Adapter(dropout=0.1))
        ('', 'adapter.dropout')
    """
    if adapter.init == "fila":
        return "FILA"
    if adapter.bits:
        return "adapter.bits"
    if adapter.dropout:
        return "adapter.dropout"
    return "weights in shards" if sharded else ""


def reach_note(model: Any, adapter: Any, *, sharded: bool = False) -> Problem | None:
    """How much of a mixture of experts the adapters reach, where that is not all of it.

    Args:
        model: with weights or without content.
        adapter: the request's section, with its defaults filled in.
        sharded: whether weights are to be put in shards.
    """
    why = why_not_experts(adapter, sharded=sharded)
    experts = expert_names(model)
    if adapter.kind != "lora" or adapter.targets != "all-linear" or not (why and experts):
        return None
    sizes = {name: p.numel() for name, p in model.named_parameters()}
    reached = sum(sizes[f"{name}.weight"] for name in linear_names(model))
    whole = sum(size for name, size in sizes.items() if not name.startswith(skipped(model)))
    what = f"adapters reach {reached / whole:.0%} of the weights: the experts of this model are "
    what += f"3-D parameters ({len(experts)} of them), to which {why} puts none"
    hint = "leave that out to reach them, or train all weights (adapter.kind=full)"
    return Problem("adapter", what, hint, "note")
