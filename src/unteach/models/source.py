"""What a model is loaded from: a folder, or the hub at one commit; its weights plain, not pickled.

Pickled weights run whatever code they hold as they are read. And the names in a model's own files
decide which other files are opened, so they are looked at first.
"""

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from unteach.errors import Problem, UserError
from unteach.files.placeholders import stand_in, start_of

HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?(@\w[\w./-]*)?")
COMMIT = re.compile(r"[0-9a-f]{40}")
CODED = ("attn", "experts")  # parts of a model whose code a configuration may name
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
    """A folder, or a hub id and its revision.

    Example:
        >>> split_id("owner/name@v1.0"), split_id("owner/name")
        (('owner/name', 'v1.0'), ('owner/name', None))
    """
    if is_there(model):
        return model, None
    name, _, revision = model.partition("@")
    return name, revision or None


def is_there(model: str) -> bool:
    """Whether it is a path to something."""
    try:
        return Path(model).exists()
    except (OSError, ValueError):  # no name that a file can have
        return False


def pinned(model: str) -> str:
    """A hub id with the commit that it stands for; a folder as it is."""
    commit = commit_of(model)
    return _with(model, commit) if commit else model


def _with(model: str, commit: str) -> str:
    return f"{split_id(model)[0]}@{commit}"


def commit_of(model: str) -> str | None:
    """The commit that a hub id stands for in the cache that is read; None for a folder."""
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
    """That a hub id named no commit, and which one it is."""
    revision, commit = split_id(model)[1], commit_of(model)
    if is_there(model) or (revision and COMMIT.fullmatch(revision)):
        return None
    what = f"is commit {commit} today" if commit else "names no commit"
    hint = f"to have the same again: {_with(model, commit or 'COMMIT')}"
    return Problem(f"{flag} {model}", what, hint, "note")


def weights_problem(model: str, flag: str) -> Problem | None:
    """Why the weights of a model are not read: pickled, missing, or elsewhere.

    Args:
        model: a folder or a hub id.
        flag: what messages call it by.
    """
    folder, names = _files(model)
    if names is None:
        return None  # neither here nor to be asked for: loading will say so
    where = f"{flag} {model}"
    if names & {WEIGHTS, INDEX} and ADAPTER_CONFIG in names:
        return _two_in_one(where)
    if WEIGHTS in names:
        return _beside_shards(folder, names, where) if INDEX in names else None
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
    """That a model is a GGUF file, or a folder with nothing to load beside one.

    Args:
        model: a file, a folder or a hub id.
        flag: what messages call it by.
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


def _two_in_one(where: str) -> Problem:
    """Weights on which transformers would lay adapters, unasked."""
    what = f"holds whole weights and, in {ADAPTER_CONFIG}, adapters: which is meant is not clear"
    hint = (
        f"move {ADAPTER_CONFIG} and adapter_model.safetensors to a folder of their own to have the "
        "weights alone; or put them on the weights first (peft: "
        "PeftModel.from_pretrained(model, folder).merge_and_unload().save_pretrained(...))"
    )
    return Problem(where, what, hint, "request")


def holds_adapters_only(model: str | Path) -> bool:
    """Whether a folder holds adapters and no weights to put them on."""
    folder = Path(model)
    return (folder / ADAPTER_CONFIG).exists() and not any(
        (folder / name).exists() for name in (WEIGHTS, INDEX)
    )


def weight_files(model: str) -> list[Path] | None:
    """The files that a model's weights are read from; None where not all are on this machine."""
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
    """Where a model's files lie on this machine: its own folder, or the hub's cache."""
    return Path(model) if is_there(model) else _cached(model)


def adapter_problem(folder: str | Path, where: str) -> Problem | None:
    """Why the adapters in a folder are not read."""
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
    if config.get("megatron_config"):  # peft then imports what megatron_core names
        what = "names a Python module to import in its adapter_config.json"
        return Problem(where, what, "take megatron_config out", "request")
    return None


def code_problem(model: str, config: Any, flag: str) -> Problem | None:
    """That a configuration asks for compiled code of the hub, or for weights under another name.

    The name of an attention, where it holds a slash, is a place that code is fetched from.
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
    """A JSON object from a model's folder. Raises ValueError for all that is none."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(type(error).__name__) from None
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def torn_problem(folder: Path | None, names: Sequence[str], where: str) -> Problem | None:
    """That a file of a model which should hold a JSON object holds none: one cut short, say."""
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
    """Where the files lie, if here, and their names, if known."""
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
        except Exception:  # whatever the hub says, loading will meet it again
            return folder, None
    return folder, names


def _index_problem(model: str, folder: Path | None, where: str) -> Any:
    if folder and (folder / INDEX).exists():
        return _wrong_index(folder / INDEX, where, whole=is_there(model))
    from huggingface_hub import hf_hub_download

    name, revision = split_id(model)
    try:
        file = hf_hub_download(name, INDEX, revision=revision)
    except Exception:  # loading will meet it again
        return None
    return _wrong_index(Path(file), where, whole=False)


def _wrong_index(file: Path, where: str, *, whole: bool) -> Problem | None:
    """An index that lists no files, files of another folder or, in a whole one, missing files."""
    hint = "save the model again with `save_pretrained`"
    try:
        names = {str(name) for name in read_json(file)["weight_map"].values()}
    except (ValueError, LookupError, AttributeError) as error:
        what = f"{INDEX} is no index ({type(error).__name__})"
        return Problem(where, what, hint, "request")
    if not names:
        return Problem(where, f"{INDEX} names no files", hint, "request")
    if any(_leaves(name) for name in names):
        what = f"{INDEX} names files outside the folder, which are not read"
        return Problem(where, what, hint, "request")
    if any(not name.endswith(".safetensors") for name in names):
        what = f"{INDEX} names files that are no safetensors"
        return Problem(where, what, hint, "request")
    here = file.parent
    # A link may lead anywhere, as those of the hub's cache do: whoever made it owns this folder.
    missing = [name for name in names if whole and not (here / name).exists()]
    if missing:
        what = f"lacks {len(missing)} of the {len(names)} files of its weights"
        return Problem(where, what, "download or copy them again", "request")
    return None


def _beside_shards(folder: Path | None, names: set[str], where: str) -> Problem | None:
    """Weights in one file, and again in the shards of an index: only the one would be read."""
    try:
        listed = read_json(folder / INDEX)["weight_map"].values() if folder else ()
        shards = sorted({str(name) for name in listed} & names - {WEIGHTS})
    except (OSError, ValueError, LookupError, AttributeError):  # an index that is not read
        return None
    if not shards:  # left over from another model, or of the one file
        return None
    what = f"holds {WEIGHTS} and, in {INDEX}, {len(shards)} other files ({shards[0]}): which are "
    hint = "move those that are not meant to a folder of their own"
    return Problem(where, f"{what}meant is not clear", hint, "request")


def _leaves(name: str) -> bool:
    """Whether a name leads out of the folder that it is joined to."""
    paths = PurePosixPath(name), PureWindowsPath(name)
    return any(path.anchor or ".." in path.parts for path in paths)


def command_line(code: str, *arguments: str) -> str:
    """A line for the shell that runs some Python with these arguments."""
    return shlex.join(["python", "-c", code, *arguments])


def require(problem: Problem | None) -> None:
    """Raise UserError when there is one."""
    if problem:
        raise UserError(problem)
