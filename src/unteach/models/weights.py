"""Check that the weights on disk fit a model: none missing, none unexpected, the same shapes.

transformers initialises missing weights at random and ignores unexpected ones. Here both are
errors. They are found twice: first from the file headers, by letting transformers load tensors
on the meta device, and again when the weights are loaded.
"""

import copy
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from unteach.errors import Problem, UserError, require
from unteach.models.weight_files import WHOLE, some

# Buffers that a model computes itself, but older checkpoints contain. An attention "bias" with four
# axes is such a buffer: a causal mask.
COMPUTED = re.compile(
    r"(^|\.)(inv_freq|original_inv_freq|masked_bias|position_ids|cos_cached|sin_cached|rope\.freqs"
    r"|_extra_state)$"
)
MASK = re.compile(r"(^|\.)(attn|attention)\.bias$")
PACKED = re.compile(
    r"\.(qweight|qzeros|scales|weight_scale\w*|weight_packed|absmax|SCB|\w+_blocks|\w+_scales)$"
)
EXPERT = re.compile(r"(.*\bexperts\.)(\d+)(\..*)")


class WeightFit(NamedTuple):
    """Result of comparing the headers of the weight files with a model.

    Attributes:
        model: the model on the meta device; None if it was not built.
        dropped: names of weights on disk that its class ignores by its own list.
    """

    model: Any
    dropped: list[str]


def built(config: Any, *, trust_remote_code: bool = False) -> Any:
    """Build the model of a configuration on the meta device. Raises what its class raises."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"), hushed():
        return AutoModelForCausalLM.from_config(
            copy.deepcopy(config), trust_remote_code=trust_remote_code
        )


def fitted(empty: Any, weights: dict[str, Any], where: str) -> WeightFit:
    """Load the meta tensors of the files into a model on the meta device.

    Args:
        empty: the model, from `built`.
        weights: the tensors, from `headers`.
        where: name of the model in messages.

    Raises:
        UserError: weights are missing, unexpected, of another shape, or of no floating dtype.
    """
    try:
        model, info = laid_on(empty, weights)
    except Exception:  # the model's code needs real tensors: loading will report any problem
        if problem := gaps(weights, where):
            raise UserError(problem) from None
        return WeightFit(empty, [])
    require(misfit(info, model, where, weights))
    require(not_floating(weights, model, where))
    return WeightFit(model, _dropped(model, weights))


def laid_on(empty: Any, weights: Mapping[str, Any]) -> tuple[Any, Any]:
    """Load these weights with transformers; return the model and the loading info."""
    import torch

    # Dtypes that transformers would not cast are replaced: only names and shapes matter here.
    plain = {
        name: tensor if tensor.dtype in floating() else torch.empty(tensor.shape, device="meta")
        for name, tensor in weights.items()
    }
    with hushed():
        return type(empty).from_pretrained(
            None,
            config=copy.deepcopy(empty.config),
            state_dict=plain,
            device_map={"": "meta"},
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )


def floating() -> tuple[Any, ...]:
    """Return the dtypes of unquantised weights."""
    import torch

    return torch.float64, torch.float32, torch.float16, torch.bfloat16


def not_floating(weights: Mapping[str, Any], model: Any, where: str) -> Problem | None:
    """Make the problem of weights that are integers or 8-bit floats where the model has floats.

    transformers would cast them, which gives another model, since their scales are not applied.

    Args:
        weights: weights on disk by name, from `headers`.
        model: the model that they are loaded into, with or without weights.
        where: name of the model in messages.
    """
    odd = [name for name, tensor in weights.items() if tensor.dtype not in floating()]
    if not odd:
        return None
    wanted, others = model.state_dict(), _dropped(model, weights)
    odd = [n for n in odd if n not in others and not computed(n, weights)]
    odd = [n for n in odd if _is_floating(wanted.get(n))]
    if not odd:
        return None
    kinds = sorted({str(weights[name].dtype).removeprefix("torch.") for name in odd})
    what = f"holds {len(odd)} weights as {', '.join(kinds)} where floating-point numbers belong "
    what += f"({some(odd)})"
    hint = "they look quantised, and its config.json does not say how: give the model that it "
    return Problem(where, what, hint + "was made of", "request")


def _is_floating(tensor: Any) -> bool:
    """Whether it is floating; None, for a weight with another name on disk, counts as floating."""
    return tensor is None or tensor.is_floating_point()


def misfit(
    info: Mapping[str, Any], model: Any, where: str, weights: Mapping[str, Any] | None = None
) -> Problem | None:
    """Make the problem of weights that are missing, unexpected, or of another shape.

    Args:
        info: the loading info of `from_pretrained` with `output_loading_info`.
        model: the model that it loaded.
        where: name of the model in messages.
        weights: weights on disk by name, if known; their shape tells a mask from a bias.
    """
    shapes = [(str(name), tuple(a), tuple(b)) for name, a, b in info["mismatched_keys"]]
    missing = sorted(set(info["missing_keys"]) - {name for name, _, _ in shapes})
    surplus = sorted(n for n in info["unexpected_keys"] if not computed(n, weights or {}))
    parts = []
    if missing:
        parts.append(f"lacks {len(missing)} of its weights ({some(missing)})")
    if surplus:
        parts.append(f"holds {len(surplus)} that it has no place for ({some(surplus)})")
    if shapes:
        name, there, wanted = min(shapes)
        parts.append(
            f"has {len(shapes)} of another shape ({name} is {_axes(there)} on disk and "
            f"{_axes(wanted)} by its config.json)"
        )
    if not parts and not info.get("error_msgs"):
        return None
    parts += [str(text).splitlines()[0][:160] for text in info.get("error_msgs", ())]
    hint = "give the model as it was saved, with its own config.json: what is missing would be "
    hint += "drawn at random, and what has no place is lost"
    if any(PACKED.search(name) for name in surplus):
        hint = "they look quantised, and its config.json does not say how: give the model that it "
        hint += "was made of"
    what = f"is no whole {type(model).__name__}: it {', '.join(parts)}"
    return Problem(where, what, hint, "request")


def gaps(weights: Mapping[str, Any], where: str) -> Problem | None:
    """Make the problem of missing experts, which prevent merging the experts into one weight.

    Example:
        >>> names = ["m.experts.0.up", "m.experts.1.up", "m.experts.0.down"]
        >>> gaps(dict.fromkeys(names), "--model here").what
        'lacks 1 weights of its experts (m.experts.1.down)'
    """
    found = {match.groups() for name in weights if (match := EXPERT.fullmatch(name))}
    count = max((int(number) for _, number, _ in found), default=-1) + 1
    wanted = {(a, str(n), b) for a, _, b in found for n in range(count)}
    if not (lost := sorted("".join(parts) for parts in wanted - found)):
        return None
    what = f"lacks {len(lost)} weights of its experts ({some(lost)})"
    return Problem(where, what, WHOLE, "request")


def computed(name: str, weights: Mapping[str, Any]) -> bool:
    """Whether a weight on disk is a buffer that models compute themselves.

    Example:
        >>> computed("model.layers.0.self_attn.rotary_emb.inv_freq", {})
        True
        >>> computed("transformer.h.0.attn.c_attn.weight", {})
        False
    """
    if COMPUTED.search(name):
        return True
    ends = [tensor for known, tensor in weights.items() if name.endswith(known)]
    return bool(MASK.search(name)) and any(tensor.ndim == 4 for tensor in ends)


def dropped_note(dropped: list[str], model: Any, where: str) -> Problem | None:
    """Make a note on parts of a checkpoint that are not loaded, such as a vision tower."""
    if not dropped:
        return None
    parts = sorted({".".join(name.split(".")[:2]) for name in dropped})
    what = f"{len(dropped)} weights of other parts ({some(parts)}) are not in a "
    what += f"{type(model).__name__}, which this is loaded as: the result is without them"
    return Problem(where, what, "keep the model, if these parts are needed", "note")


def _dropped(model: Any, weights: Mapping[str, Any]) -> list[str]:
    """Return the weights that the model class ignores by its own list, except computed buffers."""
    patterns = getattr(model, "_keys_to_ignore_on_load_unexpected", None) or ()
    if not patterns:
        return []
    passed_over = re.compile("|".join(f"({pattern})" for pattern in patterns))
    names = [n for n in weights if passed_over.search(n) and not computed(n, weights)]
    # Names in files may have a prefix that the model lacks, or lack one that it has.
    return [n for n in names if not any(f".{o}".endswith(f".{n}") for o in model.state_dict())]


def vocabulary_rows(model: Any) -> int | None:
    """Return the number of rows of the embedding; None if the model has no embedding."""
    try:
        return int(model.get_input_embeddings().weight.shape[0])
    except (AttributeError, NotImplementedError, IndexError):  # also if `model` is None
        return None


def _axes(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a number"


@contextmanager
def hushed() -> Iterator[None]:
    """Silence transformers' loading report and progress bars; misfits become problems instead."""
    from transformers.utils import logging as bars

    logger, had_bars = logging.getLogger("transformers"), bars.is_progress_bar_enabled()
    before = logger.level
    logger.setLevel(logging.ERROR)
    bars.disable_progress_bar()
    try:
        yield
    finally:
        logger.setLevel(before)
        if had_bars:
            bars.enable_progress_bar()
