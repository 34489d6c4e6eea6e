"""How many answers go into one batch: on an accelerator, as many as their cache has room for."""

from typing import Any

ROOM = 2**20  # bytes of cache for each token of a scoring batch: 4 GiB for 4,096 tokens
MOST = 20  # times the tokens of a scoring batch: their prompts are read in one forward


def answering_tokens(model: Any, tokens_per_batch: int) -> int:
    """Padded tokens of a batch of answers, those to come included.

    A step of an accelerator costs the same for one row as for hundreds, so the fewer steps the
    better: 1,017 questions of TOFU that all go on to 200 tokens take 800 steps in batches of 256
    rows, 6,600 in batches of 8,192 tokens. On a CPU larger batches gain nothing. The size
    is that of the model and of what was asked, never of what memory is free: rows of a batch see
    each other's rounding in half precision.

    Args:
        model: a causal language model.
        tokens_per_batch: padded tokens of a forward that scores.

    Example:
        >>> from types import SimpleNamespace
        >>> cpu = SimpleNamespace(device=SimpleNamespace(type="cpu"))
        >>> answering_tokens(cpu, 4096)
        8192
    """
    least = 2 * tokens_per_batch
    size = 0 if model.device.type == "cpu" else cache_bytes(model)
    if not size:
        return least
    return min(max(ROOM * tokens_per_batch // size, least), MOST * tokens_per_batch)


def cache_bytes(model: Any) -> int:
    """Bytes of keys and values that a token leaves in the cache; 0 where its config does not tell.

    Two of `layers x heads x size of a head`, in the model's dtype.
    """
    config = model.config.get_text_config()
    layers = getattr(config, "num_hidden_layers", None)
    heads = getattr(config, "num_key_value_heads", None)
    queries = getattr(config, "num_attention_heads", None)
    hidden = getattr(config, "hidden_size", None)
    if not (layers and queries and hidden):
        return 0
    size = getattr(config, "head_dim", None) or hidden // queries
    return 2 * layers * (heads or queries) * size * model.dtype.itemsize
