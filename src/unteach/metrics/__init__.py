"""Compute scores from rows; one family of metrics per file, without model or torch."""

from unteach.metrics._base import COMPARISONS, METRICS, Comparison, Metric, compare, score_model
from unteach.metrics.rows import ModelCase

__all__ = ["COMPARISONS", "METRICS", "Comparison", "Metric", "ModelCase", "compare", "score_model"]
