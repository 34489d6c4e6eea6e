"""A model for as long as it is asked: loaded, counted, freed."""

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
    """What is made of a model; one that is loaded for it is freed afterwards.

    Args:
        model: a model, or a function of nothing that loads one; every process calls it.
        use: what is done with it; must not keep it.
    """
    if isinstance(model, nn.Module):
        return use(model)
    loaded = []
    together(lambda: loaded.append(model().eval()))
    try:
        return use(loaded.pop())
    finally:
        gc.collect()  # one small GPU cannot hold it beside the next one
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


@dataclass
class ForwardCount:
    """What went through a model.

    Attributes:
        batches: calls.
        texts: rows of them.
        tokens: of these, padding included.
    """

    batches: int = 0
    texts: int = 0
    tokens: int = 0


@contextmanager
def counted(model: Any) -> Iterator[ForwardCount]:
    """Count the forwards within, at the head: wrappers may call what they wrap past its hooks."""
    found = ForwardCount()

    def count(module: Any, args: tuple) -> None:
        found.batches += 1
        found.texts += len(args[0])
        found.tokens += args[0].shape[:-1].numel()

    handle = model.get_output_embeddings().register_forward_pre_hook(count)
    try:
        yield found
    finally:
        handle.remove()
