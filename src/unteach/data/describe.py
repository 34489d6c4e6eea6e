"""How many examples a group has, and how long they are."""

from statistics import median

from unteach.types import Example, Sequence


def describe(examples: list[Example], sequences: list[Sequence]) -> dict[str, float]:
    """Counts of examples and sequences, and of tokens per sequence.

    Returns:
        examples, sequences, answer_tokens (all of them), median and longest (tokens of a
        sequence, prompt included; 0 where there is none), and cut (answer tokens lost to the
        context length).

    Example:
        >>> describe([], [Sequence("forget-0", (5, 6, 7), (False, True, True), cut=4)])["longest"]
        3
    """
    lengths = [len(sequence.ids) for sequence in sequences]
    return {
        "examples": len(examples),
        "sequences": len(sequences),
        "answer_tokens": sum(sum(sequence.answer) for sequence in sequences),
        "median": median(lengths) if lengths else 0,
        "longest": max(lengths, default=0),
        "cut": sum(sequence.cut for sequence in sequences),
    }
