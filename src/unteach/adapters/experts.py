"""Tell whether adapters reach mixture-of-experts weights that are one 3-D parameter."""

from typing import Any

from unteach.adapters.lora import expert_names, linear_names, skipped
from unteach.errors import Problem


def why_not_experts(adapter: Any, *, sharded: bool = False) -> str:
    """Return the setting because of which adapters leave such experts out; "" if they do not.

    Args:
        adapter: the request's section.
        sharded: whether weights will be sharded.

    Example:
        >>> from unteach.settings.sections import AdapterSettings as Adapter
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
    """Return a note on the share of the weights that adapters reach, if they leave experts out.

    Args:
        model: with weights, or on the meta device.
        adapter: the request's section, with its defaults filled in.
        sharded: whether weights will be sharded.
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
