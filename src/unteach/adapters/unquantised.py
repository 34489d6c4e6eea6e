"""Adapters that were trained over a 4-bit base, put on the model as it is on disk."""

import copy
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor
from transformers import PreTrainedModel

from unteach.adapters.lora import keeps_in_out, lora_layers

WRAPPED = "base_model.model."  # before every name, where there are adapters


@torch.no_grad()
def on_plain_base(model: PeftModel, base: PreTrainedModel) -> PeftModel:
    """The base with the same adapters, which may then be merged or written as any others.

    The two are not the same model: the adapters were trained beside weights that quantising had
    changed, and stand now beside those that it had not.

    Args:
        model: with the adapters that `add_lora` made; stays as it is.
        base: the same model unquantised, on any device; changed in place.
    """
    config: LoraConfig = copy.deepcopy(model.peft_config[model.active_adapter])  # type: ignore[assignment,index]
    # By their full names: of many, peft keeps the ends alone, which may fit others too.
    names = [name.removeprefix(WRAPPED) for name in lora_layers(model)]
    config.target_modules = names
    # bitsandbytes turns GPT-2's weights round as it packs them; A and B do not depend on it.
    config.fan_in_fan_out = keeps_in_out(base, names)
    plain = get_peft_model(base, config)
    trained, fresh = _adapters(model), _adapters(plain)
    assert trained.keys() == fresh.keys(), f"{len(trained)} adapters for {len(fresh)}"
    for name, weight in fresh.items():
        weight.copy_(trained[name])
    return plain.eval()  # type: ignore[return-value]


def _adapters(model: Any) -> dict[str, Tensor]:
    return {name: p for name, p in model.named_parameters() if ".lora_" in name}
