"""Membership attack with both models, before and after: which texts were unlearned?"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from unteach.attacks._base import Attack, registered
from unteach.attacks._judge import RecoveryLine
from unteach.attacks._subject import AttackSubject
from unteach.errors import Problem
from unteach.files.rows import Groups
from unteach.metrics._base import measured
from unteach.metrics.roc import auc, tpr
from unteach.metrics.rows import MissingRows, answers, mean_logp
from unteach.types import Paper, Score

FLOOR = 1e-3  # nats per token; ratios of smaller losses are noise
FOUND = "AUC"
EARLY = "TPR at 1% FPR"
ALONE = "the loss alone"


@registered("detect")
@dataclass(frozen=True, kw_only=True)
class DetectAttack(Attack):
    """Distinguish forget answers from holdout answers by their losses under two models."""

    paper: ClassVar = Paper(
        title="When Machine Unlearning Jeopardizes Privacy",
        authors="Min Chen and Zhikun Zhang and Tianhao Wang and Michael Backes and "
        "Mathias Humbert and Yang Zhang",
        year=2020,
        arxiv="2005.02205",
        where="the attack on the original and the unlearned model together",
        venue="CCS 2021",
    )

    def missing(self, subject: AttackSubject) -> list[Problem]:
        """Return an error if there is no holdout."""
        if not subject.groups.get("holdout"):
            what = "is not given; detect compares forget answers with records that no model saw"
            hint = "give a file of such records, or leave detect out of --attack"
            return [Problem("--holdout", what, hint, "request")]
        return []

    def read(self, rows: Mapping[str, Groups]) -> list[RecoveryLine]:
        """Return a line for each score of two models, and one for the loss of each model alone."""
        found = []
        if "original" in rows:
            ways = {"difference of the losses": difference, "log-ratio of the losses": ratio}
            for name, way in ways.items():
                pairs = {
                    model: (lambda group, way=way, model=model: way(rows, model, group))
                    for model in rows
                    if model != "original"
                }
                found.append(_line(name, pairs))
        alone = {model: (lambda group, model=model: _alone(rows, model, group)) for model in rows}
        found.append(_line(ALONE, alone))
        return found


def _line(name: str, scores: Mapping[str, Any]) -> RecoveryLine:
    """Return the line of one score, with AUC and TPR at 1% FPR of each model."""
    found: dict[str, dict[str, Score]] = {FOUND: {}, EARLY: {}}
    for model, of in scores.items():
        found[FOUND][model] = measured(lambda of=of: auc(of("forget"), of("holdout")))
        found[EARLY][model] = measured(lambda of=of: tpr(of("forget"), of("holdout")))
    return RecoveryLine(
        attack="detect", variant=name, main=FOUND, scores=found, proves=_said(name, found)
    )


def _said(name: str, found: dict[str, dict[str, Score]]) -> str:
    """Return how to read a line; often empty."""
    ours, theirs = (found[FOUND].get(model) for model in ("unlearned", "retrained"))
    if not ours or ours.value is None:
        return ""
    if name == ALONE:
        level = theirs.value if theirs and theirs.value is not None else 0.5
        if ours.high is not None and ours.high < level:
            return "over-forgotten: less likely than records that no model saw"
        return ""
    if theirs and theirs.value is not None:
        return "a retrained model reveals them too: compare the two"
    return "a retrained model would reveal them too; without one, how far is not known"


def _losses(rows: Mapping[str, Groups], model: str, group: str) -> dict[str, float]:
    return {row.id: -mean_logp(row) for row in answers(rows[model], group)}


def _both(rows: Mapping[str, Groups], model: str, group: str) -> list[tuple[float, float]]:
    before, after = (_losses(rows, name, group) for name in ("original", model))
    if before.keys() != after.keys():
        raise MissingRows("the two models were not evaluated on the same examples")
    return [(before[id], after[id]) for id in before]


def difference(rows: Mapping[str, Groups], model: str, group: str) -> list[float]:
    """Loss after minus loss before unlearning, in nats per token: high for unlearned answers.

    Example:
        >>> from unteach.types import Row
        >>> before, after = ({"forget": [Row(id="a", tokens=9, logp=x)]} for x in (-0.5, -2.0))
        >>> difference({"original": before, "unlearned": after}, "unlearned", "forget")
        [1.5]
    """
    return [after - before for before, after in _both(rows, model, group)]


def ratio(rows: Mapping[str, Groups], model: str, group: str) -> list[float]:
    """Log of the ratio of the losses after and before unlearning.

    Example:
        >>> from unteach.types import Row
        >>> before, after = ({"forget": [Row(id="a", tokens=9, logp=x)]} for x in (-1.0, -1.0))
        >>> ratio({"original": before, "unlearned": after}, "unlearned", "forget")
        [0.0]
    """
    pairs = _both(rows, model, group)
    return [math.log(max(after, FLOOR) / max(before, FLOOR)) for before, after in pairs]


def _alone(rows: Mapping[str, Groups], model: str, group: str) -> list[float]:
    return [-loss for loss in _losses(rows, model, group).values()]
