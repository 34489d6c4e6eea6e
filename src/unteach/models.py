"""Loading a model and its tokenizer, and saving them whole or not at all."""

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

from unteach.nouns import Problem, UserError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load_config(model: str, *, revision: str | None = None) -> Any:
    """The model's configuration; no weights are read. Raises UserError when there is none."""
    try:
        return AutoConfig.from_pretrained(model, revision=revision)
    except (OSError, ValueError) as error:
        raise UserError(_not_found(model, error)) from error


def load_tokenizer(model: str, *, revision: str | None = None) -> PreTrainedTokenizerBase:
    """The model's tokenizer. Raises UserError when there is none."""
    try:
        return AutoTokenizer.from_pretrained(model, revision=revision)
    except (OSError, ValueError, KeyError) as error:
        hint = "save it beside the weights with `tokenizer.save_pretrained`"
        where = f"--model {model}"
        raise UserError(
            Problem(where, f"has no tokenizer that loads ({_first(error)})", hint)
        ) from error


def load_model(
    model: str, *, dtype: str = "auto", device: str = "auto", revision: str | None = None
) -> PreTrainedModel:
    """The causal language model in evaluation mode, from safetensors.

    Args:
        model: a folder or a hub id.
        dtype: "auto" is float32 on a CPU and the checkpoint's own type elsewhere.
        device: "auto" is the first accelerator, else the CPU.
        revision: of a hub id.

    Raises:
        UserError: no such model, pickled weights only, or no causal head.
    """
    where = pick_device(device)
    wanted: Any = DTYPES.get(dtype, torch.float32 if where.type == "cpu" else "auto")
    try:
        loaded = AutoModelForCausalLM.from_pretrained(
            model, dtype=wanted, revision=revision, use_safetensors=True
        )
    except (OSError, ValueError) as error:
        raise UserError(_not_found(model, error)) from error
    return loaded.to(where).eval()  # type: ignore[arg-type]


def pick_device(device: str = "auto") -> torch.device:
    """The device of that name; "auto" takes an accelerator when there is one."""
    if device != "auto":
        return torch.device(device)
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return accelerator or torch.device("cpu")


def has_causal_head(config: Any) -> bool:
    """Whether transformers knows a causal head for this configuration."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

    return type(config) in MODEL_FOR_CAUSAL_LM_MAPPING


def save(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path, *, dtype: Any = None
) -> None:
    """Write a plain Hugging Face folder: safetensors, config, tokenizer, generation config."""
    if dtype is not None:
        model = model.to(dtype)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _not_found(model: str, error: Exception) -> Problem:
    hint = "give a folder with config.json and model.safetensors, or a hub id that is cached"
    folder = Path(model)
    if folder.is_dir() and list(folder.glob("pytorch_model*.bin")):
        hint = "only pickled weights here, which can run code: convert them to safetensors first"
    return Problem(f"--model {model}", f"does not load ({_first(error)})", hint, "request")


def _first(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:160] if str(error) else type(error).__name__
