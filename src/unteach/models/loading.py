"""Load a model, its configuration and its tokenizer."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from unteach.errors import Problem, UserError, require
from unteach.files.limits import size_problem, stand_in_problems
from unteach.files.placeholders import is_there
from unteach.models.config_values import settings_problems, suspects
from unteach.models.source import (
    HUB_ID,
    code_problem,
    folder_of,
    gguf_problem,
    pinned,
    split_id,
    torn_problem,
    weight_files,
    weights_problem,
)
from unteach.models.supported import (
    OWN_CODE,
    attention_problem,
    first_line,
    kind_problem,
    quantised_as,
    quantised_problem,
    what_to_do,
)
from unteach.models.weight_files import headers
from unteach.models.weights import gaps, hushed, misfit, not_floating

TOKENS = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
SOURCE = "_unteach_source"
BLOCK = 64  # number of 4-bit weights that share a scale
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load_config(
    model: str, *, flag: str = "--model", trust_remote_code: bool = False, weights: bool = False
) -> Any:
    """Load the model's configuration, without weights.

    Args:
        model: a folder, or a hub id, with or without a revision: `owner/name@v1.0`.
        flag: the flag that messages name.
        trust_remote_code: run code in the model's repository.
        weights: also require weights in safetensors.

    Raises:
        UserError: there is no valid configuration; the message names the flag.
    """
    where = f"{flag} {model}"
    if not is_there(model) and not HUB_ID.fullmatch(model):
        # A request for an invalid id would be retried for 47 s.
        hint = "give an existing folder, or a hub id such as owner/name"
        raise UserError(Problem(where, "does not exist", hint, "request"))
    require(size_problem(model, where))
    problems = stand_in_problems(folder_of(model), weight_files(model) or [], where)
    require(*(problems or settings_problems(model, where)))
    try:
        config = AutoConfig.from_pretrained(**_source_options(model, trust_remote_code))
    except Exception as error:  # depends on the content of the model's files
        if problem := gguf_problem(model, flag):
            raise UserError(problem) from error
        raise UserError(*(suspects(model, where) or [_not_found(where, error, model)])) from error
    if not trust_remote_code:
        require(code_problem(model, config, flag))
    if weights:
        require(weights_problem(model, flag))
    return config


def load_tokenizer(
    model: str, *, flag: str = "--model", trust_remote_code: bool = False
) -> PreTrainedTokenizerBase:
    """Load the model's tokenizer. Raises UserError if that fails; the message names the flag."""
    where = f"{flag} {model}"
    require(size_problem(model, where))
    try:
        return AutoTokenizer.from_pretrained(**_source_options(model, trust_remote_code))
    except Exception as error:  # depends on the content of its files
        hint = "save it with `tokenizer.save_pretrained` by the weights"
        if problem := _own_code(where, error):
            raise UserError(problem) from error
        if torn := torn_problem(folder_of(model), TOKENS, where):
            raise UserError(torn) from error
        lacks = "backend tokenizer from one of" in str(error)  # a long list of file types
        reason = "there is no tokenizer.json" if lacks else first_line(error)
        what = f"has no tokenizer that loads ({reason})"
        raise UserError(Problem(where, what, hint, "request")) from error


def load_model(
    model: str,
    *,
    flag: str = "--model",
    dtype: str = "auto",
    device: str = "auto",
    bits: int | None = None,
    placed: bool = True,
    trust_remote_code: bool = False,
) -> PreTrainedModel:
    """Load a causal language model from safetensors, in evaluation mode.

    Args:
        model: a folder, or a hub id, with or without a revision.
        flag: the flag that messages name.
        dtype: "auto" is float32 on a CPU and the checkpoint's dtype elsewhere; "checkpoint" is
            always the checkpoint's dtype. With 4-bit weights it is the compute dtype, and "auto"
            is bfloat16 on an accelerator that supports it, else float32.
        device: "auto" is the first accelerator, else the CPU.
        bits: 4 to quantise the linear layers, except the head, to 4 bits; None for no change.
        placed: move the model to the device; otherwise it stays on the CPU, to be sharded later.
        trust_remote_code: run code in the model's repository.

    Raises:
        UserError: no such model, only pickled weights, no causal head, missing or unexpected
            weights, or no such device.
    """
    require(device_problem(device))
    where = pick_device(device)
    wanted: Any = DTYPES.get(dtype, torch.float32 if where.type == "cpu" else "auto")
    options: dict[str, Any] = {"dtype": "auto" if dtype == "checkpoint" else wanted}
    if bits:
        options = _four_bit_options(DTYPES.get(dtype) or _compute_dtype(where), where)
    name = f"{flag} {model}"
    config = load_config(model, flag=flag, trust_remote_code=trust_remote_code, weights=True)
    require(kind_problem(config, name))
    require(quantised_problem(config, model, name, training=False, bits=bits, device=str(where)))
    if packed := bool(quantised_as(config)):
        options = {"dtype": "auto", "device_map": {"": where}}
    model = pinned(model)
    options |= {"use_safetensors": True, **_source_options(model, trust_remote_code)}
    loaded = _load_checked(options, name, model, packed=packed)
    require(attention_problem(loaded, name, where.type))
    setattr(loaded, SOURCE, model)
    if bits and where.type == "cpu":
        _disable_cpu_kernel(loaded)
    return (loaded.to(where) if placed and not bits and not packed else loaded).eval()


def _load_checked(given: dict[str, Any], where: str, model: str, *, packed: bool) -> Any:
    """Load the model with transformers. Raises UserError for missing or unexpected weights.

    Weights that are quantised on disk may be plain in memory: MXFP4 is dequantised if there is no
    kernel for it.
    """
    load_options = {
        "output_loading_info": True,
        "ignore_mismatched_sizes": True,
    }  # to report all at once
    read: Any = AutoModelForCausalLM.from_pretrained
    try:
        with hushed():
            loaded, info = read(**given, **load_options)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # depends on the content of its files
        # For experts that cannot be merged, the error of transformers does not name the weights.
        found = headers(model, where) or {}  # raises if a file is damaged
        missing = gaps(found, where) if isinstance(error, RuntimeError) else None
        raise UserError(missing or _not_found(where, error, model)) from error
    unexpected = info["unexpected_keys"]
    require(misfit(info, loaded, where, headers(model, where) if unexpected else None))
    if not packed and not is_quantised(loaded):
        require(not_floating(headers(model, where) or {}, loaded, where))
    return loaded


def _four_bit_options(dtype: torch.dtype, device: torch.device) -> dict[str, Any]:
    """Return the settings for NF4 with double quantisation, as in QLoRA (arXiv 2305.14314)."""
    from transformers import BitsAndBytesConfig

    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    if device.type != "cpu" and device.index is None:  # accelerate compares devices with index
        device = torch.device(device.type, torch.accelerator.current_device_index())
    return {"quantization_config": config, "dtype": dtype, "device_map": {"": device}}


def _disable_cpu_kernel(model: Any) -> None:
    """Turn off a CPU kernel of bitsandbytes (0.50) for 4-bit layers, and refuse misread widths.

    Once such a layer has run in evaluation mode, it is repacked for a faster product that has no
    gradient: the layers below would silently stop training. Also, the kernel assumes that a block
    of scales begins with each row, which is wrong for widths that are no multiple of the block.
    """
    packed: list[Any] = [m for m in model.modules() if type(m).__name__ == "Linear4bit"]
    for layer in packed:
        layer.support_avx512bf16_for_cpu = False
    if widths := sorted({m.in_features for m in packed if m.in_features % BLOCK}):
        what = f"bitsandbytes misreads layers of {', '.join(map(str, widths))} inputs on a CPU"
        hint = f"go to a GPU or leave bits out; multiples of {BLOCK} are read well"
        raise UserError(Problem("adapter.bits", what, hint, "request"))


def _compute_dtype(device: torch.device) -> torch.dtype:
    """Return the compute dtype of 4-bit layers; not float16, which would need loss scaling."""
    if device.type == "cuda" and not torch.cuda.is_bf16_supported():
        return torch.float32
    return torch.float32 if device.type == "cpu" else torch.bfloat16


def is_quantised(model: Any) -> bool:
    """Whether the loaded weights are quantised."""
    return bool(getattr(model, "is_quantized", False))


def pick_device(device: str = "auto") -> torch.device:
    """Return the device of that name; "auto" is an accelerator if there is one."""
    if device != "auto":
        return torch.device(device)
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return accelerator or torch.device("cpu")


def device_problem(device: str) -> Problem | None:
    """Make the problem of an invalid device name, or of a device that is not available.

    Example:
        >>> device_problem("gpu").hint
        'give auto, cpu, or an accelerator as torch calls it: cuda, cuda:1, mps'
        >>> device_problem("cpu") is device_problem("auto") is None
        True
    """
    try:
        wanted = pick_device(device)
    except RuntimeError:
        hint = "give auto, cpu, or an accelerator as torch calls it: cuda, cuda:1, mps"
        return Problem("device", f'"{device}" is no device', hint, "request")
    if wanted.type == "cpu":
        return None
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if (
        accelerator
        and accelerator.type == wanted.type
        and (wanted.index or 0) < torch.accelerator.device_count()
    ):
        return None
    name = accelerator or "cpu"
    hint = f"give auto or {name}; if there should be one, look at its driver and at torch"
    return Problem("device", f"{device} is not available here", hint, "request")


def source_of(model: Any) -> str:
    """Return the folder, or the hub id with its commit, that a model was loaded from."""
    return getattr(model, SOURCE, "") or model.config.name_or_path


def runs_own_code(model: Any) -> bool:
    """Whether the class of a loaded model comes from the model's repository."""
    return type(model).__module__.startswith(OWN_CODE)


def _source_options(model: str, trust_remote_code: bool) -> dict[str, Any]:
    """Return arguments of `from_pretrained`; `trust_remote_code` is set to avoid its prompt."""
    name, revision = split_id(model)
    options = {"pretrained_model_name_or_path": name, "trust_remote_code": trust_remote_code}
    return {**options, "revision": revision} if revision else options


def _own_code(where: str, error: Exception) -> Problem | None:
    if "trust_remote_code" not in str(error):
        return None
    what = "brings code of its own, which is not run unless you ask for it"
    hint = "read that code; if you trust it, add --trust-remote-code"
    return Problem(where, what, hint, "request")


def _not_found(where: str, error: Exception, model: str) -> Problem:
    from huggingface_hub import constants

    if problem := _own_code(where, error):
        return problem
    if isinstance(error, OSError) and constants.HF_HUB_OFFLINE and not is_there(model):
        what = "is no folder, and not in the cache of the hub"
        hint = "HF_HUB_OFFLINE is set, so the hub is not asked: unset it, or give a folder"
        return Problem(where, what, hint, "request")
    hint = "give a folder with config.json and model.safetensors, or a hub id"
    if needed := what_to_do(error):
        hint = needed
    elif not is_there(model):
        hint = f"there is no folder {model}, so the hub was asked: {hint}"
    elif (Path(model) / "config.json").is_file() and not isinstance(error, OSError):
        hint = "mend its config.json, or take the one that `save_pretrained` wrote"
    elif Path(model).is_file():
        hint = f"that is a file; give its folder: {Path(model).parent}"
    return Problem(where, f"does not load ({first_line(error)})", hint, "request")
