"""From rows to scores: one file, one family of metrics; no model, no torch."""

from unteach.metrics._base import METRICS, Metric, score_model
from unteach.metrics.comparisons import compare

__all__ = ["METRICS", "Metric", "compare", "score_model"]
