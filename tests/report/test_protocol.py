"""How a score moves over several requests."""

from unteach.report.protocol import HEADER, protocol
from unteach.types import Score


def test_the_table_of_three_models_by_hand():
    """0.6, 0.5, 0.2, each +- 0.1: changes +- hypot(0.1, 0.1) = 0.141.

    Since the original -0.1 and -0.4, since the one before -0.1 and -0.3; the first may be chance.
    """
    scores = [Score(p, 10, p - 0.1, p + 0.1) for p in (0.6, 0.5, 0.2)]
    table = protocol(list(zip(("original", "request 1", "request 2"), scores, strict=True)))
    near = "-0.10 (-0.24 to 0.04), may be chance"
    assert table == [
        HEADER,
        ["original", "0.60 (0.50 to 0.70)", "-", "-"],
        ["request 1", "0.50 (0.40 to 0.60)", near, near],
        [
            "request 2",
            "0.20 (0.10 to 0.30)",
            "-0.40 (-0.54 to -0.26)",
            "-0.30 (-0.44 to -0.16)",
        ],
    ]


def test_nothing_moves_from_or_to_what_is_not_measurable():
    unknown = Score(None, note="why")
    table = protocol([("a", Score(0.5)), ("b", unknown), ("c", Score(0.25))])
    assert table[1:] == [
        ["a", "0.50", "-", "-"],
        ["b", "-", "-", "-"],
        ["c", "0.25", "-0.25", "-"],
    ]
    assert protocol([]) == [HEADER]
