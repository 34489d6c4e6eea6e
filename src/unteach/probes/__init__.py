"""Questions put to a model: log-probabilities of answers, and answers of its own."""

from unteach.probes.batches import Progress, batches_by_length, left_padded, right_padded
from unteach.probes.generation import end_tokens, greedy, sampled
from unteach.probes.scoring import Answered, answer_tokens

__all__ = [
    "Answered",
    "Progress",
    "answer_tokens",
    "batches_by_length",
    "end_tokens",
    "greedy",
    "left_padded",
    "right_padded",
    "sampled",
]
