"""From rows to scores: one file, one family of metrics; no model, no torch."""

from unteach.metrics._base import COMPARISONS, METRICS, Comparison, Metric, compare, score_model
from unteach.metrics.rows import ModelCase

__all__ = ["COMPARISONS", "METRICS", "Comparison", "Metric", "ModelCase", "compare", "score_model"]
