"""Add the embedding's gradient to that of the tied head, instead of making a second one as large.

Without this a step holds two tensors [V, D] where one weight is both embedding and head: the head's
gradient, made in the forward pass, and the embedding's, of which few rows are not 0.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from accelerate import PartialState
from torch import Tensor, nn

from unteach.head.products import exact


class Carrier:
    """Carries the head's gradient to the embedding's backward pass, which is the last.

    Attributes:
        weight: the parameter that is both.
        gradient: of the head; None before its backward pass.
    """

    def __init__(self, weight: Tensor):
        self.weight = weight
        self.gradient: Tensor | None = None


CURRENT: ContextVar[Carrier | None] = ContextVar("carrier", default=None)


@contextmanager
def one_gradient(model: Any) -> Iterator[None]:
    """Within a forward pass, let the embedding's gradient be added to what a carrier brings.

    Does nothing where embedding and head are not one parameter in float32 or better, and with
    several processes.

    Args:
        model: unwrapped.
    """
    embedding = _tied_embedding(model)
    if embedding is None:
        yield
        return
    carrier, sparse = Carrier(embedding.weight), embedding.sparse
    token = CURRENT.set(carrier)
    # An attribute of the object hides the parameter, which stays where it is registered.
    vars(embedding)["weight"] = _Carried.apply(embedding.weight, carrier)
    embedding.sparse = True
    try:
        yield
    finally:
        del vars(embedding)["weight"]
        embedding.sparse = sparse
        CURRENT.reset(token)


def carrier_to(weight: Tensor, states: Iterable[Tensor]) -> Carrier | None:
    """Return the carrier for the head's gradient; None where it would not reach the embedding.

    Args:
        weight: of the head.
        states: the final hidden states of the loss, of which every graph must lead there.
    """
    carrier = CURRENT.get()
    if carrier is None or carrier.weight is not weight:
        return None
    graphs = [rows.grad_fn for rows in states]
    return carrier if graphs and all(map(_ends_in_carried, graphs)) else None


class _Carried(torch.autograd.Function):
    """The weight itself; its gradient is that of the lookup and what the carrier brought."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, carrier: Carrier) -> Tensor:
        ctx.carrier = carrier
        return weight.view_as(weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor):  # type: ignore[override]
        head, ctx.carrier.gradient = ctx.carrier.gradient, None
        if not gradient.is_sparse:  # the embedding's class looks rows up in a way of its own
            return gradient if head is None else head.add_(gradient), None
        head = torch.zeros_like(ctx.carrier.weight) if head is None else head
        # The rows of each token are summed first, as in the gradient [V, D] of a lookup.
        tokens, which = gradient._indices()[0].unique(return_inverse=True)
        rows = head.new_zeros(len(tokens), head.shape[1])
        return head.index_add_(0, tokens, rows.index_add_(0, which, gradient._values())), None


def _tied_embedding(model: Any) -> Any:
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    weight: Any = getattr(embedding, "weight", None)
    plain = isinstance(embedding, nn.Embedding) and type(weight) is nn.Parameter
    if not plain or embedding.max_norm is not None or embedding.scale_grad_by_freq:
        return None
    whole = PartialState().num_processes == 1 and not hasattr(weight, "ds_id")
    tied = getattr(head, "weight", None) is weight and weight.requires_grad
    return embedding if tied and whole and exact(weight) and torch.is_grad_enabled() else None


def _ends_in_carried(graph: Any) -> bool:
    seen, waiting = set(), [graph]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        if node.name() == "_CarriedBackward":
            return True
        seen.add(node)
        waiting += [following for following, _ in node.next_functions]
    return False
