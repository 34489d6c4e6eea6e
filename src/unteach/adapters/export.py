"""Save a trained model or its adapters to a folder that loads without unteach."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import GENERATION_CONFIG_NAME

from unteach.adapters.base import mark_base, write_mark
from unteach.adapters.beside import carry_over
from unteach.adapters.fila import FilaStart
from unteach.adapters.lora import lora_layers
from unteach.errors import Problem, UserError


def merge(model: PeftModel) -> PreTrainedModel:
    """Merge the adapters into the model's weights, in place.

    Raises:
        UserError: a weight is not finite.
    """
    merged: Any = model.merge_and_unload()  # type: ignore[operator]
    _require_finite(merged)
    return merged


def save_model(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    *,
    dtype: torch.dtype | str | None = None,
) -> None:
    """Write a plain Hugging Face folder: safetensors, config, tokenizer, generation config.

    Processor files (images, sound) and custom code are copied from where the model was loaded.
    References to code that is not there are removed.

    Args:
        model: without adapters.
        tokenizer: saved with the model, with its chat template.
        folder: to write to.
        dtype: of the weights on disk ("bfloat16", ...), to which the model is cast in place; None
            keeps the model's.

    Raises:
        UserError: a weight is not finite.
    """
    _require_finite(model)
    if dtype is not None:
        wanted: Any = getattr(torch, dtype) if isinstance(dtype, str) else dtype
        model = model.to(wanted)
    with _unchecked_generation_config(model, folder):
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    carry_over(model, folder)


def save_adapter(
    model: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    *,
    start: FilaStart | None = None,
) -> None:
    """Write the adapters alone; `load_adapter(original, folder)` gives the unlearned model.

    unteach_base.json stores the hash of the original base, so that no other base is used. The
    original is not changed: without the adapter it is the same, bit for bit.

    After FILA the adapters fit only a changed base. The change to the original base is
    s (B A - B0 A0), which is a LoRA of twice the rank: B' = [B, -B0], A' = [A; A0].

    Args:
        model: with adapters from `add_lora`.
        tokenizer: saved with them.
        folder: to write to.
        start: the result of `initialise_fila`, if it was used.

    Raises:
        UserError: a weight is not finite.
    """
    _require_finite(model)
    if start is None:
        # The embedding is not trained; "auto" would query the hub whether it was resized.
        model.save_pretrained(str(folder), save_embedding_layers=False)
        (folder / "README.md").unlink(missing_ok=True)  # peft's model card, not filled in
    else:
        _save_doubled(model, folder, start)
    write_mark(mark_base(model) if start is None else start.base, folder)
    tokenizer.save_pretrained(folder)


def _save_doubled(model: PeftModel, folder: Path, start: FilaStart) -> None:
    from safetensors.torch import save_file

    name = model.active_adapter
    config: LoraConfig = copy.deepcopy(model.peft_config[name])  # type: ignore[assignment,index]
    config.r, config.lora_alpha = 2 * config.r, 2 * config.lora_alpha  # the same scaling
    config.rank_pattern = {k: 2 * rank for k, rank in (config.rank_pattern or {}).items()}
    config.alpha_pattern = {k: 2 * alpha for k, alpha in (config.alpha_pattern or {}).items()}
    config.inference_mode = True
    tensors = {}
    for key, layer in lora_layers(model).items():
        a0, b0 = start.factors[key]
        a, b = layer.lora_A[name].weight, layer.lora_B[name].weight
        tensors[f"{key}.lora_A.weight"] = torch.cat([a, a0.to(a)]).contiguous().cpu()
        tensors[f"{key}.lora_B.weight"] = torch.cat([b, -b0.to(b)], 1).contiguous().cpu()
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: t.detach() for k, t in tensors.items()}, folder / "adapter_model.safetensors")
    config.save_pretrained(str(folder))


def _require_finite(model: Any) -> None:
    broken = [name for name, p in model.named_parameters() if not p.isfinite().all()]
    if broken:
        what = f"{len(broken)} weights are no numbers any more, first {broken[0]}"
        hint = "lower train.learning_rate, or set train.stop_at so that it ends before it breaks"
        raise UserError(Problem("the unlearned model", what, hint))


@contextmanager
def _unchecked_generation_config(model: Any, folder: Path) -> Iterator[None]:
    """Write the generation config unchanged, without transformers' validation.

    Many hub models have a temperature without do_sample. transformers loads that and may refuse to
    save it, but other servers (vLLM) use it for sampling, so it must not be dropped.
    """
    own = model.generation_config if model.can_generate() else None
    if own is None:
        yield
        return
    model.generation_config = type(own)()
    try:
        yield
    finally:
        model.generation_config = own
    own.to_json_file(folder / GENERATION_CONFIG_NAME, use_diff=True)
