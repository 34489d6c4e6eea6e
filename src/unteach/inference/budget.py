"""Compute how many tokens a generation batch may have, from the size of the KV cache."""

from typing import Any

ROOM = 2**20  # bytes of cache per token of a scoring batch: 4 GiB for 4,096 tokens
LEAST = 2  # times the tokens of a scoring batch
ON_CPU = 4  # the same on a CPU
MOST = 20  # times the tokens of a scoring batch: all prompts of a batch take one forward


def answering_tokens(model: Any, tokens_per_batch: int) -> int:
    """Padded tokens of one generation batch, new tokens included.

    On an accelerator a decoding step costs the same for one row as for hundreds, so fewer steps are
    better: 1,017 questions of TOFU with 200 new tokens each take 800 steps in batches of 256
    rows, 6,600 in batches of 8,192 tokens. On a CPU a step costs more with more rows, and beyond a
    point larger batches gain nothing (`benchmarks/generation.py`). The result depends on the model
    and on `tokens_per_batch`, never on free memory: in half precision the rounding of a row depends
    on its batch.

    Args:
        model: a causal language model.
        tokens_per_batch: padded tokens of one scoring forward.

    Example:
        >>> from types import SimpleNamespace
        >>> cpu = SimpleNamespace(device=SimpleNamespace(type="cpu"))
        >>> answering_tokens(cpu, 4096)
        16384
    """
    if model.device.type == "cpu":
        return ON_CPU * tokens_per_batch
    least, size = LEAST * tokens_per_batch, cache_bytes(model)
    if not size:
        return least
    return min(max(ROOM * tokens_per_batch // size, least), MOST * tokens_per_batch)


def cache_bytes(model: Any) -> int:
    """Bytes of keys and values per token in the cache; 0 where the config does not give the sizes.

    Keys and values each have `layers x heads x head size` numbers in the model's dtype.
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
