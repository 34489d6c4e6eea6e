"""Restrict a checked request to the half of every file that a search may read."""

from dataclasses import replace

from unteach.checks.request import CheckedRequest
from unteach.data.calibration import calibrating_half
from unteach.types import Example, Sequence


def searched(intake: CheckedRequest) -> CheckedRequest:
    """Return the request with the examples that the confirming run does not judge by.

    Training and judging both use them alone. Of the holdout it is the half that calibrates the
    confirming run, of which one half calibrates here and the other judges.

    Args:
        intake: of a request whose `evaluate.half` is "second".
    """
    judging = {role: _ids(examples) for role, examples in intake.groups.items()}
    groups = {
        role: [example for example in examples if example.id not in judging[role]]
        for role, examples in intake.whole.items()
    }
    chosen = {role: _ids(examples) for role, examples in groups.items()}
    sequences = {
        role: _of(intake.sequences[role], chosen[role])
        for role in ("forget", "retain")
        if role in groups
    }
    calibration = intake.calibration
    if "holdout" in groups:
        sequences["holdout"] = intake.calibration
        calibration, _ = calibrating_half(groups, sequences)
    level = {sequence.id.partition("/")[0] for sequence in calibration}
    forms = {
        role: _of(made, level if role == "holdout" else chosen.get(role, set()))
        for role, made in intake.forms.items()
    }
    formed = [e for e in intake.formed if _example(e.id) in chosen["forget"]]
    return replace(
        intake,
        groups=groups,
        sequences=sequences,
        calibration=calibration,
        forms=forms,
        formed=formed,
        whole={},
    )


def _ids(examples: list[Example]) -> set[str]:
    return {example.id for example in examples}


def _of(sequences: list[Sequence], ids: set[str]) -> list[Sequence]:
    return [sequence for sequence in sequences if _example(sequence.id) in ids]


def _example(name: str) -> str:
    """Return the id of the example that a window or another wording belongs to.

    Example:
        >>> _example("forget-3/2"), _example("forget-3+1"), _example("forget-3")
        ('forget-3', 'forget-3', 'forget-3')
    """
    return name.partition("/")[0].partition("+")[0]
