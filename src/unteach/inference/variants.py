"""Score variants of a text: what stands before their first other token is forwarded once."""

from copy import copy
from typing import Any, NamedTuple

import torch
from torch import Tensor

from unteach.head import Head, states_only
from unteach.inference.batches import batches_by_length, right_padded
from unteach.inference.caches import NOT_ALIKE, forward, near, require_copyable, takes_cache
from unteach.inference.rows import known_head, logits_of, pieces
from unteach.inference.scoring import answer_tokens
from unteach.losses.byrows import read_rows
from unteach.processes.lockstep import in_lockstep
from unteach.types import Sequence

SAMPLE = 8  # variants of the first text that are read both ways
SMALL = 2048  # tokens; fewer are forwarded whole, since several forwards take as long
TIGHT = 0.7  # least length of a batch's shortest remainder, as a share of its longest


class VariantReader:
    """Scores variants of texts the short way, where that gives what whole texts give.

    The first text's are read both ways, and by whole texts from then on if they differ: not every
    model has a cache that can be cut, and some place tokens otherwise behind a padded one.

    Args:
        model: in evaluation mode.
        small: tokens of all variants of a text; fewer are forwarded whole.
    """

    def __init__(self, model: Any, *, small: int = SMALL):
        self.model, self.small = model, small
        self._short: bool | None = None if takes_cache(model) and not in_lockstep(model) else False

    def nll(self, texts: list[tuple[int, ...]], start: int) -> list[float]:
        """Mean NLL in nats of each text's tokens from position `start` on; see `variant_nll`."""
        if self._short is False or start < 1 or sum(map(len, texts)) < self.small:
            return whole_nll(self.model, texts, start)
        if self._short is None:
            self._short = self._agrees(texts, start)
        return (variant_nll if self._short else whole_nll)(self.model, texts, start)

    def _agrees(self, texts: list[tuple[int, ...]], start: int) -> bool:
        few = [texts[0], *texts[1 :: max(len(texts) // SAMPLE, 1)]]
        try:
            found = variant_nll(self.model, few, start)
        except NOT_ALIKE:
            return False
        most = near(self.model.dtype, in_half=0.05)
        pairs = zip(found, whole_nll(self.model, few, start), strict=True)
        return all(abs(short - whole) <= most * max(1.0, whole) for short, whole in pairs)


def whole_nll(model: Any, texts: list[tuple[int, ...]], start: int) -> list[float]:
    """Compute `variant_nll` with a forward pass of each whole text."""
    rows = [Sequence("", ids, tuple(t >= start for t in range(len(ids)))) for ids in texts]
    return [-sum(a.logps) / len(a.logps) for a in answer_tokens(model, rows)]


class Remainder(NamedTuple):
    """The tokens of a variant still to be forwarded: `ids[cut:]`, after a cache of `cut` tokens."""

    ids: tuple[int, ...]
    cut: int


@torch.no_grad()
def variant_nll(
    model: Any, texts: list[tuple[int, ...]], start: int, *, tokens_per_batch: int = 4096
) -> list[float]:
    """Mean NLL in nats of each text's tokens from position `start` on.

    The first text is forwarded whole. The others are forwarded from the first token in which they
    differ from it, or from the token before `start`, behind copies of its keys and values.

    Args:
        model: in evaluation mode, with a known head.
        texts: of any lengths above `start`, which is at least 1.
        start: position of the first token that is scored.
        tokens_per_batch: padded tokens of one forward.

    Raises:
        TypeError: the model's cache cannot be cut, or its head is not known.
    """
    first, *others = texts
    head = known_head(model, [Sequence("", first, (False, *(True,) * (len(first) - 1)))])
    if head is None or not takes_cache(model):
        raise TypeError("a model without a known head, or without a cache")
    ids = torch.tensor([first], device=model.device)
    with states_only(model) as caught:
        cache = forward(model, ids, torch.ones_like(ids)).past_key_values
    _require_cuttable(cache, len(first))
    found = _mean_nlls([caught[0][0, start - 1 : -1]], [ids[0, start:]], head)
    remainders = [Remainder(text, min(_alike(first, text), start - 1)) for text in others]
    scores: dict[int, float] = {}
    lengths = [len(text.ids) - text.cut for text in remainders]
    for members in batches_by_length(lengths, tokens_per_batch, tight=TIGHT):
        chosen = [remainders[k] for k in members]
        scores |= zip(members, _batch_nll(model, cache, chosen, start, head), strict=True)
    return found + [scores[k] for k in range(len(others))]


def _alike(first: tuple[int, ...], other: tuple[int, ...]) -> int:
    """Number of tokens at the beginning that are the same in both."""
    pairs = enumerate(zip(first, other, strict=False))
    return next((k for k, (a, b) in pairs if a != b), min(len(first), len(other)))


def _require_cuttable(cache: Any, length: int) -> None:
    """Every layer must hold the whole text; a sliding window narrower than it does not."""
    layers: list[Any] = require_copyable(cache).layers
    if not layers or any(layer.keys.shape[2] != length for layer in layers):
        raise TypeError("a cache whose texts cannot be cut")


def _batch_nll(
    model: Any, cache: Any, chosen: list[Remainder], start: int, head: Head
) -> list[float]:
    device = model.device
    tails = [text.ids[text.cut :] for text in chosen]
    ids = right_padded(tails, device)
    own = right_padded([(1,) * len(tail) for tail in tails], device)
    past, behind = _cut(cache, torch.tensor([text.cut for text in chosen], device=device))
    attention = torch.cat([behind, own], 1)
    with states_only(model) as caught:
        forward(model, ids, attention, past)
    scored = [slice(start - text.cut, len(text.ids) - text.cut) for text in chosen]
    states = [caught[0][row, s.start - 1 : s.stop - 1] for row, s in enumerate(scored)]
    targets = [ids[row, s] for row, s in enumerate(scored)]
    return _mean_nlls(states, targets, head)


def _cut(cache: Any, cuts: Tensor) -> tuple[Any, Tensor]:
    """Return the first tokens of one text's cache, a number for each row, and their attention mask.

    They are padded on the left: a window that slides counts places, not positions.
    """
    longest = int(cuts.max())
    place = torch.arange(longest, device=cuts.device) - (longest - cuts)[:, None]
    index, held = place.clamp(min=0), copy(cache)
    held.layers = [_layer(layer, index) for layer in cache.layers]
    return held, (place >= 0).long()


def _layer(layer: Any, index: Tensor) -> Any:
    held = copy(layer)
    held.keys, held.values = (
        states[0][:, index].transpose(0, 1).contiguous() for states in (layer.keys, layer.values)
    )
    if hasattr(held, "cumulative_length"):
        held.cumulative_length = index.shape[1]
    return held


def _mean_nlls(states: list[Tensor], targets: list[Tensor], head: Head) -> list[float]:
    """Return the mean NLL of each text, from logits computed together."""
    rows, target = torch.cat(states), torch.cat(targets)
    parts = [read_rows(_nll, logits_of(rows[p], head), target[p])[0] for p in pieces(rows, head)]
    means = [part.mean() for part in torch.cat(parts).split([len(some) for some in targets])]
    return torch.stack(means).tolist()


def _nll(logits: Tensor, target: Tensor) -> tuple[Tensor]:
    """[n], from logits in float32 or better."""
    return (logits.logsumexp(-1) - logits.gather(-1, target[:, None])[:, 0],)
