"""Questions put to a model: log-probabilities of answers, and answers of its own."""

from unteach.probes.agreement import reading_once
from unteach.probes.aside import set_aside
from unteach.probes.batches import Progress, batches_by_length, left_padded, right_padded
from unteach.probes.divergence import Kept, divergences
from unteach.probes.generation import end_tokens, greedy, sampled
from unteach.probes.gradients import gradient_norms
from unteach.probes.interview import Interview
from unteach.probes.lent import lent
from unteach.probes.scoring import Answered, answer_tokens

__all__ = [
    "Answered",
    "Interview",
    "Kept",
    "Progress",
    "answer_tokens",
    "batches_by_length",
    "divergences",
    "end_tokens",
    "gradient_norms",
    "greedy",
    "left_padded",
    "lent",
    "reading_once",
    "right_padded",
    "sampled",
    "set_aside",
]
