"""Find the files of a model in a folder or on the hub at one commit; refuse unsafe files.

Pickled weights can run code when they are read, so only safetensors are. File names in a model's
own files decide which other files are opened, so they are checked first.
"""

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from unteach.errors import Problem
from unteach.files.placeholders import is_there, stand_in, start_of

HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?(@\w[\w./-]*)?")
COMMIT = re.compile(r"[0-9a-f]{40}")
CODED = ("attn", "experts")  # parts for which a configuration may name code on the hub
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
ADAPTER_CONFIG = "adapter_config.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
OF_TRAINING = re.compile(r"(training_args|optimizer|scheduler|scaler|rng_state)")
WHOLE = (
    "import sys; from transformers import AutoModelForCausalLM as M, AutoTokenizer as T; "
    "[x.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[2]) for x in (M, T)]"
)
STATE = (
    "import sys, torch; from transformers import AutoConfig as C, AutoModelForCausalLM as M, "
    "AutoTokenizer as T; d, file, out = sys.argv[1:]; m = M.from_config(C.from_pretrained(d)); "
    "m.load_state_dict(torch.load(file, weights_only=True)); m.save_pretrained(out); "
    "T.from_pretrained(d).save_pretrained(out)"
)
GGUF = (
    "import sys; from transformers import AutoModelForCausalLM as M, AutoTokenizer as T; "
    "d, f, out = sys.argv[1:]; "
    "[x.from_pretrained(d, gguf_file=f).save_pretrained(out) for x in (M, T)]"
)
ADAPTER = (
    "import sys, torch; from safetensors.torch import save_file; "
    "w = torch.load(sys.argv[1], weights_only=True); "
    "save_file({k: v.contiguous() for k, v in w.items()}, sys.argv[2])"
)


def split_id(model: str) -> tuple[str, str | None]:
    """Split a hub id from its revision; a folder is returned as it is.

    Example:
        >>> split_id("owner/name@v1.0"), split_id("owner/name")
        (('owner/name', 'v1.0'), ('owner/name', None))
    """
    if is_there(model):
        return model, None
    name, _, revision = model.partition("@")
    return name, revision or None


def pinned(model: str) -> str:
    """Return a hub id with its commit as revision; a folder as it is."""
    commit = commit_of(model)
    return _with_commit(model, commit) if commit else model


def _with_commit(model: str, commit: str) -> str:
    return f"{split_id(model)[0]}@{commit}"


def commit_of(model: str) -> str | None:
    """Return the commit of a hub id in the local cache; None for a folder."""
    if is_there(model):
        return None
    folder = _cached(model)
    return folder.name if folder and COMMIT.fullmatch(folder.name) else None


def _cached(model: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    name, revision = split_id(model)
    found = try_to_load_from_cache(name, "config.json", revision=revision)
    return Path(found).parent if isinstance(found, str) else None


def pin_note(model: str, flag: str) -> Problem | None:
    """Make a note on a hub id without a commit, with the commit that is used."""
    revision, commit = split_id(model)[1], commit_of(model)
    if is_there(model) or (revision and COMMIT.fullmatch(revision)):
        return None
    what = f"is commit {commit} today" if commit else "names no commit"
    hint = f"to have the same again: {_with_commit(model, commit or 'COMMIT')}"
    return Problem(f"{flag} {model}", what, hint, "note")


def weights_problem(model: str, flag: str) -> Problem | None:
    """Find why the weights of a model cannot be read: pickled, missing, or outside the folder.

    Args:
        model: a folder or a hub id.
        flag: the flag that messages name.
    """
    folder, names = _files(model)
    if names is None:
        return None  # neither on disk nor on the hub: loading will report it
    where = f"{flag} {model}"
    if names & {WEIGHTS, INDEX} and ADAPTER_CONFIG in names:
        return _weights_and_adapters_problem(where)
    if WEIGHTS in names:
        return _duplicate_weights_problem(folder, names, where) if INDEX in names else None
    if INDEX in names:
        return _index_problem(model, folder, where)
    if any(_is_gguf(name) for name in names):
        return gguf_problem(model, flag)
    pickled = [n for n in sorted(names) if n.endswith(PICKLES) and not OF_TRAINING.match(n)]
    if not pickled:
        hint = "give a folder that `save_pretrained` wrote"
        return Problem(where, f"has no weights: no {WEIGHTS}", hint, "request")
    standard = any(name.startswith("pytorch_model") for name in pickled)
    out = f"{model.rstrip('/')}-safetensors" if is_there(model) else "safetensors"
    files = [model] if standard else [model, str(Path(model) / pickled[0])]
    command = command_line(WHOLE if standard else STATE, *files, out)
    what = f"has pickled weights only ({pickled[0]}), which can run code"
    return Problem(where, what, f"convert them, then give {out}: {command}", "request")


def gguf_problem(model: str, flag: str) -> Problem | None:
    """Make the problem of a model that is a GGUF file, or a folder with only a GGUF file.

    Args:
        model: a file, a folder or a hub id.
        flag: the flag that messages name.
    """
    if Path(model).is_file():
        folder, found = str(Path(model).parent), [Path(model).name]
    else:
        folder, found = model, sorted(_files(model)[1] or ())
    files = [name for name in found if _is_gguf(name)]
    if not files or {WEIGHTS, INDEX} & set(found):
        return None
    out = f"{Path(model).with_suffix('')}-safetensors" if is_there(model) else "safetensors"
    command = command_line(GGUF, folder, files[0], out)
    what = f"is in the format of llama.cpp ({files[0]}), which is not trained or read here"
    hint = "give the model that it was made of, or widen it"
    hint += f" (`pip install gguf`) and give {out}: {command}"
    return Problem(f"{flag} {model}", what, hint, "request")


def _is_gguf(name: str) -> bool:
    return name.lower().endswith(".gguf")


def _weights_and_adapters_problem(where: str) -> Problem:
    """Make the problem of weights beside adapters, which transformers would load onto them."""
    what = f"holds whole weights and, in {ADAPTER_CONFIG}, adapters: which is meant is not clear"
    hint = (
        f"move {ADAPTER_CONFIG} and adapter_model.safetensors to a folder of their own to have the "
        "weights alone; or put them on the weights first (peft: "
        "PeftModel.from_pretrained(model, folder).merge_and_unload().save_pretrained(...))"
    )
    return Problem(where, what, hint, "request")


def holds_adapters_only(model: str | Path) -> bool:
    """Whether a folder holds adapters and no model weights."""
    folder = Path(model)
    return (folder / ADAPTER_CONFIG).exists() and not any(
        (folder / name).exists() for name in (WEIGHTS, INDEX)
    )


def weight_files(model: str) -> list[Path] | None:
    """Return the weight files of a model; None if some are not on this machine."""
    folder = folder_of(model)
    if folder is None:
        return None
    if (folder / WEIGHTS).exists():
        return [folder / WEIGHTS]
    try:
        names = sorted(set(read_json(folder / INDEX)["weight_map"].values()))
    except (ValueError, LookupError, AttributeError, TypeError):
        return None
    files = [folder / name for name in names]
    return files if all(file.exists() for file in files) else None


def folder_of(model: str) -> Path | None:
    """Return the folder of a model's files on this machine: its own, or the hub's cache."""
    return Path(model) if is_there(model) else _cached(model)


def adapter_problem(folder: str | Path, where: str) -> Problem | None:
    """Find why the adapters in a folder cannot be read."""
    folder = Path(folder)
    if not (folder / "adapter_model.safetensors").is_file():
        pickle = folder / "adapter_model.bin"
        if not pickle.exists():
            return Problem(where, "has no adapter_model.safetensors", "", "request")
        command = command_line(ADAPTER, str(pickle), str(pickle.with_suffix(".safetensors")))
        what = "has pickled adapters only (adapter_model.bin), which can run code"
        return Problem(where, what, f"convert them: {command}", "request")
    for name in (ADAPTER_CONFIG, "adapter_model.safetensors"):
        what, hint = stand_in(start_of(folder / name) or b"")
        if what:
            return Problem(where, f"its {name} {what}", hint, "request")
    try:
        config = read_json(folder / "adapter_config.json")
    except ValueError as error:
        return Problem(where, f"has no adapter_config.json that reads ({error})", "", "request")
    if config.get("megatron_config"):  # peft would import the module in megatron_core
        what = "names a Python module to import in its adapter_config.json"
        return Problem(where, what, "take megatron_config out", "request")
    return None


def code_problem(model: str, config: Any, flag: str) -> Problem | None:
    """Make the problem of a configuration that names compiled code on the hub, or other weights.

    The name of an attention implementation with a slash is a hub repository with code.
    """
    if named := getattr(config, "transformers_weights", None):
        what = f"names other weights in its config.json (transformers_weights is {named!r})"
        hint = f"call that file {WEIGHTS}, and take transformers_weights out"
        return Problem(f"{flag} {model}", what, hint, "request")
    parts = [config, *(getattr(config, part, None) for part in getattr(config, "sub_configs", ()))]
    for part in parts:
        named = [getattr(part, f"_{kind}_implementation_internal", None) for kind in CODED]
        if any("/" in str(name) for name in named):
            what = "asks in its config.json for an attention that is code from the hub"
            hint = "take attn_implementation (or _attn_implementation) out of it"
            return Problem(f"{flag} {model}", what, hint, "request")
    return None


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object from a model's folder. Raises ValueError if that fails."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(type(error).__name__) from None
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def torn_problem(folder: Path | None, names: Sequence[str], where: str) -> Problem | None:
    """Make the problem of a file that should hold a JSON object but does not, as when truncated."""
    if folder is None:
        return None
    for name in names:
        try:
            if (folder / name).is_file():
                read_json(folder / name)
        except ValueError as error:
            what = f"its {name} is torn or no JSON object ({error})"
            return Problem(where, what, "download or copy it again", "request")
    return None


def _files(model: str) -> tuple[Path | None, set[str] | None]:
    """Return the folder of the files (None if not local) and their names (None if unknown)."""
    if is_there(model):
        folder = Path(model)
        return folder, {f.name for f in folder.iterdir()} if folder.is_dir() else set()
    from huggingface_hub import constants, list_repo_files

    name, revision = split_id(model)
    folder = _cached(model)
    names = {f.name for f in folder.iterdir()} if folder else None
    if not constants.HF_HUB_OFFLINE and not (names or set()) & {WEIGHTS, INDEX}:
        try:
            names = set(list_repo_files(name, revision=revision))
        except Exception:  # loading will report any error of the hub
            return folder, None
    return folder, names


def _index_problem(model: str, folder: Path | None, where: str) -> Any:
    if folder and (folder / INDEX).exists():
        return _invalid_index(folder / INDEX, where, whole=is_there(model))
    from huggingface_hub import hf_hub_download

    name, revision = split_id(model)
    try:
        file = hf_hub_download(name, INDEX, revision=revision)
    except Exception:  # loading will report it
        return None
    return _invalid_index(Path(file), where, whole=False)


def _invalid_index(file: Path, where: str, *, whole: bool) -> Problem | None:
    """Find why an index is invalid: no files, files outside the folder, or missing files."""
    hint = "save the model again with `save_pretrained`"
    try:
        names = {str(name) for name in read_json(file)["weight_map"].values()}
    except (ValueError, LookupError, AttributeError) as error:
        what = f"{INDEX} is no index ({type(error).__name__})"
        return Problem(where, what, hint, "request")
    if not names:
        return Problem(where, f"{INDEX} names no files", hint, "request")
    if any(_leads_outside(name) for name in names):
        what = f"{INDEX} names files outside the folder, which are not read"
        return Problem(where, what, hint, "request")
    if any(not name.endswith(".safetensors") for name in names):
        what = f"{INDEX} names files that are no safetensors"
        return Problem(where, what, hint, "request")
    folder = file.parent
    # Symbolic links may lead anywhere, as in the hub's cache: the folder's owner made them.
    missing = [name for name in names if whole and not (folder / name).exists()]
    if missing:
        what = f"lacks {len(missing)} of the {len(names)} files of its weights"
        return Problem(where, what, "download or copy them again", "request")
    return None


def _duplicate_weights_problem(folder: Path | None, names: set[str], where: str) -> Problem | None:
    """Make the problem of weights in one file and also in shards: only the file would be read."""
    try:
        listed = read_json(folder / INDEX)["weight_map"].values() if folder else ()
        shards = sorted({str(name) for name in listed} & names - {WEIGHTS})
    except (OSError, ValueError, LookupError, AttributeError):  # an invalid index is not read
        return None
    if not shards:  # an index left over from another model, or one that names the single file
        return None
    what = f"holds {WEIGHTS} and, in {INDEX}, {len(shards)} other files ({shards[0]}): which are "
    hint = "move those that are not meant to a folder of their own"
    return Problem(where, f"{what}meant is not clear", hint, "request")


def _leads_outside(name: str) -> bool:
    """Whether a relative path leads out of its folder."""
    paths = PurePosixPath(name), PureWindowsPath(name)
    return any(path.anchor or ".." in path.parts for path in paths)


def command_line(code: str, *arguments: str) -> str:
    """Return a shell command that runs Python code with these arguments."""
    return shlex.join(["python", "-c", code, *arguments])
