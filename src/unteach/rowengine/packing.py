"""Pack the sequences of a batch into one row, so that nothing is computed for padding.

This pays with attention for variable lengths (flash attention). Otherwise an [L, L] mask separates
the sequences, and the cost of attention is quadratic in the length of the packed batch.
"""

from typing import Any

import torch
from torch import Tensor


def pack(input_ids: Tensor, attention_mask: Tensor) -> dict[str, Any]:
    """Return the model's inputs for a packed batch. Pass `use_cache=False` with them.

    There is no mask: transformers detects packed sequences only without mask and cache.

    Args:
        input_ids: [B, T].
        attention_mask: [B, T], 0 at padding, on either side.

    Returns:
        `input_ids` and `position_ids` [1, L], positions from 0 in each sequence; for flash
        attention, which would compute them in every layer, the sequences' starts and the longest
        length.

    Example:
        >>> ids, mask = torch.tensor([[5, 6, 0], [7, 8, 9]]), torch.tensor([[1, 1, 0], [1, 1, 1]])
        >>> packed = pack(ids, mask)
        >>> packed["input_ids"].tolist(), packed["position_ids"].tolist()
        ([[5, 6, 7, 8, 9]], [[0, 1, 0, 1, 2]])
        >>> packed["cu_seq_lens_q"].tolist(), packed["max_length_q"]
        ([0, 2, 5], 3)
    """
    attended = attention_mask.bool()
    positions = attended.cumsum(1) - 1
    lengths = attended.sum(1)
    starts = torch.nn.functional.pad(lengths.cumsum(0), (1, 0)).to(torch.int32)
    longest = int(lengths.max())
    return {
        "input_ids": input_ids[attended][None],
        "position_ids": positions[attended][None],
        "cu_seq_lens_q": starts,
        "cu_seq_lens_k": starts,
        "max_length_q": longest,
        "max_length_k": longest,
    }


def unpack(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """Return a packed batch's hidden states in padded form; differentiable.

    Args:
        hidden: [1, L, D].
        attention_mask: [B, T], the same as for `pack`.

    Returns:
        [B, T, D], zeros at padding.

    Example:
        >>> unpack(torch.ones(1, 3, 1), torch.tensor([[1, 0], [1, 1]]))[..., 0].tolist()
        [[1.0, 0.0], [1.0, 1.0]]
    """
    padded = hidden.new_zeros(*attention_mask.shape, hidden.shape[-1])
    return padded.index_put((attention_mask.bool(),), hidden[0])


def packs(model: Any) -> bool:
    """Whether packing is correct for this model, and cheaper than padding.

    Call it on the device and under the autocast of the training.
    """
    attention = model.config.get_text_config()._attn_implementation or ""
    return "flash" in attention and keeps_apart(model)


LENGTHS = 12, 7  # tokens of two artificial sequences
# Half precision rounds by about 0.01; wrong positions give errors of 0.1 and more.
NEAR = 0.05


def keeps_apart(model: Any) -> bool:
    """Whether the model gives the same logits for packed and padded sequences; runs the model.

    Two tests on artificial sequences. The second's loss must have no gradient at the first, else
    states are carried over. Packed and padded logits must agree up to rounding, else positions are
    not reset. Only the gradient test is exact in any precision, and with experts too.
    """
    training = model.training
    model.eval()
    try:
        packed, padded, leaks = _packed_and_padded(model)
    except (TypeError, ValueError, RuntimeError):
        return False  # the model does not take these arguments
    finally:
        model.train(training)
    return not leaks and bool((packed - padded).norm() <= NEAR * padded.norm())


def _packed_and_padded(model: Any) -> tuple[Tensor, Tensor, bool]:
    """Return logits [L, V] packed and padded, and whether the second sequence reads the first."""
    embed, device = model.get_input_embeddings(), model.device
    mask = torch.tensor([[k < n for k in range(max(LENGTHS))] for n in LENGTHS], device=device)
    ids = torch.arange(mask.numel(), device=device).view(mask.shape) * 31 % embed.num_embeddings
    inputs = pack(ids, mask)
    embedded = embed(inputs.pop("input_ids")).detach().requires_grad_()
    with torch.enable_grad():
        packed = model(inputs_embeds=embedded, **inputs, use_cache=False).logits[0].float()
        (gradient,) = torch.autograd.grad(packed[LENGTHS[0] :].square().sum(), embedded)
    with torch.no_grad():
        padded = model(input_ids=ids, attention_mask=mask.long(), use_cache=False).logits[mask]
    return packed.detach(), padded.float(), bool(gradient[:, : LENGTHS[0]].any())
