"""Count the examples of a group, and measure their lengths in tokens."""

from statistics import median

from unteach.types import Example, Sequence


def describe(examples: list[Example], sequences: list[Sequence]) -> dict[str, float]:
    """Count examples and sequences, and the tokens per sequence.

    Returns:
        examples, sequences, answer_tokens (in total), median and longest (tokens of a sequence,
        prompt included; 0 without sequences), and cut (answer tokens beyond the context length).

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
