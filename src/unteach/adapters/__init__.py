"""Low-rank adapters: how they start, and how they end up in a plain model."""

from unteach.adapters.export import merge, save_adapter, save_model
from unteach.adapters.fila import FilaStart, initialise_fila
from unteach.adapters.lora import LoraSettings, add_lora

__all__ = [
    "FilaStart",
    "LoraSettings",
    "add_lora",
    "initialise_fila",
    "merge",
    "save_adapter",
    "save_model",
]
