"""What sets the level is not what judges."""

from unteach.data.calibration import FEW, calibrating_half
from unteach.types import Example, Sequence


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


def by_subject(subjects):
    examples = [
        Example(id=f"holdout-{k}", where="h", kind="text", text="x", subject=names)
        for k, names in enumerate(subjects)
    ]
    made = [Sequence(e.id, (1, 2), (False, True)) for e in examples]
    groups, sequences = {"holdout": examples}, {"holdout": made}
    found, notes = calibrating_half(groups, sequences)
    assert {s.id for s in sequences["holdout"]} == {e.id for e in groups["holdout"]}
    assert "Ada" not in str(notes)
    return [int(s.id.split("-")[1]) for s in found], notes


def test_where_the_data_name_subjects_none_is_in_both_halves():
    people = [("Ada",), ("Bo",), ("Cy",), ("Di",)]
    assert by_subject(people * 5)[0] == [k for k in range(20) if k % 4 < 2]
    joined = [("Ada",), ("Bo",), ("Cy",), ("bo", "Cy")]  # Bo and Cy are one, so Ada is alone
    assert by_subject(joined * 5)[0] == [k for k in range(20) if k % 4 == 0]
    assert by_subject([(), *[("Ada",)] * 9, *[("Bo",)] * 10])[0] == list(range(10))


def test_one_subject_alone_is_split_in_the_files_order():
    assert by_subject([("Ada",)] * 20)[0] == list(range(10))
    assert by_subject([("Ada",)] * 18 + [("Bo",)] * 2)[0] == list(range(10))
