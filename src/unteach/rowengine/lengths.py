"""Forward the short and the long sequences of a batch apart, so that little of it is padding.

It stays one batch: its gradient is the same sum, and its final states come back as [B, T, D].
"""

from collections.abc import Callable
from typing import Any

import torch
from accelerate import PartialState
from torch import Tensor
from torch.nn.functional import pad

from unteach.head import states_only
from unteach.inference.caches import depends_on_length

TIGHT = 0.8  # least length of a part's shortest sequence, as a share of its longest
LEAST = 512  # tokens of a part, below which a forward of its own gains nothing


def may_part(model: Any) -> bool:
    """Whether several forwards may stand for one: one process on a CPU, where it was measured.

    Not where a token's rotary embedding depends on the longest text of the batch.
    """
    alone = PartialState().num_processes == 1 and model.device.type == "cpu"
    return alone and not depends_on_length(model)


def length_parts(lengths: list[int]) -> list[list[int]]:
    """Indices of sequences of like lengths, the longest first.

    Example:
        >>> length_parts([40, 400, 390, 30]), length_parts([4, 3, 1])
        ([[1, 2], [0, 3]], [[0, 1, 2]])
    """
    parts: list[list[int]] = [[]]
    for k in sorted(range(len(lengths)), key=lambda k: (-lengths[k], k)):
        longest = lengths[parts[-1][0]] if parts[-1] else 0
        if lengths[k] < TIGHT * longest and len(parts[-1]) * longest >= LEAST:
            parts.append([])
        parts[-1].append(k)
    return parts


def states_by_length(model: Any, forward: Callable[..., Any], inputs: dict[str, Any]) -> Tensor:
    """Final hidden states [B, T, D] of a right-padded batch, 0 behind the part's longest sequence.

    Args:
        model: unwrapped.
        forward: the model's own.
        inputs: its arguments, with `input_ids` and `attention_mask`.
    """
    ids, attention = inputs["input_ids"], inputs["attention_mask"]
    lengths = attention.sum(1).tolist()
    parts, states = length_parts(lengths), []
    with states_only(model) as caught:
        for part in parts:
            width = lengths[part[0]]
            cut = {"input_ids": ids[part, :width], "attention_mask": attention[part, :width]}
            forward(**{**inputs, **cut})
            states.append(pad(caught[0], (0, 0, 0, ids.shape[1] - width)))
    order = torch.tensor([k for part in parts for k in part], device=ids.device)
    return torch.cat(states)[order.argsort()]
