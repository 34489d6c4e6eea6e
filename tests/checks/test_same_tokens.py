"""An earlier request whose answers have other lengths by now is left out, and its group goes."""

from pathlib import Path

import pytest

from unteach.checks.earlier import EarlierData, same_tokens
from unteach.metrics.earlier import EarlierRequest
from unteach.types import Example, Sequence

CUT = (512, "auto")
NOW = [
    Sequence("earlier1-0", (5, 6, 7), (False, True, True)),
    Sequence("earlier1-0/2", (7, 8), (False, True)),
]
EXAMPLE = Example(id="earlier1-0", where="", kind="text", text="Ada lives in Lund.")


@pytest.mark.parametrize(
    ("tokens", "cut", "kept"), [(3, CUT, True), (2, CUT, False), (2, (256, "auto"), True)]
)
def test_lengths_are_compared_where_texts_were_cut_alike(tokens, cut, kept):
    request = EarlierRequest(name="first", group="earlier1")
    one = EarlierData(
        request=request,
        folder=Path(),
        source="",
        examples=(EXAMPLE,),
        tokens={"earlier1-0": tokens},
        cut=cut,
    )
    groups, sequences = {"earlier1": [EXAMPLE]}, {"earlier1": NOW}
    (found,) = same_tokens((one,), groups, sequences, CUT)
    assert bool(found.examples) == ("earlier1" in groups) == ("earlier1" in sequences) == kept
    assert (found.request.not_asked == "") == kept
