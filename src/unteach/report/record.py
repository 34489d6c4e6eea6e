"""All that a report is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from unteach.metrics.given import GivenAnswers
from unteach.metrics.harm import Harm
from unteach.types import Paper, Score

Scores = Mapping[str, Mapping[str, Score]]  # group -> metric -> score


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was asked, what was done, and what was measured; no text of the data.

    Attributes:
        models: "original", "unlearned", "retrained" (or names of methods) -> group -> metric.
        comparisons: "unlearned_vs_retrained" and the like -> score.
        never_seen: metric -> what a forget set would score that no model ever saw, by the holdout
            examples; where there is no retrained model.
        given: model -> the forget answers that it still gives.
        harm: model -> group -> what became of single answers, beside the original.
        tables: further tables by title, the header first.
        label: how the method is called in a title.
        papers: of the method.
        request: every setting, resolved.
        facts: what happened: steps, seconds, versions, counts.
        notes: what the reader should know.
    """

    models: Mapping[str, Scores]
    comparisons: Mapping[str, Mapping[str, Score]] = field(default_factory=dict)
    never_seen: Mapping[str, Score] = field(default_factory=dict)
    given: Mapping[str, GivenAnswers] = field(default_factory=dict)
    harm: Mapping[str, Mapping[str, Harm]] = field(default_factory=dict)
    tables: Mapping[str, list[list[str]]] = field(default_factory=dict)
    label: str = ""
    papers: tuple[Paper, ...] = ()
    request: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def score(self, model: str, group: str, metric: str) -> Score:
        """A score; one without a value where it was not asked for."""
        return self.models.get(model, {}).get(group, {}).get(metric) or Score(None)

    def value(self, model: str, group: str, metric: str) -> float | None:
        """A number, or None where there is none."""
        return self.score(model, group, metric).value

    def compared(self, model: str, name: str) -> Score:
        """A comparison with the retrained model; one without a value where there is none."""
        return self.comparisons.get(f"{model}_vs_retrained", {}).get(name) or Score(None)
