"""Read the weight files of a model: the headers alone, or each weight for its numbers."""

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from unteach.errors import Problem, UserError, require
from unteach.models.source import INDEX, read_json, weight_files

TYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64",
    "I32": "int32", "I16": "int16", "I8": "int8", "U64": "uint64", "U32": "uint32",
    "U16": "uint16", "U8": "uint8", "BOOL": "bool", "C64": "complex64",
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu",
}  # fmt: skip
"""Torch name of each safetensors dtype."""

SHOWN = 3  # most names in a message

WHOLE = "download or copy the model again, or save it again with `save_pretrained`"


def headers(model: str, where: str) -> dict[str, Any] | None:
    """Read the headers of the weight files; return meta tensors by name.

    A dtype that torch does not have becomes uint8, with the shape in the file.

    Args:
        model: a folder or a hub id.
        where: name of the model in messages.

    Returns:
        The tensors; None if some files are not on this machine.

    Raises:
        UserError: a file is damaged, lacks weights that the index lists, or two files hold the
            same weight.
    """
    files = weight_files(model)
    if not files:
        return None
    found, wrong = {}, []
    for file in files:
        try:
            found[file.name] = _header(file)
        except Exception as error:  # safetensors has no specific error for damaged files
            what = f"{file.name} is torn or no safetensors ({str(error)[:80]})"
            wrong.append(Problem(where, what, WHOLE, "request"))
    require(*wrong)
    if len(files) > 1:
        require(_index_mismatch(files[0].parent, found, where))
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


def _index_mismatch(
    folder: Path, found: Mapping[str, Mapping[str, Any]], where: str
) -> Problem | None:
    """Make the problem of an index with tensors that are not in their files, or in two files."""
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


def require_numbers_on_disk(model: str, where: str) -> None:
    """Check that no weight on disk is NaN or infinite; reads all weights, one at a time.

    Args:
        model: a folder or a hub id; files that are not on this machine are skipped.
        where: name of the model in messages.

    Raises:
        UserError: some weights are not finite; the message names the first.
    """
    from safetensors import safe_open

    broken = []
    for file in weight_files(model) or ():
        with safe_open(file, "pt") as opened:
            for name in opened.keys():  # noqa: SIM118 (it is no dictionary)
                weight = opened.get_tensor(name)
                # 8-bit weights are quantised and not checked.
                if weight.dtype.itemsize > 1 and not weight.isfinite().all():
                    broken.append(name)
    if broken:
        what = f"NaN or infinity is in {len(broken)} of its tensors ({some(broken)})"
        raise UserError(Problem(where, what, WHOLE, "request"))


def some(names: Collection[str]) -> str:
    """List the first names, and count the rest.

    Example:
        >>> some(["a", "b", "c", "d"])
        'a, b, c and 1 more'
    """
    first = ", ".join(list(names)[:SHOWN])
    return first + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
