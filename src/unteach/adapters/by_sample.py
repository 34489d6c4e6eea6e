"""Add up the squared gradients of single samples, from one forward and backward pass of a batch.

A linear layer's gradient for one sample is the product of its output's gradients with its inputs,
over that sample's tokens. So the weights themselves need no gradient.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import Linear
from transformers.pytorch_utils import Conv1D

from unteach.head import Head, chunk_rows, head_of, states_only
from unteach.inference import batches_by_length, right_padded
from unteach.types import Sequence

TOKENS = 1024  # padded tokens of a batch at most; more gain nothing on a CPU
ROOM = 64 << 20  # bytes of several samples' gradients of one layer; at least one sample's is made


class NotBySample(Exception):
    """A layer's inputs do not belong to single samples, so that their gradients cannot be told."""


def add_squares(
    model: Any,
    sequences: list[Sequence],
    layers: dict[str, Any],
    sums: dict[str, Tensor],
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Add n_i g_i^2 of each sample, g_i being the gradient of its mean loss over n_i answer tokens.

    Args:
        model: in evaluation mode, with no parameter that requires a gradient.
        sequences: each with an answer.
        layers: by name, linear layers of the model.
        sums: by name, of the weight's shape; changed in place.
        progress: called with the number of sequences done.

    Raises:
        NotBySample: a layer is no plain matrix, or was not called once with a sample in each row;
            the sums are then of no use.
    """
    if not all(
        type(layer).forward in (Linear.forward, Conv1D.forward) for layer in layers.values()
    ):
        raise NotBySample
    head, done = head_of(model), 0
    tokens = min(TOKENS, chunk_rows(head, model.device))
    for members in batches_by_length([len(s.ids) for s in sequences], tokens):
        chosen = [sequences[i] for i in members]
        with _squared_into(sums, layers, len(chosen)):
            _loss(model, chosen, head).backward()
        done += len(chosen)
        progress(done)


@contextmanager
def _squared_into(sums: dict[str, Tensor], layers: dict[str, Any], rows: int) -> Iterator[None]:
    """Square the gradients of one forward and backward pass into the sums."""
    called: set[str] = set()

    def catch(name: str, layer: Any, args: tuple, output: Tensor) -> None:
        inputs = args[0].detach()
        if name in called or inputs.dim() != 3 or len(inputs) != rows:
            raise NotBySample
        called.add(name)
        if not output.requires_grad:  # nothing before it has a gradient
            output.requires_grad_()
        pair = (lambda g: (inputs, g)) if isinstance(layer, Conv1D) else (lambda g: (g, inputs))
        output.register_hook(lambda gradient: _add(*pair(gradient), sums[name]))

    hooks = [
        layer.register_forward_hook(lambda *call, name=name: catch(name, *call))
        for name, layer in layers.items()
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
    if called != set(layers):
        raise NotBySample


def _add(left: Tensor, right: Tensor, total: Tensor) -> None:
    """Add the square of each sample's left^T right, from [B, T, m] and [B, T, n], to [m, n]."""
    size = max(ROOM // (total.numel() * left.element_size()), 1)
    for some, others in zip(left.split(size), right.split(size), strict=True):
        for gradient in torch.bmm(some.transpose(1, 2), others).to(total.device, total.dtype):
            total.addcmul_(gradient, gradient)


def _loss(model: Any, sequences: list[Sequence], head: Head) -> Tensor:
    """Return the sum of the samples' NLL, each divided by the root of its number of tokens.

    Padding is on the right, so causal attention does not reach it and needs no mask.
    """
    ids = right_padded([s.ids for s in sequences], model.device)
    answer = right_padded([tuple(map(int, s.answer)) for s in sequences], model.device)[:, 1:] > 0
    with states_only(model) as caught:
        model(input_ids=ids, use_cache=False)
    logits = head.traced(caught[0][:, :-1][answer])
    nll = torch.nn.functional.cross_entropy(logits, ids[:, 1:][answer], reduction="none")
    counts = answer.sum(1)
    return (nll * counts.to(nll.dtype).rsqrt().repeat_interleave(counts)).sum()
