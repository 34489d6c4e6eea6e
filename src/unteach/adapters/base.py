"""Load adapters and check that they are put on the base model they were trained for."""

import hashlib
import json
import re
import warnings
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import torch
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel

from unteach.errors import Problem, UserError, require
from unteach.models.loading import is_quantised, load_model, runs_own_code, source_of
from unteach.models.source import adapter_problem
from unteach.models.weight_files import some

FILE = "unteach_base.json"
THREADS = 4  # hashing releases the GIL; each thread holds a copy of one weight


class BaseMark(NamedTuple):
    """A base model's name, without local folders, and the hash of its weights."""

    name: str
    sha256: str


def mark_base(model: Any) -> BaseMark:
    """Return name and hash of a model's base weights, without its adapters.

    The hash is over each weight's name, dtype, shape and bytes. Dtypes below float32 are cast to
    float32 first, which is lossless: a bfloat16 checkpoint has the same hash in bfloat16 and in
    float32.

    If the model was quantised while loading, the hash is that of its unquantised source, which is
    loaded again into CPU memory.

    Args:
        model: plain, or with adapters from `add_lora`.
    """
    name = _name(model)
    if is_quantised(model):
        source, own = source_of(model), runs_own_code(model)
        model = load_model(source, dtype="checkpoint", device="cpu", trust_remote_code=own)
    weights = sorted(_weights(model).items())
    with ThreadPoolExecutor(THREADS) as pool:
        lines = pool.map(lambda item: f"{item[0]} {_digest(item[1])}\n", weights)
        total = hashlib.sha256("".join(lines).encode())
    return BaseMark(name, total.hexdigest())


def write_mark(mark: BaseMark, folder: Path) -> None:
    """Write the mark to unteach_base.json in the adapters' folder."""
    text = json.dumps(mark._asdict(), indent=2) + "\n"
    (folder / FILE).write_text(text, encoding="utf-8")


def load_adapter(model: PreTrainedModel, folder: Path | str) -> PeftModel:
    """Load a folder's adapters on the base model they were trained for, in evaluation mode.

    Args:
        model: the base model; its weights do not change, and `unload()` returns it.
        folder: written by `save_adapter`. Adapters from elsewhere have no mark and are not checked.

    Raises:
        UserError: the adapters were trained for other weights, or are pickled.
    """
    where = f"adapter {folder}"
    require(adapter_problem(folder, where))
    wanted = _read_mark(Path(folder))
    if wanted and (own := mark_base(model)).sha256 != wanted.sha256:
        what = f"was made for {_say(wanted)}, and these weights are {_say(own)}"
        hint = "give the base that it was made for, in the same dtype"
        raise UserError(Problem(where, what, hint, "request"))
    return put_on(model, folder, where)


def put_on(model: Any, folder: Path | str, where: str) -> PeftModel:
    """Load all adapters of a folder on a model, without checking their base model.

    peft itself ignores weights that match no layer, and leaves missing ones at their initial value,
    which has no effect.

    Args:
        model: with weights, or on the meta device.
        folder: with the adapters.
        where: their name in messages.

    Raises:
        UserError: weights are missing, unexpected, of wrong shape or not finite.
    """
    with warnings.catch_warnings(action="ignore"):
        try:
            made = PeftModel.from_pretrained(model, str(folder))
            result = made.load_adapter(str(folder), "default")  # again, for its result
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # the type depends on the files' content
            raise UserError(_does_not_fit(model, where, error)) from error
    faults = []
    if lost := _plain(result.missing_keys):
        faults.append(f"lacks {len(lost)} of its weights ({some(lost)})")
    if odd := _plain(result.unexpected_keys):
        faults.append(f"holds {len(odd)} that have no place in this model ({some(odd)})")
    own = ((name, p) for name, p in made.named_parameters() if ".lora_" in name)
    if broken := _plain(name for name, p in own if not p.is_meta and not p.isfinite().all()):
        faults.append(f"has NaN or infinity in {len(broken)} of its weights ({some(broken)})")
    if faults:
        hint = "give the whole adapter, as `save_pretrained` wrote it, and the model that it is for"
        raise UserError(Problem(where, ", ".join(faults), hint, "request"))
    return made.eval()


def _plain(names: Iterable[str]) -> list[str]:
    """Return the names as in the adapter's file, without peft's prefix."""
    return [n.removeprefix("base_model.model.").replace(".default.", ".") for n in names]


def _does_not_fit(model: Any, where: str, error: Exception) -> Problem:
    """Return the problem of adapters that peft refuses, mostly those of another model."""
    first, _, rest = str(error).strip().partition("\n")
    what = f"does not fit a {type(model).__name__} ({(rest.strip() or first)[:160]})"
    hint = "give the model that it was made for, or write the adapter again"
    return Problem(where, what, hint, "request")


def _read_mark(folder: Path) -> BaseMark | None:
    file = folder / FILE
    if not file.exists():
        return None
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
        return BaseMark(str(held["name"]), str(held["sha256"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        what = f"does not say which base it is of ({type(error).__name__})"
        hint = "write the adapter again, or delete the file to use it unchecked"
        raise UserError(Problem(str(file), what, hint, "request")) from None


def _weights(model: Any) -> dict[str, Tensor]:
    """Return the base weights by their names without adapters; tied weights once."""
    weights, seen = {}, set()
    for name, tensor in model.state_dict(keep_vars=True).items():
        if "lora_" in name or id(tensor) in seen:
            continue
        seen.add(id(tensor))
        # A module with two adapters is wrapped twice.
        plain = re.sub(r"(\.base_layer)+\.", ".", name.removeprefix("base_model.model."))
        weights[plain] = tensor
    return weights


def _digest(weight: Tensor) -> str:
    tensor = weight.detach()
    if tensor.is_floating_point():
        tensor = tensor.to(torch.promote_types(tensor.dtype, torch.float32))
    raw: Any = tensor.cpu().contiguous().flatten().view(torch.uint8).numpy()
    shape = "x".join(map(str, tensor.shape))
    return f"{tensor.dtype} {shape} {hashlib.sha256(raw).hexdigest()}"


def _name(model: Any) -> str:
    name = getattr(model.config, "name_or_path", "") or "a model without a name"
    path = PurePath(name)
    local = path.is_absolute() or len(path.parts) > 2 or Path(name).exists()
    return path.name if local else name


def _say(mark: BaseMark) -> str:
    return f"{mark.name} (sha256 {mark.sha256[:12]})"
