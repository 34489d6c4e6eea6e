"""Gates that cannot be told from the data that are given, found before anything is trained."""

from collections.abc import Iterator, Mapping, Sequence

from unteach.data.calibration import FEW
from unteach.errors import Problem
from unteach.metrics.earlier import is_earlier
from unteach.metrics.memorised import smallest_auc
from unteach.settings.gates import Gates
from unteach.types import Example

SEES = 0.9
"""A test that would not see a membership AUC of so much, 4 times in 5, tells nothing."""


def gate_problems(
    gates: Gates,
    groups: Mapping[str, Sequence[Example]],
    *,
    shared: bool,
    others: Sequence[str],
) -> Iterator[Problem]:
    """What is missing, a problem for each gate.

    Args:
        gates: as declared.
        groups: the examples that judge, by role.
        shared: whether the holdout's also set the level in training.
        others: further groups that should stay.
    """
    forget, holdout = (len(groups.get(role, ())) for role in ("forget", "holdout"))
    if gates.membership is not None:
        if not holdout:
            yield _lacks("membership", "without a holdout there is nothing to tell from", "holdout")
        elif shared:
            what = f"the {holdout} holdout examples set the level in training and cannot judge it"
            yield _lacks("membership", what, "holdout", f" of {FEW} or more")
        elif forget and (smallest_auc(forget, holdout) or 1.0) > SEES:
            yield _lacks("membership", few(forget, holdout), "holdout", " with more")
    if gates.retain is not None and not (groups.get("retain") or others):
        yield _lacks("retain", "no group is given that should stay", "retain")
    if gates.holdout is not None and not holdout:
        yield _lacks("holdout", "there is none", "holdout")
    if gates.earlier is not None and not any(map(is_earlier, groups)):
        what = "no earlier request's records are at hand"
        hint = f"give --after the folder of an earlier result, or {_off('earlier')}"
        yield Problem("gates.earlier", what, hint, "request")
    if gates.fluency is not None and not any(
        example.answer_turn is not None for group in groups.values() for example in group
    ):
        yield Problem(
            "gates.fluency", "raw texts have no question to ask", _off("fluency"), "request"
        )


def few(forget: int, holdout: int) -> str:
    """That so many examples show no membership, in words.

    Example:
        >>> few(6, 6)
        '6 forget and 6 holdout answers show no AUC below 0.99 (a test should see 0.9)'
    """
    seen = smallest_auc(forget, holdout) or 1.0
    return (
        f"{forget} forget and {holdout} holdout answers show no AUC below {seen:.2f} (a test "
        f"should see {SEES:g})"
    )


def _lacks(gate: str, what: str, flag: str, more: str = "") -> Problem:
    return Problem(f"gates.{gate}", what, f"give --{flag} a file{more}, or {_off(gate)}", "request")


def _off(gate: str) -> str:
    return f"leave that gate out (--gates default,{gate}=none; of a file, its line)"
