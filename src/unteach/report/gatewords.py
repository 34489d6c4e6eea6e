"""Describe gates in the same words for terminal and report."""

from collections.abc import Sequence

from unteach.report.gates import WORDS, Gate, outcome_of
from unteach.report.grid import cell
from unteach.report.record import Report
from unteach.report.table import interval, number


def gate_sentence(gates: Sequence[Gate]) -> str:
    """Describe the outcome of all gates in one sentence.

    Example:
        >>> from unteach.types import Score
        >>> gate = Gate(name="given", measure="answers still given", high=0.0,
        ...             score=Score(2.0, 9), outcome="still recognisable")
        >>> gate_sentence([gate]).partition("): ")[2]
        '1 of 1 failed: answers still given 2 (at most 0).'
    """
    outcome, failed = outcome_of(gates), [gate for gate in gates if not gate.passed]
    text = f"Gates: {outcome} ({WORDS[outcome]})"
    if not failed:
        return f"{text}: {len(gates)} of {len(gates)} passed."
    listed = "; ".join(f"{g.measure} {measured(g)} ({limit(g)})" for g in failed)
    return f"{text}: {len(failed)} of {len(gates)} failed: {listed}."


def gate_rows(gates: Sequence[Gate]) -> list[list[str]]:
    """Return a table of all gates, header first."""
    rows = [["gate", "measured", "passes", "outcome"]]
    for gate in gates:
        said = "passed" if gate.passed else gate.outcome
        said += f" ({gate.why})" if gate.why else ""
        rows.append([gate.measure, measured(gate), limit(gate), said])
    return rows


def measured(gate: Gate) -> str:
    """Format the measured value with its interval; counts of answers are whole numbers."""
    score = gate.score
    if gate.name not in ("given", "earlier") or score.value is None:
        return cell(score)
    return f"{score.value:.0f}" + interval(score, "{:.0f}".format)


def limit(gate: Gate) -> str:
    """Describe which values pass."""
    if gate.low is None or gate.high is None:
        return f"at most {gate.high:g}" if gate.low is None else f"at least {gate.low:g}"
    return f"{number(gate.low)} to {number(gate.high)}"


def fixed(report: Report) -> str:
    """State that the gates were fixed before the run, with their hash; empty if unknown."""
    told = report.facts.get("gates")
    known = told.get("sha256") if isinstance(told, dict) else None
    return f"The gates were fixed before the run (sha256 {known})." if known else ""
