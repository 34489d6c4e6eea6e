"""What weights that are quantised on disk lack, as far as names tell without the quantiser.

Quantised layers have names of their own. But norms and biases keep theirs, and a layer has some.
"""

import copy
import re
from collections.abc import Mapping
from typing import Any

from unteach.errors import Problem
from unteach.models.weights import WHOLE, built, laid_on, some

LAYER = re.compile(r"\w+\.\d+\.")


def packed_gaps(
    config: Any, weights: Mapping[str, Any] | None, where: str, *, trust_remote_code: bool = False
) -> Problem | None:
    """That norms, biases or whole layers are missing; they would be drawn at random.

    Args:
        config: of the model.
        weights: those on disk by name, as `headers` gives them; None where they are not here.
        where: what messages call the model by.
        trust_remote_code: run the code that the model brings with it.
    """
    if not weights:
        return None
    try:
        empty = built(_plain(config), trust_remote_code=trust_remote_code)
        model, info = laid_on(empty, weights)
    except Exception:  # what cannot be done without content: loading will tell
        return None
    axes = {name: tensor.ndim for name, tensor in model.state_dict().items()}
    missing = sorted(info["missing_keys"])
    lost = [n for n in missing if axes.get(n) == 1 or not _has_layer(n, weights)]
    if not lost:
        return None
    what = f"is no whole {type(model).__name__}: it lacks {len(lost)} of its weights ({some(lost)})"
    return Problem(where, what, WHOLE, "request")


def _plain(config: Any) -> Any:
    """The same configuration, of weights that are not quantised."""
    plain = copy.deepcopy(config)
    for part in (plain, *(getattr(plain, name, None) for name in plain.sub_configs)):
        if part is not None and hasattr(part, "quantization_config"):
            del part.quantization_config
    return plain


def _has_layer(name: str, weights: Mapping[str, Any]) -> bool:
    """Whether there is any weight of the layer that one is of; also of what is in no layer."""
    layer = LAYER.search(name)
    return layer is None or any(f".{layer[0]}" in f".{there}" for there in weights)
