"""Whether training could begin: something of the model moves, and adapters reach their targets."""

import os
from typing import Any

from unteach.errors import Problem, UserError


def check_training(adapter: Any, method: Any, empty: Any) -> list[Problem]:
    """What training could not begin with, and which experts adapters do not reach.

    Args:
        adapter: the request's section, with its defaults filled in.
        method: built with its options.
        empty: the model without content, or None.

    Returns:
        A note on experts, where there is one.

    Raises:
        UserError: a target that is not there or that peft refuses, or a method that trains
            nothing of this model.
    """
    from unteach.adapters import reach_note, require_adaptable, targets_of, why_not_experts
    from unteach.processes.launcher import sharding_asked
    from unteach.training.prepare import nothing_moves

    if empty is None:
        return []
    sharded, names = (
        sharding_asked(os.environ) is not None,
        [n for n, _ in empty.named_parameters()],
    )
    if adapter.kind == "lora":
        experts = not why_not_experts(adapter, sharded=sharded)
        linear, parameters = targets_of(empty, adapter.targets, experts=experts)
        require_adaptable(empty, linear)
        modules = linear + [name.rpartition(".")[0] for name in parameters]  # as peft names them
        names = [f"base_model.model.{name}.lora_A.default.weight" for name in modules]
    layers = empty.config.get_text_config().num_hidden_layers
    if not any(method.trainable(name, layers) for name in names):
        raise UserError(nothing_moves())
    note = reach_note(empty, adapter, sharded=sharded)
    return [note] if note else []
