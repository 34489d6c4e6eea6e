"""The texts of a batch one behind the other in one row: nothing is computed at padding.

It pays where attention takes texts of unequal lengths as they are (flash attention). Elsewhere the
texts are kept apart by a mask of [L, L], and attention costs the square of the whole batch.
"""

from typing import Any

import torch
from torch import Tensor


def pack(input_ids: Tensor, attention_mask: Tensor) -> dict[str, Any]:
    """What a model takes in place of a padded batch. Pass `use_cache=False` with it.

    There is no mask: transformers looks for packed texts only where neither mask nor cache is.

    Args:
        input_ids: [B, T].
        attention_mask: [B, T], 0 at padding, which may stand on either side.

    Returns:
        `input_ids` and `position_ids` [1, L], positions from 0 in each text; for flash attention,
        which would look for them in every layer, where the texts begin and the longest.

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
    """The padded form of what a model gave for packed texts; gradients pass.

    Args:
        hidden: [1, L, D].
        attention_mask: [B, T], as it was given to `pack`.

    Returns:
        [B, T, D], zeros at padding.

    Example:
        >>> unpack(torch.ones(1, 3, 1), torch.tensor([[1, 0], [1, 1]]))[..., 0].tolist()
        [[1.0, 0.0], [1.0, 1.0]]
    """
    padded = hidden.new_zeros(*attention_mask.shape, hidden.shape[-1])
    return padded.index_put((attention_mask.bool(),), hidden[0])


def packs(model: Any) -> bool:
    """Whether packing is right for this model, and cheaper than padding.

    Ask under the autocast in which it will be trained, and on its device.
    """
    attention = model.config.get_text_config()._attn_implementation or ""
    return "flash" in attention and keeps_apart(model)


LENGTHS = 12, 7  # of two made-up texts
# Half precision rounds by about 0.01; a text at positions not its own is off by 0.1 and more.
NEAR = 0.05


def keeps_apart(model: Any) -> bool:
    """Whether the model reads packed texts as it reads them padded; it is asked, on made-up ones.

    The first text must have no gradient from the second, which finds states that are carried over;
    and the padded texts must give the same up to rounding, which finds positions counted on. Of
    the two only the gradient is exact in any precision, and with experts too.
    """
    training = model.training
    model.eval()
    try:
        packed, padded, seen = _answers(model)
    except (TypeError, ValueError, RuntimeError):
        return False  # a model without such arguments
    finally:
        model.train(training)
    return not seen and bool((packed - padded).norm() <= NEAR * padded.norm())


def _answers(model: Any) -> tuple[Tensor, Tensor, bool]:
    """[L, V] of two texts, packed and padded, and whether the second saw the first."""
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
