"""Compare the teacher's token probabilities with the model's, for display."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from unteach.losses.distributions import kl_to_reference
from unteach.rowengine.batch import Pair, Pairs
from unteach.rowengine.chunked_loss import logits_of
from unteach.rowengine.forward import inputs_of
from unteach.rowengine.rows import rows_by_group
from unteach.rowengine.teacher_rows import TeacherRows
from unteach.types import Sequence


class TokenView(NamedTuple):
    """An answer token.

    Attributes:
        token: the token id.
        own: its probability under the model.
        taught: its probability under the teacher.
        likeliest: the teacher's likeliest tokens with their probabilities, in descending order.
    """

    token: int
    own: float
    taught: float
    likeliest: tuple[tuple[int, float], ...]


class AnswerView(NamedTuple):
    """An answer.

    Attributes:
        own: probability per token under the model (the geometric mean).
        taught: the same under the teacher.
        tokens: the tokens at which the two differ most (KL), in the answer's order.
    """

    own: float
    taught: float
    tokens: list[TokenView]


@torch.no_grad()
def views(
    model: Any, rows: TeacherRows, forget: list[Sequence], numbers: Iterable[int], *, few: int
) -> Iterator[AnswerView]:
    """Yield the teacher's and the model's probabilities for some forget answers.

    Args:
        model: before training.
        rows: of the teacher.
        forget: the forget sequences.
        numbers: indices of the examples to show.
        few: most tokens per answer, and number of likeliest tokens for each of these.
    """
    pairs = Pairs(forget)
    for number in numbers:
        batch = pairs.collate([Pair(number, None)])
        batch = {name: value.to(model.device) for name, value in batch.items()}
        seen = rows_by_group(batch, model(**inputs_of(batch)).logits)
        own = rows.beside(seen, batch)["forget"]
        own = replace(own, teacher_logits=logits_of(rows.head, own.teacher_logits))
        yield _view(own.require_logits().float(), own.teacher_logps().float(), own.target, few)


def _view(logits: Tensor, taught: Tensor, target: Tensor, few: int) -> AnswerView:
    own, column = logits.log_softmax(-1), target[:, None]
    ours, theirs = (found.gather(1, column)[:, 0] for found in (own, taught))
    apart = kl_to_reference(logits, taught)
    places = sorted(apart.topk(min(few, len(apart))).indices.tolist())
    tokens = []
    for place in places:
        logps, ids = taught[place].topk(few)
        likeliest = tuple(zip(ids.tolist(), logps.exp().tolist(), strict=True))
        p, q = ours[place].exp().item(), theirs[place].exp().item()
        tokens.append(TokenView(int(target[place]), p, q, likeliest))
    return AnswerView(ours.mean().exp().item(), theirs.mean().exp().item(), tokens)
