"""Which base an adapter belongs to: on any other it would give a third model, silently."""

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

from unteach.errors import Problem, UserError
from unteach.models.loading import is_quantised, load_model, runs_own_code, source_of
from unteach.models.source import adapter_problem, require
from unteach.models.weights import some

FILE = "unteach_base.json"
THREADS = 4  # hashing leaves Python's lock; each holds a copy of one weight


class BaseMark(NamedTuple):
    """A base model's name, without folders of a machine, and the hash of its weights."""

    name: str
    sha256: str


def mark_base(model: Any) -> BaseMark:
    """The mark of a model's weights, without the adapters that it may carry.

    The hash is over each weight's name, dtype, shape and bytes. Types below float32 are widened
    first, which loses nothing: a bfloat16 checkpoint has one hash in bfloat16 and in float32.

    A model that was quantised as it was loaded has the mark of what it was loaded from, which is
    read again for it, into the CPU's memory.

    Args:
        model: plain, or with adapters as `add_lora` makes them.
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
    """Beside the adapters, as unteach_base.json."""
    text = json.dumps(mark._asdict(), indent=2) + "\n"
    (folder / FILE).write_text(text, encoding="utf-8")


def load_adapter(model: PreTrainedModel, folder: Path | str) -> PeftModel:
    """The adapters of a folder on the base that they were made for, in evaluation mode.

    Args:
        model: the base; its weights stay as they are, and `unload()` gives it back.
        folder: what `save_adapter` wrote. Adapters of others carry no mark, and are not checked.

    Raises:
        UserError: they were made for other weights, or are pickled.
    """
    where = f"adapter {folder}"
    require(adapter_problem(folder, where))
    wanted = _read_mark(Path(folder))
    if wanted and (found := mark_base(model)).sha256 != wanted.sha256:
        what = f"was made for {_say(wanted)}, and these weights are {_say(found)}"
        hint = "give the base that it was made for, in the same dtype"
        raise UserError(Problem(where, what, hint, "request"))
    return put_on(model, folder, where)


def put_on(model: Any, folder: Path | str, where: str) -> PeftModel:
    """The adapters of a folder on a model, all of them; whose they are is not looked at.

    peft itself passes over adapters that have no place, and leaves those that are missing as they
    start, which changes nothing.

    Args:
        model: with weights, or without content.
        folder: with the adapters.
        where: what messages call them by.

    Raises:
        UserError: some are missing, have no place, are of other shapes or no numbers.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            made = PeftModel.from_pretrained(model, str(folder))
            found = made.load_adapter(str(folder), "default")  # once more, for its word
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # what is in its files decides what is raised
            raise UserError(_not_of(model, where, error)) from error
    said = []
    if lost := _plain(found.missing_keys):
        said.append(f"lacks {len(lost)} of its weights ({some(lost)})")
    if odd := _plain(found.unexpected_keys):
        said.append(f"holds {len(odd)} that have no place in this model ({some(odd)})")
    own = ((name, p) for name, p in made.named_parameters() if ".lora_" in name)
    if broken := _plain(name for name, p in own if not p.is_meta and not p.isfinite().all()):
        said.append(f"has NaN or infinity in {len(broken)} of its weights ({some(broken)})")
    if said:
        hint = "give the whole adapter, as `save_pretrained` wrote it, and the model that it is for"
        raise UserError(Problem(where, ", ".join(said), hint, "request"))
    return made.eval()


def _plain(names: Iterable[str]) -> list[str]:
    """As the adapter's own file has them, but for what peft puts before each."""
    return [n.removeprefix("base_model.model.").replace(".default.", ".") for n in names]


def _not_of(model: Any, where: str, error: Exception) -> Problem:
    """Why peft does not put adapters on a model: mostly, they are of another."""
    first, _, rest = str(error).strip().partition("\n")
    what = f"does not fit a {type(model).__name__} ({(rest.strip() or first)[:160]})"
    hint = "give the model that it was made for, or write the adapter again"
    return Problem(where, what, hint, "request")


def _read_mark(folder: Path) -> BaseMark | None:
    file = folder / FILE
    if not file.exists():
        return None
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return BaseMark(str(found["name"]), str(found["sha256"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        what = f"does not say which base it is of ({type(error).__name__})"
        hint = "write the adapter again, or delete the file to use it unchecked"
        raise UserError(Problem(str(file), what, hint, "request")) from None


def _weights(model: Any) -> dict[str, Tensor]:
    """By the names that they have without adapters; tied ones once."""
    found, seen = {}, set()
    for name, tensor in model.state_dict(keep_vars=True).items():
        if "lora_" in name or id(tensor) in seen:
            continue
        seen.add(id(tensor))
        # Two adapters on one module are wrapped twice.
        plain = re.sub(r"(\.base_layer)+\.", ".", name.removeprefix("base_model.model."))
        found[plain] = tensor
    return found


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
