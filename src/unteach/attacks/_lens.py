"""Read hidden states of each layer through an output head (logit lens)."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from unteach.head import Head, head_of
from unteach.inference.batches import batches_by_length, right_padded
from unteach.inference.rows import in_parts, logits_of, pieces
from unteach.types import Sequence


class Lens(NamedTuple):
    """The modules that map hidden states to logits.

    Attributes:
        norm: the model's final norm; None if it has none.
        head: the output head.
    """

    norm: nn.Module | None
    head: Head

    def logps(self, states: Tensor, target: Tensor) -> Tensor:
        """Return the log-probability [n] of each target in nats, from hidden states [n, D]."""
        found = []
        for part in pieces(states, self.head):
            rows = states[part] if self.norm is None else self.norm(states[part])
            logps = logits_of(rows, self.head).log_softmax(-1)
            found.append(logps.gather(-1, target[part, None])[:, 0])
        return torch.cat(found)


def kept_lens(model: Any) -> Lens:
    """Return a copy of the model's final norm and head, which outlives the model."""
    norm = final_norm(model)
    return Lens(
        copy.deepcopy(norm).requires_grad_(False) if norm else None, head_of(model).frozen()
    )


@torch.no_grad()
def final_norm(model: Any) -> nn.Module | None:
    """Find the norm whose output is the head's input, by running the model; None if none is."""
    seen: list[tuple[nn.Module, Any]] = []
    head = model.get_output_embeddings()
    leaves = [m for m in model.modules() if not any(m.children()) and m is not head]
    hooks = [m.register_forward_hook(lambda m, _, out: seen.append((m, out))) for m in leaves]
    hooks.append(head.register_forward_pre_hook(lambda m, args: seen.append((m, args[0]))))
    try:
        model(input_ids=torch.zeros(1, 2, dtype=torch.long, device=model.device), use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    into = next(given for module, given in seen if module is head)
    found = [m for m, out in seen if m is not head and _is_norm(m) and _same(out, into)]
    return found[-1] if found else None


def _is_norm(module: nn.Module) -> bool:
    return any(True for _ in module.parameters()) or "norm" in type(module).__name__.lower()


def _same(one: Any, other: Tensor) -> bool:
    return isinstance(one, Tensor) and one.shape == other.shape and torch.equal(one, other)


@torch.no_grad()
def depths(
    model: Any,
    texts: list[Sequence],
    lenses: dict[str, Lens],
    layers: list[int],
    *,
    tokens_per_batch: int,
) -> dict[tuple[str, int], list[float]]:
    """Return the mean log-probability of each text's answer tokens in nats, by lens and layer.

    Args:
        model: a model in evaluation mode.
        texts: sequences with at least one answer token.
        lenses: lenses by name.
        layers: layers to read, counted from 1.
        tokens_per_batch: padded tokens of one forward.
    """
    norm = final_norm(model)
    found = {(name, layer): [0.0] * len(texts) for name in lenses for layer in layers}
    for members in batches_by_length([len(text.ids) for text in texts], tokens_per_batch):
        chosen = [texts[i] for i in members]
        states, target = _states(model, norm, chosen, layers)
        for name, lens in lenses.items():
            for layer in layers:
                logps = in_parts(lens.logps(states[layer], target), chosen)
                for i, values in zip(members, logps, strict=True):
                    found[name, layer][i] = sum(values) / len(values)
    return found


def _states(
    model: Any, norm: nn.Module | None, texts: list[Sequence], layers: list[int]
) -> tuple[dict[int, Tensor], Tensor]:
    """Return by layer the states [n, D] that predict the answer tokens, and these tokens [n]."""
    ids = right_padded([text.ids for text in texts], model.device)
    attention = right_padded([(1,) * len(text.ids) for text in texts], model.device)
    with _given(norm) as last:
        out = model(
            input_ids=ids, attention_mask=attention, use_cache=False, output_hidden_states=True
        )
    places = [(r, t) for r, text in enumerate(texts) for t, is_ in enumerate(text.answer) if is_]
    row, at = (torch.tensor([place[k] for place in places], device=model.device) for k in (0, 1))
    behind = [*out.hidden_states[:-1], last[-1] if last else out.hidden_states[-1]]
    return {layer: behind[layer][row, at - 1] for layer in layers}, ids[row, at]


@contextmanager
def _given(module: nn.Module | None) -> Iterator[list[Tensor]]:
    """Record the inputs of a module while the model runs."""
    seen: list[Tensor] = []
    if module is None:
        yield seen
        return
    handle = module.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    try:
        yield seen
    finally:
        handle.remove()
