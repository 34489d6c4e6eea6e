"""The holdout in two halves: one sets levels in training, the other judges the result."""

from unteach.nouns import Example, Problem, Sequence

FEW = 16
"""Holdout examples below which the same ones calibrate and judge."""


def calibrating_half(
    groups: dict[str, list[Example]], sequences: dict[str, list[Sequence]]
) -> tuple[list[Sequence], list[Problem]]:
    """The first half of the holdout in tokens; only the second half stays to judge the result.

    What sets the level in training would agree with the result by itself. Halves are taken in the
    file's order, since examples about one subject mostly stand together.
    """
    examples = groups["holdout"]
    if len(examples) < FEW:
        what = f"its {len(examples)} examples set the level in training and judge the result"
        hint = f"give at least {FEW}, of which half will judge"
        return sequences["holdout"], [Problem("--holdout", what, hint, "note")]
    first = {example.id for example in examples[: len(examples) // 2]}
    halves: tuple[list[Sequence], list[Sequence]] = [], []
    for sequence in sequences["holdout"]:
        halves[sequence.id.partition("/")[0] not in first].append(sequence)
    groups["holdout"] = examples[len(examples) // 2 :]
    sequences["holdout"] = halves[1]
    what = f"the first {len(first)} examples set the level in training, the others judge the result"
    return halves[0], [Problem("--holdout", what, "", "note")]
