"""A forward pass that ends where the head begins, through the model as it is wrapped."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor
from transformers.utils.generic import ModelOutput

from unteach.head import states_only
from unteach.rowengine.batch import Batch
from unteach.rowengine.packing import pack
from unteach.sharding.gather import hold_head

After = Callable[[Tensor, Any], Tensor]


@contextmanager
def ending_in(model: Any, after: After) -> Iterator[None]:
    """Within, the model's forward gives a loss, made of final hidden states, in place of logits.

    The loss is made within the model's own forward: where DDP and FSDP wrap it, their hooks stand
    around all of it, and the head's weights are whole.

    Args:
        model: as it is within any wrapper.
        after: from final hidden states [B, T, D] and what the model gave otherwise to the loss.
    """
    inner, patched = model.forward, "forward" in vars(model)

    def forward(*args: Any, **kwargs: Any) -> ModelOutput:
        with states_only(model) as caught:
            found = inner(*args, **kwargs)
        hold_head(model)
        return ModelOutput(loss=after(caught[0], found))

    model.forward = forward
    try:
        yield
    finally:
        if patched:
            model.forward = inner
        else:
            del model.forward


def inputs_of(batch: Batch, *, packed: bool = False) -> dict[str, Any]:
    """What the model is given of a batch; never labels, of which it would make a loss itself.

    Args:
        batch: padded.
        packed: give the texts one behind the other, without padding.
    """
    given = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}
    return {**(pack(**given) if packed else given), "use_cache": False}
