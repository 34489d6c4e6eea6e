"""Note a holdout of which few persons set the level in training."""

from typing import Any

from unteach.checks.persons import by_names, by_subject
from unteach.errors import Problem
from unteach.types import Example, Sequence

FEW = 5


def few_persons(
    holdout: list[Example], calibration: list[Sequence], tokenizer: Any
) -> list[Problem]:
    """Return a note if the holdout examples that set levels are about fewer people than `FEW`.

    Answers about one person are alike in how likely they are, so that a few people may have a level
    far from that of others: one that is right for them and wrong for the forget set.

    Args:
        holdout: all holdout examples.
        calibration: the tokenised ones that set levels.
        tokenizer: of the model.
    """
    ids = {sequence.id.partition("/")[0] for sequence in calibration}
    found = by_subject([e for e in holdout if e.id in ids]) or by_names(calibration, tokenizer)
    if found is None or found.count >= FEW or found.count == len(found.of):  # one example each
        return []
    people = "one person" if found.count == 1 else f"{found.count} people"
    what = (
        f"the {len(ids)} examples that set the level in training are about {people}, and answers "
        "about others may be far more or far less likely"
    )
    return [Problem("--holdout", what, f"give examples about {2 * FEW} people or more", "note")]
