"""Load a model for one use and free it afterwards; count its forwards."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import nn

from unteach.processes.share import together

T = TypeVar("T")


def loaded_model(model: Any, use: Callable[[Any], T]) -> T:
    """Return `use(model)`; a model that is loaded here is freed afterwards.

    Args:
        model: a model, or a function without arguments that loads one; every process calls it.
        use: called with the model; must not keep a reference to it.
    """
    if isinstance(model, nn.Module):
        return use(model)
    loaded = []
    with freed_afterwards():
        together(lambda: loaded.append(model().eval()))
        return use(loaded.pop())


@contextmanager
def freed_afterwards() -> Iterator[None]:
    """Free the memory of what is made within the context: a small GPU has no room for two models.

    Python looks for cycles among the objects made here alone. Those of the libraries, half a
    million, stay anyway, and to look through them takes a third of a second.
    """
    frozen = gc.get_freeze_count()
    if not frozen:
        gc.collect()  # what is dead already would stay until the end
        gc.freeze()
    try:
        yield
    finally:
        gc.collect()
        if not frozen:
            gc.unfreeze()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


@dataclass
class ForwardCount:
    """Counts of a model's forwards.

    Attributes:
        batches: forward calls.
        texts: rows of all batches.
        tokens: tokens of all rows, padding included.
    """

    batches: int = 0
    texts: int = 0
    tokens: int = 0


@contextmanager
def counted(model: Any) -> Iterator[ForwardCount]:
    """Count forwards within the context, by a hook on the head: wrappers may skip other hooks."""
    counts = ForwardCount()

    def count(module: Any, args: tuple) -> None:
        counts.batches += 1
        counts.texts += len(args[0])
        counts.tokens += args[0].shape[:-1].numel()

    handle = model.get_output_embeddings().register_forward_pre_hook(count)
    try:
        yield counts
    finally:
        handle.remove()
