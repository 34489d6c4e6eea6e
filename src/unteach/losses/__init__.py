"""Compute losses from rows of logits, by pure functions: no model, config, device or trainer.

A *row* is one answer token: the logits that predict it and the token itself. Select the rows
first (shift and mask the labels), then compute their statistics. Nearly every token-level loss is a
function of two numbers per row:

    >>> import torch
    >>> from unteach import losses
    >>> logits, target = torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0])
    >>> rows = losses.token_statistics(logits, target)
    >>> round(losses.cross_entropy(rows.log_odds).item(), 4)
    0.2395
    >>> round(losses.unilogit(rows.log_odds, vocabulary=3).item(), 4)
    0.433
"""

from unteach.losses.distributions import (
    ce_u,
    flattening,
    jensen_shannon,
    kl_to_reference,
    undial,
    unilogit_to_reference,
)
from unteach.losses.entropies import entropy, entropy_weighted_ascent
from unteach.losses.hidden import control_vector, squared_distance
from unteach.losses.sequences import dpo, npo, simnpo
from unteach.losses.statistics import TokenStatistics, token_statistics
from unteach.losses.sums import answer_sum
from unteach.losses.teacher import distil, exchange_columns, with_target_logps
from unteach.losses.tokens import (
    ascent,
    cross_entropy,
    inverted_hinge,
    jensen_shannon_to_token,
    satimp,
    to_level,
    unilogit,
    unlikelihood,
    weighted_ascent,
)
from unteach.losses.top import buffered_hinge, top_flattening, top_margin

__all__ = [
    "TokenStatistics",
    "answer_sum",
    "ascent",
    "buffered_hinge",
    "ce_u",
    "control_vector",
    "cross_entropy",
    "distil",
    "dpo",
    "entropy",
    "entropy_weighted_ascent",
    "exchange_columns",
    "flattening",
    "inverted_hinge",
    "jensen_shannon",
    "jensen_shannon_to_token",
    "kl_to_reference",
    "npo",
    "satimp",
    "simnpo",
    "squared_distance",
    "to_level",
    "token_statistics",
    "top_flattening",
    "top_margin",
    "undial",
    "unilogit",
    "unilogit_to_reference",
    "unlikelihood",
    "weighted_ascent",
    "with_target_logps",
]
