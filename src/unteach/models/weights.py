"""Whether the weights on disk are those of a model: all of them, no others, and of its shapes.

transformers draws weights at random that it does not find, and passes over those that it has no
place for. Here both are errors. They are found twice: in the headers of the files before a weight
is read, by transformers' own loading of tensors without content, and again when all is loaded.
"""

import copy
import logging
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from unteach.errors import Problem, UserError
from unteach.models.source import INDEX, read_json, require, weight_files

# What a model computes for itself, and older checkpoints carry. A bias of attention is one where it
# is a mask, of four axes.
COMPUTED = re.compile(
    r"(^|\.)(inv_freq|original_inv_freq|masked_bias|position_ids|cos_cached|sin_cached|rope\.freqs"
    r"|_extra_state)$"
)
MASK = re.compile(r"(^|\.)(attn|attention)\.bias$")
PACKED = re.compile(
    r"\.(qweight|qzeros|scales|weight_scale\w*|weight_packed|absmax|SCB|\w+_blocks|\w+_scales)$"
)
EXPERT = re.compile(r"(.*\bexperts\.)(\d+)(\..*)")
TYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64",
    "I32": "int32", "I16": "int16", "I8": "int8", "U64": "uint64", "U32": "uint32",
    "U16": "uint16", "U8": "uint8", "BOOL": "bool", "C64": "complex64",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu",
}  # fmt: skip
"""Of safetensors, by torch's names."""

SHOWN = 3  # names in a message
WHOLE = "download or copy the model again, or save it again with `save_pretrained`"


class WeightFit(NamedTuple):
    """What the headers of the weight files say of a model.

    Attributes:
        model: it, without content; None where it was not built.
        dropped: names of weights on disk that its class has no place for, and says so.
    """

    model: Any
    dropped: list[str]


def built(config: Any, *, trust_remote_code: bool = False) -> Any:
    """The model of a configuration, without content. Raises what its class does."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"), hushed():
        return AutoModelForCausalLM.from_config(
            copy.deepcopy(config), trust_remote_code=trust_remote_code
        )


def headers(model: str, where: str) -> dict[str, Any] | None:
    """The weights on disk as tensors without content, by name.

    One of a type that torch does not know is of uint8 here, in the shape that its file says.

    Args:
        model: a folder or a hub id.
        where: what messages call the model by.

    Returns:
        None where the files are not all on this machine.

    Raises:
        UserError: a file is torn, lacks what the index says that it holds, or holds what another
            one holds.
    """
    files = weight_files(model)
    if not files:
        return None
    found, wrong = {}, []
    for file in files:
        try:
            found[file.name] = _header(file)
        except Exception as error:  # safetensors has no kind of its own for torn files
            what = f"{file.name} is torn or no safetensors ({str(error)[:80]})"
            wrong.append(Problem(where, what, WHOLE, "request"))
    if wrong:
        raise UserError(*wrong)
    if len(files) > 1:
        require(_untrue(files[0].parent, found, where))
    return {name: tensor for tensors in found.values() for name, tensor in tensors.items()}


def _header(file: Path) -> dict[str, Any]:
    import torch
    from safetensors import safe_open

    found = {}
    with safe_open(file, "pt") as opened:
        for name in opened.keys():  # noqa: SIM118 (it is no dictionary)
            part = opened.get_slice(name)
            kind = getattr(torch, TYPES.get(part.get_dtype(), ""), torch.uint8)
            found[name] = torch.empty(part.get_shape(), dtype=kind, device="meta")
    return found


def _untrue(folder: Path, found: Mapping[str, Mapping[str, Any]], where: str) -> Problem | None:
    """That the index names tensors which are not in their files, or that two files hold one."""
    listed = read_json(folder / INDEX)["weight_map"]
    lacking = [name for name, file in listed.items() if name not in found[file]]
    if lacking:
        what = f"{INDEX} names weights that are not in their files: {some(lacking)}"
        return Problem(where, what, WHOLE, "request")
    counts = Counter(name for tensors in found.values() for name in tensors)
    doubled = [name for name, count in counts.items() if count > 1]
    if not doubled:
        return None
    what = f"{len(doubled)} of its weights stand in more than one of its files ({some(doubled)}): "
    what += "which is meant is not clear"
    return Problem(where, what, WHOLE, "request")


def fitted(empty: Any, weights: dict[str, Any], where: str) -> WeightFit:
    """Load weights without content into a model without content.

    Args:
        empty: what `built` gave.
        weights: what `headers` gave.
        where: what messages call the model by.

    Raises:
        UserError: some are missing, have no place, are of other shapes, or of no floating type.
    """
    try:
        model, info = laid_on(empty, weights)
    except Exception:  # what cannot be done without content: loading will tell
        if problem := gaps(weights, where):
            raise UserError(problem) from None
        return WeightFit(empty, [])
    require(misfit(info, model, where, weights))
    require(not_floating(weights, model, where))
    return WeightFit(model, _dropped(model, weights))


def laid_on(empty: Any, weights: Mapping[str, Any]) -> tuple[Any, Any]:
    """The model with these weights, and what transformers says of them. Raises what it does."""
    import torch

    # Types that transformers would not cast say nothing of names and shapes.
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
    """The types that weights are read in as they are."""
    import torch

    return torch.float64, torch.float32, torch.float16, torch.bfloat16


def not_floating(weights: Mapping[str, Any], model: Any, where: str) -> Problem | None:
    """That weights on disk are whole numbers, or of 8 bits, where the model computes with others.

    transformers casts them, which gives another model: their scales are elsewhere, or lost.

    Args:
        weights: those on disk by name, as `headers` gives them.
        model: what they go into, with weights or without.
        where: what messages call the model by.
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
    """Of a weight whose name is another on disk too: those are parts of it."""
    return tensor is None or tensor.is_floating_point()


def misfit(
    info: Mapping[str, Any], model: Any, where: str, weights: Mapping[str, Any] | None = None
) -> Problem | None:
    """That weights are missing, have no place, or are of other shapes.

    Args:
        info: what `from_pretrained` gives by `output_loading_info`.
        model: what it gave beside that.
        where: what messages call the model by.
        weights: those on disk by name, if they are known; a mask is told from a bias by its shape.
    """
    shapes = [(str(name), tuple(a), tuple(b)) for name, a, b in info["mismatched_keys"]]
    missing = sorted(set(info["missing_keys"]) - {name for name, _, _ in shapes})
    surplus = sorted(n for n in info["unexpected_keys"] if not computed(n, weights or {}))
    said = []
    if missing:
        said.append(f"lacks {len(missing)} of its weights ({some(missing)})")
    if surplus:
        said.append(f"holds {len(surplus)} that it has no place for ({some(surplus)})")
    if shapes:
        name, there, wanted = min(shapes)
        said.append(
            f"has {len(shapes)} of another shape ({name} is {_axes(there)} on disk and "
            f"{_axes(wanted)} by its config.json)"
        )
    if not said and not info.get("error_msgs"):
        return None
    said += [str(text).splitlines()[0][:160] for text in info.get("error_msgs", ())]
    hint = "give the model as it was saved, with its own config.json: what is missing would be "
    hint += "drawn at random, and what has no place is lost"
    if any(PACKED.search(name) for name in surplus):
        hint = "they look quantised, and its config.json does not say how: give the model that it "
        hint += "was made of"
    what = f"is no whole {type(model).__name__}: it {', '.join(said)}"
    return Problem(where, what, hint, "request")


def gaps(weights: Mapping[str, Any], where: str) -> Problem | None:
    """Experts that are not all there, which then cannot be put together into one weight.

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
    """Whether a weight on disk is one that models compute for themselves.

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
    """That parts of a checkpoint are not loaded, and so not in the result: a vision tower, say."""
    if not dropped:
        return None
    parts = sorted({".".join(name.split(".")[:2]) for name in dropped})
    what = f"{len(dropped)} weights of other parts ({some(parts)}) are not in a "
    what += f"{type(model).__name__}, which this is loaded as: the result is without them"
    return Problem(where, what, "keep the model, if these parts are needed", "note")


def _dropped(model: Any, weights: Mapping[str, Any]) -> list[str]:
    """What the class of a model passes over by its own list, but for what models compute."""
    patterns = getattr(model, "_keys_to_ignore_on_load_unexpected", None) or ()
    if not patterns:
        return []
    passed_over = re.compile("|".join(f"({pattern})" for pattern in patterns))
    names = [n for n in weights if passed_over.search(n) and not computed(n, weights)]
    # Files may have names with a first part that the model lacks, and the other way round.
    return [n for n in names if not any(f".{o}".endswith(f".{n}") for o in model.state_dict())]


def require_numbers_on_disk(model: str, where: str) -> None:
    """That no weight of a model is NaN or infinity; reads all of them, one after the other.

    Args:
        model: a folder or a hub id; files that are not on this machine are passed over.
        where: what messages call the model by.

    Raises:
        UserError: some are none; the message names the first.
    """
    from safetensors import safe_open

    broken = []
    for file in weight_files(model) or ():
        with safe_open(file, "pt") as opened:
            for name in opened.keys():  # noqa: SIM118 (it is no dictionary)
                weight = opened.get_tensor(name)
                if weight.dtype.itemsize > 1 and not weight.isfinite().all():  # no packed ones
                    broken.append(name)
    if broken:
        what = f"NaN or infinity is in {len(broken)} of its tensors ({some(broken)})"
        raise UserError(Problem(where, what, WHOLE, "request"))


def rows_of(model: Any) -> int | None:
    """How many tokens the embedding has a row for."""
    try:
        return int(model.get_input_embeddings().weight.shape[0])
    except (AttributeError, NotImplementedError, IndexError):  # also of no model
        return None


def some(names: Collection[str]) -> str:
    """The first of them, and how many more there are.

    Example:
        >>> some(["a", "b", "c", "d"])
        'a, b, c and 1 more'
    """
    first = ", ".join(list(names)[:SHOWN])
    return first + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _axes(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a number"


@contextmanager
def hushed() -> Iterator[None]:
    """Without transformers' table of what does not fit, which is told in words instead."""
    from transformers.utils import logging as bars

    logger, shown = logging.getLogger("transformers"), bars.is_progress_bar_enabled()
    before = logger.level
    logger.setLevel(logging.ERROR)
    bars.disable_progress_bar()
    try:
        yield
    finally:
        logger.setLevel(before)
        if shown:
            bars.enable_progress_bar()
