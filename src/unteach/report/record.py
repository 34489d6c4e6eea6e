"""Define the data of a report."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from unteach.metrics.earlier import EarlierRequest
from unteach.metrics.given import GivenAnswers
from unteach.metrics.harm import Harm
from unteach.report.attacked import Attacked
from unteach.report.gates import Gate
from unteach.types import Paper, Score

Scores = Mapping[str, Mapping[str, Score]]  # group -> metric -> score


@dataclass(frozen=True, kw_only=True)
class Report:
    """Request, scores and facts of a run or an evaluation; holds no text of the data.

    Attributes:
        models: "original", "unlearned", "retrained" (or names of methods) -> group -> metric ->
            score.
        comparisons: "unlearned_vs_retrained" and the like -> comparison -> score.
        never_seen: metric -> expected score of an unseen forget set, from the holdout; empty if
            there is a retrained model.
        given: model -> the forget answers that it still gives.
        harm: model -> group -> single answers that were harmed, compared with the original.
        gates: what was declared to hold after the run, and whether it does.
        earlier: requests that were answered before, and whether they still hold.
        tables: further tables by title, the header first.
        label: name of the method in titles.
        papers: of the method or suite.
        request: all settings, with defaults filled in.
        facts: steps, seconds, versions, counts.
        notes: notes for the reader.
        attacks: what attacks on the unlearned model recovered; None without attacks.
    """

    models: Mapping[str, Scores]
    comparisons: Mapping[str, Mapping[str, Score]] = field(default_factory=dict)
    never_seen: Mapping[str, Score] = field(default_factory=dict)
    given: Mapping[str, GivenAnswers] = field(default_factory=dict)
    harm: Mapping[str, Mapping[str, Harm]] = field(default_factory=dict)
    gates: tuple[Gate, ...] = ()
    earlier: tuple[EarlierRequest, ...] = ()
    tables: Mapping[str, list[list[str]]] = field(default_factory=dict)
    label: str = ""
    papers: tuple[Paper, ...] = ()
    request: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    attacks: Attacked | None = None

    def score(self, model: str, group: str, metric: str) -> Score:
        """A score; one without a value if it is missing."""
        return self.models.get(model, {}).get(group, {}).get(metric) or Score(None)

    def value(self, model: str, group: str, metric: str) -> float | None:
        """The value of a score, or None."""
        return self.score(model, group, metric).value

    def compared(self, model: str, name: str) -> Score:
        """A comparison with the retrained model; one without a value if it is missing."""
        return self.comparisons.get(f"{model}_vs_retrained", {}).get(name) or Score(None)
