"""Check that training has trainable parameters and that adapters find their target layers."""

import os
from typing import Any

from unteach.errors import Problem, UserError


def check_training(adapter: Any, method: Any, empty: Any) -> list[Problem]:
    """Check the targets of adapters and the trainable parameters; note experts without adapters.

    Args:
        adapter: the request's section, with its defaults filled in.
        method: the method, built with its options.
        empty: the model on the meta device, or None.

    Returns:
        A note on experts that get no adapter, or nothing.

    Raises:
        UserError: a target is missing or peft refuses it, or the method trains no parameter of
            this model.
    """
    if empty is None:
        return []
    names = [name for name, _ in empty.named_parameters()]
    note = None
    if adapter.kind == "lora":
        names, note = _adapters(adapter, empty)
    layers = empty.config.get_text_config().num_hidden_layers
    if not any(method.trainable(name, layers) for name in names):
        from unteach.training.prepare import nothing_moves

        raise UserError(nothing_moves())
    return [note] if note else []


def _adapters(adapter: Any, empty: Any) -> tuple[list[str], Problem | None]:
    """Names of the adapters' parameters as peft has them, and the note. Raises UserError."""
    from unteach.adapters import reach_note, require_adaptable, targets_of, why_not_experts
    from unteach.processes.launcher import sharding_asked

    sharded = sharding_asked(os.environ) is not None
    experts = not why_not_experts(adapter, sharded=sharded)
    linear, parameters = targets_of(empty, adapter.targets, experts=experts)
    require_adaptable(empty, linear)
    modules = linear + [name.rpartition(".")[0] for name in parameters]
    names = [f"base_model.model.{name}.lora_A.default.weight" for name in modules]
    return names, reach_note(empty, adapter, sharded=sharded)
