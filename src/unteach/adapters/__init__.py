"""Low-rank adapters: create, initialise, merge, save and load them."""

from unteach.adapters.base import BaseMark, load_adapter, mark_base, put_on
from unteach.adapters.experts import reach_note, why_not_experts
from unteach.adapters.export import merge, save_adapter, save_model
from unteach.adapters.fila import FilaStart, fila_bytes, initialise_fila
from unteach.adapters.lora import LoraSettings, add_lora, require_adaptable, targets_of
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
    "put_on",
    "reach_note",
    "require_adaptable",
    "save_adapter",
    "save_model",
    "targets_of",
    "why_not_experts",
]
