"""Make a wrapped model's forward pass return a loss of final hidden states instead of logits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor
from transformers.utils.generic import ModelOutput

from unteach.head import states_only
from unteach.rowengine.batch import Batch
from unteach.rowengine.lengths import states_by_length
from unteach.rowengine.packing import pack
from unteach.rowengine.tied import one_gradient
from unteach.sharding.gather import hold_head

After = Callable[[Tensor, Any], Tensor]


@contextmanager
def ending_in(model: Any, after: After, *, by_length: bool = False) -> Iterator[None]:
    """Inside the context, the model's forward returns a loss of final hidden states.

    The loss is computed within the model's own forward, so the hooks of DDP and FSDP enclose it and
    the head's weights are gathered.

    Args:
        model: unwrapped.
        after: maps final hidden states [B, T, D] and the model's output to the loss.
        by_length: forward short and long sequences apart; `after` gets no output then.
    """
    inner, patched = model.forward, "forward" in vars(model)

    def forward(*args: Any, **kwargs: Any) -> ModelOutput:
        with one_gradient(model):
            if by_length:
                final, output = states_by_length(model, inner, kwargs), None
            else:
                with states_only(model) as caught:
                    output = inner(*args, **kwargs)
                final = caught[0]
            hold_head(model)
            return ModelOutput(loss=after(final, output))

    model.forward = forward
    try:
        yield
    finally:
        if patched:
            model.forward = inner
        else:
            del model.forward


def inputs_of(batch: Batch, *, packed: bool = False) -> dict[str, Any]:
    """Return the model's inputs for a batch, without labels (the model would compute a loss).

    Args:
        batch: padded.
        packed: concatenate the sequences without padding.
    """
    inputs = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}
    return {**(pack(**inputs) if packed else inputs), "use_cache": False}
