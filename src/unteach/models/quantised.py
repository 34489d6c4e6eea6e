"""Find missing weights of a quantised checkpoint by their names, without the quantiser.

Quantised weights have other names than plain ones. But norms and biases keep their names, and each
layer has some of them.
"""

import copy
import re
from collections.abc import Mapping
from typing import Any

from unteach.errors import Problem
from unteach.models.weight_files import WHOLE, some
from unteach.models.weights import built, laid_on

LAYER = re.compile(r"\w+\.\d+\.")


def packed_gaps(
    config: Any, weights: Mapping[str, Any] | None, where: str, *, trust_remote_code: bool = False
) -> Problem | None:
    """Make the problem of missing norms, biases or layers, which would be initialised at random.

    Args:
        config: of the model.
        weights: weights on disk by name, from `headers`; None if they are not on this machine.
        where: name of the model in messages.
        trust_remote_code: run code in the model's repository.
    """
    if not weights:
        return None
    try:
        empty = built(_plain(config), trust_remote_code=trust_remote_code)
        model, info = laid_on(empty, weights)
    except Exception:  # the model's code needs real tensors: loading will report any problem
        return None
    axes = {name: tensor.ndim for name, tensor in model.state_dict().items()}
    missing = sorted(info["missing_keys"])
    lost = [n for n in missing if axes.get(n) == 1 or not _has_layer(n, weights)]
    if not lost:
        return None
    what = f"is no whole {type(model).__name__}: it lacks {len(lost)} of its weights ({some(lost)})"
    return Problem(where, what, WHOLE, "request")


def _plain(config: Any) -> Any:
    """Copy the configuration without its quantisation settings."""
    plain = copy.deepcopy(config)
    for part in (plain, *(getattr(plain, name, None) for name in plain.sub_configs)):
        if part is not None and hasattr(part, "quantization_config"):
            del part.quantization_config
    return plain


def _has_layer(name: str, weights: Mapping[str, Any]) -> bool:
    """Whether any weight of the same layer is there; True for weights outside of layers."""
    layer = LAYER.search(name)
    return layer is None or any(f".{layer[0]}" in f".{there}" for there in weights)
