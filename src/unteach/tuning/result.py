"""Define the result of a search: its trials, the best one, and the confirming report."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unteach.report import Report
from unteach.report.table import number
from unteach.tuning.judge import Marks
from unteach.tuning.space import Choice, choice_of
from unteach.tuning.study import DEFAULT

DONE, GIVEN_UP, BROKEN = "done", "given up", "broken"
FRONT = "†"
LEGEND = f"{FRONT}: no finished trial is at least as good at both and better at one"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One trial.

    Attributes:
        number: of the trial, from 0.
        choice: what was tried.
        settings: the same by the names that a request has.
        default: whether the method was tried as it is without search.
        state: "done", "given up" (on its way) or "broken" (training failed).
        forgotten: 1 where the forget answers are as likely as answers that were never seen.
        kept: share of the rest that is left.
        value: what the search chooses by; None where the trial was not finished.
        seconds: that it took.
        why: the reason, where the trial broke.
        front: whether no finished trial is at least as good at both, and better at one.
    """

    number: int
    choice: Choice
    settings: Mapping[str, Any]
    default: bool
    state: str
    forgotten: float | None
    kept: float | None
    value: float | None
    seconds: float
    why: str = ""
    front: bool = False


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """The result of `search`.

    Attributes:
        lines: the trials, the best first.
        best: the best finished trial.
        judged: by what the trials were judged.
        skipped: why a method was not tried, by its name.
        facts: counts, seconds and versions.
        folder: has `best.yaml`, `search.html`, `search.md` and `search.json`.
        confirmed: report of the winner trained in full, measured on the other half; None where
            that was not wanted.
        marks: what the confirmed model comes to on the other half, by the measure of the trials.
        next: the command to give next.
    """

    lines: tuple[Line, ...]
    best: Line
    judged: str
    skipped: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any]
    folder: Path
    confirmed: Report | None = None
    marks: Marks | None = None
    next: str = ""


def lines_of(trials: list[Any], settings: Any) -> tuple[Line, ...]:
    """Return the trials that ended, the best first; those that were cut off are left out.

    Args:
        trials: Optuna's.
        settings: function from a choice to the settings of its request.
    """
    ended = [trial for trial in trials if "seconds" in trial.user_attrs]
    whole = [t for t in ended if t.state.name == "COMPLETE"]
    points = [(t.user_attrs["forgotten"], t.user_attrs["kept"]) for t in whole]
    found = []
    for trial in ended:
        told, choice = trial.user_attrs, choice_of_trial(trial.params)
        complete = trial.state.name == "COMPLETE"
        state = DONE if complete else BROKEN if told.get("why") else GIVEN_UP
        point = told.get("forgotten"), told.get("kept")
        found.append(
            Line(
                number=trial.number, choice=choice, settings=settings(choice),
                default=bool(told.get(DEFAULT)), state=state, forgotten=point[0], kept=point[1],
                value=trial.value if complete else None, seconds=told["seconds"],
                why=told.get("why", ""), front=complete and not _beaten(point, points),
            )
        )  # fmt: skip
    return tuple(sorted(found, key=_order))


def choice_of_trial(params: Mapping[str, Any]) -> Choice:
    """Return the choice that a trial's parameters stand for."""
    values = {key: value for key, value in params.items() if "." in key}
    return choice_of(params["method"], values, params.get("adapter"), params.get("rank"))


def _order(line: Line) -> tuple[bool, float, int]:
    last = line.value if line.value is not None else -(line.seconds or 0.0)
    return line.value is None, -last if line.value is not None else 0.0, line.number


def _beaten(point: Any, others: list[tuple[float, float]]) -> bool:
    return any(o[0] >= point[0] and o[1] >= point[1] and o != point for o in others)


def table(result: SearchResult) -> list[list[str]]:
    """Return the trials as cells, the header first."""
    head = ["trial", "method", "settings", "state", "forgotten", "kept", "value", "seconds"]
    return [head, *(_cells(line) for line in result.lines)]


def _cells(line: Line) -> list[str]:
    marks = (number(value) for value in (line.forgotten, line.kept, line.value))
    name = f"{line.number}{FRONT}" if line.front else str(line.number)
    said = ("default: " if line.default else "") + settings_words(line.settings)
    return [name, line.choice.method, said, line.state, *marks, f"{line.seconds:.0f}"]


def settings_words(settings: Mapping[str, Any]) -> str:
    """Settings in one line.

    Example:
        >>> settings_words({"train.learning_rate": 1e-3, "method.beta": 0.2})
        'learning_rate 0.001, beta 0.2'
    """
    return ", ".join(
        f"{name.partition('.')[2]} {value:g}" if isinstance(value, float) else
        f"{name.partition('.')[2]} {value}" for name, value in settings.items()
    )  # fmt: skip


def sentence(result: SearchResult) -> str:
    """Return the outcome in one sentence."""
    best, trials = result.best, result.facts["trials"]
    same = [x for x in result.lines if x.choice.method == best.choice.method]
    default = next((x for x in same if x.default and x.value is not None), None)
    than = ""
    if len({x.default for x in result.lines}) == 1 and best.default:
        than = "; there was time for defaults alone: a longer --budget goes on from here"
    elif best.default:
        than = "; no other setting was better than its defaults"
    elif default:
        than = f"; with its defaults it comes to {number(default.value)}"
    return (
        f"Best of {trials} trials on the searched half: {best.choice.method}, "
        f"{number(best.value)} (forgotten {number(best.forgotten)}, kept {number(best.kept)}){than}"
    )


def confirmed_sentence(result: SearchResult) -> str:
    """Return the best trial's scores on the half that no trial read, in words; empty if unknown."""
    marks = result.marks
    if marks is None:
        return ""
    return (
        f"Trained in full, on the half that no trial read: {number(marks.value)} "
        f"(forgotten {number(marks.forgotten)}, kept {number(marks.kept)})"
    )
