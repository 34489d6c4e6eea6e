"""Low-rank adapters: how they start, and how they end up in a plain model."""

from unteach.adapters.base import BaseMark, load_adapter, mark_base
from unteach.adapters.export import merge, save_adapter, save_model
from unteach.adapters.fila import FilaStart, fila_bytes, initialise_fila
from unteach.adapters.lora import LoraSettings, add_lora
from unteach.adapters.unquantised import on_plain_base

__all__ = [
    "BaseMark",
    "FilaStart",
    "LoraSettings",
    "add_lora",
    "fila_bytes",
    "initialise_fila",
    "load_adapter",
    "mark_base",
    "merge",
    "on_plain_base",
    "save_adapter",
    "save_model",
]
