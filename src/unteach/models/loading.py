"""Loading a model, its configuration and its tokenizer."""

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

from unteach.errors import Problem, UserError
from unteach.files.limits import size_problem, stand_in_problems
from unteach.models.config_values import settings_problems, suspects
from unteach.models.source import (
    HUB_ID,
    code_problem,
    folder_of,
    gguf_problem,
    is_there,
    pinned,
    require,
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
from unteach.models.weights import gaps, headers, hushed, misfit, not_floating

TOKENS = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
SOURCE = "_unteach_source"
BLOCK = 64  # weights that share a scale
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load_config(
    model: str, *, flag: str = "--model", trust_remote_code: bool = False, weights: bool = False
) -> Any:
    """The model's configuration; no weights are read.

    Args:
        model: a folder, or a hub id with a revision or without: `owner/name@v1.0`.
        flag: what messages call it by.
        trust_remote_code: run the code that the model brings with it, where it does.
        weights: whether there must be plain weights beside it.

    Raises:
        UserError: there is none; the message names the flag.
    """
    where = f"{flag} {model}"
    if not is_there(model) and not HUB_ID.fullmatch(model):
        # Asking the hub for what is no id of it costs 47 s of retries.
        hint = "give an existing folder, or a hub id such as owner/name"
        raise UserError(Problem(where, "does not exist", hint, "request"))
    require(size_problem(model, where))
    problems = stand_in_problems(folder_of(model), weight_files(model) or [], where)
    if problems := problems or settings_problems(model, where):
        raise UserError(*problems)
    try:
        config = AutoConfig.from_pretrained(**_of(model, trust_remote_code))
    except Exception as error:  # what is in a model's files decides what is raised
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
    """The model's tokenizer. Raises UserError when there is none; the message names the flag."""
    where = f"{flag} {model}"
    require(size_problem(model, where))
    try:
        return AutoTokenizer.from_pretrained(**_of(model, trust_remote_code))
    except Exception as error:  # what is in its files decides what is raised
        hint = "save it with `tokenizer.save_pretrained` by the weights"
        if problem := _own_code(where, error):
            raise UserError(problem) from error
        if torn := torn_problem(folder_of(model), TOKENS, where):
            raise UserError(torn) from error
        lacks = "backend tokenizer from one of" in str(error)  # a list of what it looked for
        said = "there is no tokenizer.json" if lacks else first_line(error)
        what = f"has no tokenizer that loads ({said})"
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
    """The causal language model in evaluation mode, from safetensors.

    Args:
        model: a folder, or a hub id with a revision or without.
        flag: what messages call it by.
        dtype: "auto" is float32 on a CPU and the checkpoint's own type elsewhere, "checkpoint" its
            own type anywhere. In 4 bits it is that of the products, and "auto" is bfloat16 on an
            accelerator that has it, else float32.
        device: "auto" is the first accelerator, else the CPU.
        bits: 4 for the linear layers in 4 bits, but for the head; None for weights as they are.
        placed: put it on the device; else it stays on the CPU, for what puts its weights in shards.
        trust_remote_code: run the code that the model brings with it, where it does.

    Raises:
        UserError: no such model, pickled weights only, no causal head, weights that
            are missing or have no place, or no such device.
    """
    if problem := device_problem(device):
        raise UserError(problem)
    where = pick_device(device)
    wanted: Any = DTYPES.get(dtype, torch.float32 if where.type == "cpu" else "auto")
    given: dict[str, Any] = {"dtype": "auto" if dtype == "checkpoint" else wanted}
    if bits:
        given = _four_bits(DTYPES.get(dtype) or _product_dtype(where), where)
    name = f"{flag} {model}"
    config = load_config(model, flag=flag, trust_remote_code=trust_remote_code, weights=True)
    require(kind_problem(config, name))
    require(quantised_problem(config, model, name, training=False, bits=bits, device=str(where)))
    if packed := bool(quantised_as(config)):
        given = {"dtype": "auto", "device_map": {"": where}}
    model = pinned(model)
    given |= {"use_safetensors": True, **_of(model, trust_remote_code)}
    loaded = _read(given, name, model, packed=packed)
    require(attention_problem(loaded, name, where.type))
    setattr(loaded, SOURCE, model)
    if bits and where.type == "cpu":
        _make_exact(loaded)
    return (loaded.to(where) if placed and not bits and not packed else loaded).eval()


def _read(given: dict[str, Any], where: str, model: str, *, packed: bool) -> Any:
    """The model as transformers reads it. Raises UserError where it is not all and only that.

    Weights that are packed on disk may be plain here: MXFP4 is widened where no kernel is.
    """
    asked = {"output_loading_info": True, "ignore_mismatched_sizes": True}  # all are told at once
    read: Any = AutoModelForCausalLM.from_pretrained
    try:
        with hushed():
            loaded, info = read(**given, **asked)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # what is in its files decides what is raised
        # Of experts that do not go together transformers says no more than that.
        found = headers(model, where) or {}  # raises where a file is torn
        lost = gaps(found, where) if isinstance(error, RuntimeError) else None
        raise UserError(lost or _not_found(where, error, model)) from error
    odd = info["unexpected_keys"]
    require(misfit(info, loaded, where, headers(model, where) if odd else None))
    if not packed and not is_quantised(loaded):
        require(not_floating(headers(model, where) or {}, loaded, where))
    return loaded


def _four_bits(dtype: torch.dtype, device: torch.device) -> dict[str, Any]:
    """NF4 with its scales quantised once more, as QLoRA has it (arXiv 2305.14314)."""
    from transformers import BitsAndBytesConfig

    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    if device.type != "cpu" and device.index is None:  # accelerate compares it with its own
        device = torch.device(device.type, torch.accelerator.current_device_index())
    return {"quantization_config": config, "dtype": dtype, "device_map": {"": device}}


def _make_exact(model: Any) -> None:
    """Keep 4-bit layers on a CPU from what bitsandbytes (0.50) does to them there.

    Once such a layer has run in evaluation mode it is packed for a faster product, which has no
    gradient: whatever is below it would train no more, and nothing would say so. And the kernel
    lets a block of scales begin with each row, where the packed weights do not.
    """
    packed: list[Any] = [m for m in model.modules() if type(m).__name__ == "Linear4bit"]
    for layer in packed:
        layer.support_avx512bf16_for_cpu = False
    if widths := sorted({m.in_features for m in packed if m.in_features % BLOCK}):
        what = f"bitsandbytes misreads layers of {', '.join(map(str, widths))} inputs on a CPU"
        hint = f"go to a GPU or leave bits out; multiples of {BLOCK} are read well"
        raise UserError(Problem("adapter.bits", what, hint, "request"))


def _product_dtype(device: torch.device) -> torch.dtype:
    """Of 4-bit layers: float16 would need its losses scaled."""
    if device.type == "cuda" and not torch.cuda.is_bf16_supported():
        return torch.float32
    return torch.float32 if device.type == "cpu" else torch.bfloat16


def is_quantised(model: Any) -> bool:
    """Whether the weights are packed, so that they are not what is on disk."""
    return bool(getattr(model, "is_quantized", False))


def pick_device(device: str = "auto") -> torch.device:
    """The device of that name; "auto" takes an accelerator when there is one."""
    if device != "auto":
        return torch.device(device)
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return accelerator or torch.device("cpu")


def device_problem(device: str) -> Problem | None:
    """What is wrong with a device's name, or that this machine has none of that name.

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
    here = torch.accelerator.current_accelerator(check_available=True)
    if here and here.type == wanted.type and (wanted.index or 0) < torch.accelerator.device_count():
        return None
    hint = f"give auto or {here or 'cpu'}; if there should be one, look at its driver and at torch"
    return Problem("device", f"{device} is not available here", hint, "request")


def source_of(model: Any) -> str:
    """What a model was loaded from: a folder, or a hub id with its commit."""
    return getattr(model, SOURCE, "") or model.config.name_or_path


def runs_own_code(model: Any) -> bool:
    """Whether a loaded model is of a class that it brought with it."""
    return type(model).__module__.startswith(OWN_CODE)


def _of(model: str, trust_remote_code: bool) -> dict[str, Any]:
    """What `from_pretrained` is to load; without a word on code, it would ask on the terminal."""
    name, revision = split_id(model)
    given = {"pretrained_model_name_or_path": name, "trust_remote_code": trust_remote_code}
    return {**given, "revision": revision} if revision else given


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
