"""What sets the level is not what judges."""

from unteach.data.calibration import FEW, calibrating_half
from unteach.nouns import Example, Sequence


def halves(count):
    examples = [
        Example(id=f"holdout-{k}", where="h", kind="text", text="x") for k in range(1, count + 1)
    ]
    made = [Sequence(e.id, (1, 2), (False, True)) for e in examples]
    made.append(Sequence(f"{examples[0].id}/2", (1, 2), (False, True)))  # a window of the first
    groups, sequences = {"holdout": examples}, {"holdout": made}
    found, notes = calibrating_half(groups, sequences)
    return {s.id.split("/")[0] for s in found}, {e.id for e in groups["holdout"]}, sequences, notes


def test_the_first_half_calibrates_and_the_other_judges():
    calibrating, judging, sequences, notes = halves(FEW)
    assert len(calibrating) == len(judging) == FEW // 2
    assert not calibrating & judging
    assert {s.id.split("/")[0] for s in sequences["holdout"]} == judging
    assert notes[0].kind == "note"


def test_too_few_do_both_and_the_note_says_so():
    calibrating, judging, _, notes = halves(FEW - 1)
    assert calibrating == judging
    assert "judge" in notes[0].what
