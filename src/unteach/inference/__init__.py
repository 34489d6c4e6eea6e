"""Run models: log-probabilities of given answers, generation, KL divergences, gradient norms."""

from unteach.inference.agreement import reading_once
from unteach.inference.batches import batches_by_length, left_padded, right_padded
from unteach.inference.divergence import KeptStates, OriginalStates, divergences
from unteach.inference.generation import end_tokens, greedy, greedy_scored, sampled
from unteach.inference.gradients import gradient_norms
from unteach.inference.interview import Interview
from unteach.inference.loaded import loaded_model
from unteach.inference.scoring import answer_tokens
from unteach.inference.variants import VariantReader

__all__ = [
    "Interview",
    "KeptStates",
    "OriginalStates",
    "VariantReader",
    "answer_tokens",
    "batches_by_length",
    "divergences",
    "end_tokens",
    "gradient_norms",
    "greedy",
    "greedy_scored",
    "left_padded",
    "loaded_model",
    "reading_once",
    "right_padded",
    "sampled",
]
