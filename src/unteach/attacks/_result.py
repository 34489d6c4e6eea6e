"""Summarise an attack run: its lines, the worst case, and the next command."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from unteach.attacks._base import standard_attacks
from unteach.attacks._judge import (
    NAMES,
    NEVER,
    PLAIN,
    RecoveryLine,
    closeness_under_attack,
    furthest,
    worst,
)
from unteach.attacks._plan import AttackRequest, CheckedAttack
from unteach.report.attacked import BACK
from unteach.report.table import interval, number
from unteach.types import Paper, Score


@dataclass(frozen=True, kw_only=True)
class AttackResult:
    """The result of an attack run; holds numbers and no text of the data.

    Attributes:
        lines: one line for each variant, starting with the models without attack.
        worst: the line with the highest lower bound of recovery; None if recovery is not known.
        furthest: the line with the least closeness to the retrained model; None without one.
        closeness: closeness of `furthest`, with its interval.
        headline: the worst case in one sentence.
        next: a command to run next.
        request: the request as plain values.
        facts: counts, times in seconds, versions.
        papers: papers of the attacks, by attack.
        notes: what cannot be known, and why.
    """

    lines: tuple[RecoveryLine, ...]
    worst: RecoveryLine | None
    furthest: RecoveryLine | None
    closeness: Score
    headline: str
    next: str
    request: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    papers: Mapping[str, Paper] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def of(self, attack: str) -> RecoveryLine | None:
        """Return the worst line of one attack; its first line if recovery is not known."""
        own = [line for line in self.lines if line.attack == attack]
        return worst(own) or next(iter(own), None)


def result_of(
    found: CheckedAttack,
    lines: list[RecoveryLine],
    rows: Mapping[tuple[str, str], Any],
    seconds: Mapping[str, float],
    versions: Mapping[str, Any],
) -> AttackResult:
    """Return the result from its lines and their rows."""
    attacked = [line for line in lines if line.attack != PLAIN]
    first, far = worst(lines), furthest(attacked or lines)
    close = closeness_under_attack(rows[far.attack, far.variant]) if far else Score(None)
    asked = found.asked
    counts = {role: len(group.examples) for role, group in found.plan.groups.items()}
    facts = {
        "examples": counts,
        "seconds": dict(seconds),
        "models": [*found.subjects],
        **versions,
    }
    return AttackResult(
        lines=tuple(lines),
        worst=first,
        furthest=far,
        closeness=close,
        headline=headline(first, far, close, lines),
        next=next_command(asked, first),
        request=asked.model_dump(mode="json", exclude={"overwrite"}),
        facts=facts,
        papers={one.name: one.paper for one in found.attacks},
        notes=tuple(map(str, found.notes)),
    )


def headline(
    first: RecoveryLine | None, far: RecoveryLine | None, close: Score, lines: list[RecoveryLine]
) -> str:
    """Describe the worst case in one sentence.

    Example:
        >>> line = RecoveryLine(attack="int4", variant="groups of 32", main="fact_recall",
        ...                     counts=True, recovery=Score(0.83, 40, 0.7, 0.9))
        >>> headline(line, None, Score(None), [line])
        'Worst case: int4 (groups of 32) brings back 83% (70% to 90%) of what was forgotten, by ...'
    """
    if first is None:
        why = next((line.recovery.note for line in lines if line.recovery.note), "")
        said = why.removeprefix("not measurable: ") or "no attack has a recovery"
        return f"Worst case: not known ({said}).{_most(lines)}"
    score, name = first.recovery, NAMES[first.main]
    ends = interval(score, percent, "...")
    how = "no attack at all" if first.attack == PLAIN else f"{first.attack} ({first.variant})"
    if first.attack == PLAIN:
        said = f"Worst case: without any attack {percent(score.value)}{ends} is still there"
        said += f", by {name}."
    elif (score.value or 0.0) <= 0:
        return (
            f"Worst case: nothing is brought back. The most is by {how}: "
            f"{percent(score.value)}{ends}, by {name}, where 0% is what a model gives that never "
            f"saw them.{_near(far, close)}"
        )
    else:
        said = f"Worst case: {how} brings back {percent(score.value)}{ends} of what was forgotten"
        said += f", by {name}."
    if score.high is not None and score.high < BACK:
        said += " That is close to nothing."
    elif score.low is not None and score.low <= 0:
        said += " That may be chance."
    return said + _near(far, close)


def _near(far: RecoveryLine | None, close: Score) -> str:
    """The least closeness under attack, as a sentence; empty without a retrained model."""
    if far is None or close.value is None:
        return ""
    value = number(close.value) + interval(close, rough, "...")
    return f" Closeness under attack: {value} ({far.attack})."


def _most(lines: list[RecoveryLine]) -> str:
    """Describe the strongest attack's score, for a headline without recovery."""
    known = [line for line in lines if line.main in NAMES and line.value("unlearned") is not None]
    line = max(known, key=lambda line: line.value("unlearned") or 0.0, default=None)
    if line is None:
        return ""
    how = PLAIN if line.attack == PLAIN else f"{line.attack}, {line.variant}"
    beside = [f"{name} {number(line.value(name))}" for name in ("retrained", NEVER)
              if line.value(name) is not None]  # fmt: skip
    also = f", {beside[0]}" if beside else ""
    name = NAMES[line.main]
    return f" The highest score: {name} {number(line.value('unlearned'))} ({how}){also}."


def percent(value: float | None) -> str:
    """Format a share in whole percent; a dash for None."""
    return "-" if value is None else f"{value:.0%}"


def rough(value: float | None) -> str:
    """Format an end of an interval with three decimals at most."""
    return number(None if value is None else round(value, 3))


def next_command(asked: AttackRequest, first: RecoveryLine | None) -> str:
    """Return the next command: attacks not run yet, else unlearning again, else an evaluation."""
    left = [name for name in standard_attacks() if name not in asked.attacks]
    files = {role: getattr(asked, role) for role in ("forget", "retain", "holdout")}
    data = [part for role, file in files.items() if file for part in (f"--{role}", file)]
    before = asked.original
    if left and not (left == ["detect"] and not asked.holdout):
        models = ["--model", asked.model]
        models += ["--original", before] if before else []
        models += ["--retrained", asked.retrained] if asked.retrained else []
        rest = ["--attack", ",".join(left), "--out", str(asked.out)]
        return shlex.join(["unteach", "attack", *models, *data, *rest])
    if first and (first.recovery.low or 0.0) > BACK and before:
        again = ["--model", before, *data, "--out", f"{asked.out}-again"]
        return shlex.join(["unteach", "run", *again])
    models = ["--model", asked.model]
    models += ["--reference-model", before] if before else []
    models += ["--retrained", asked.retrained] if asked.retrained else []
    return shlex.join(["unteach", "evaluate", *models, *data, "--out", f"{asked.out}-evaluation"])
