"""Move adapters that were trained on a 4-bit base to the unquantised model."""

import copy
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor
from transformers import PreTrainedModel

from unteach.adapters.lora import keeps_in_out, lora_layers

WRAPPED = "base_model.model."  # peft's prefix of every name


@torch.no_grad()
def on_plain_base(model: PeftModel, base: PreTrainedModel) -> PeftModel:
    """Put the model's adapters on the unquantised base, where they can be merged or saved.

    The two models differ: the adapters were trained with quantised weights, and are now used with
    the original ones.

    Args:
        model: with adapters from `add_lora`; not changed.
        base: the same model unquantised, on any device; changed in place.
    """
    config: LoraConfig = copy.deepcopy(model.peft_config[model.active_adapter])  # type: ignore[assignment,index]
    # Full names: of many names peft keeps only the endings, which may match other layers.
    names = [name.removeprefix(WRAPPED) for name in lora_layers(model)]
    config.target_modules = names
    # bitsandbytes transposes GPT-2's weights when packing them; A and B do not depend on it.
    config.fan_in_fan_out = keeps_in_out(base, names)
    plain = get_peft_model(base, config)
    trained, fresh = _adapters(model), _adapters(plain)
    assert trained.keys() == fresh.keys(), f"{len(trained)} adapters for {len(fresh)}"
    for name, weight in fresh.items():
        weight.copy_(trained[name])
    return plain.eval()  # type: ignore[return-value]


def _adapters(model: Any) -> dict[str, Tensor]:
    return {name: p for name, p in model.named_parameters() if ".lora_" in name}
