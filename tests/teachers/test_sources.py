"""The three sources of a teacher."""

from dataclasses import replace

import pytest
from teachers.words import sequences

from unteach.teachers import TEACHERS, TeacherInputs, Unavailable, find_teacher
from unteach.teachers.holdout import MOST, at_holdout_level, level_auc
from unteach.teachers.stranger import made_up_strangers

FORGET = [
    ("Where does Ada Berg live?", "Ada Berg lives in Lund."),
    ("What does Ada Berg do?", "Ada Berg is a baker."),
    ("Where does Bo Holm live?", "Bo Holm lives in Lund."),
]
OTHERS = [("Where does Cy Lang live?", "Cy Lang lives in Lund."), ("What does Di Ek do?", "Di Ek.")]
NAMELESS = ("Who wrote it?", "It was written.")


def inputs(own, forget=FORGET, holdout=(), retain=(), level=-1.0, **more) -> TeacherInputs:
    """A model that gives every answer token the same log-probability."""
    return TeacherInputs(
        forget=sequences(list(forget), "forget", own),
        retain=sequences(list(retain), "retain", own),
        holdout=sequences(list(holdout), "holdout", own),
        tokenizer=own,
        logps=lambda found: [[level] * sum(s.answer) for s in found],
        **more,
    )


def test_the_sources_are_found_by_themselves():
    assert sorted(TEACHERS) == ["base", "level", "stranger"]


def test_a_stranger_has_the_place_of_the_subject_token_for_token(own):
    given = inputs(own, holdout=OTHERS)
    found = find_teacher("stranger", given)
    for before, after in zip(given.forget, found.sequences, strict=True):
        assert len(after.ids) == len(before.ids)
        changed = {(a, b) for a, b in zip(before.ids, after.ids, strict=True) if a != b}
        assert changed
        assert changed == set(found.pairs[given.forget.index(before)])
        assert after.answer == before.answer
    text = own.decode(found.sequences[0].ids)
    assert "Ada" not in text
    assert "Berg" not in text
    assert "live" in text


def test_one_subject_has_one_stranger(own):
    found = find_teacher("stranger", inputs(own, holdout=OTHERS))
    assert set(found.pairs[0]) == set(found.pairs[1])
    assert set(found.pairs[0]) != set(found.pairs[2])


def test_no_stranger_is_somebody_of_a_file(own):
    people = {("Ada", "Berg"), ("Bo", "Holm"), ("Cy", "Lang"), ("Di", "Ek")}
    for seed in range(20):
        found = find_teacher("stranger", inputs(own, holdout=OTHERS, seed=seed))
        words = own.decode(found.sequences[0].ids).split()
        name = tuple(words[words.index("live?") - 2 : words.index("live?")])
        assert name not in people, seed


def test_another_seed_draws_another_stranger(own):
    drawn = {
        find_teacher("stranger", inputs(own, holdout=OTHERS, seed=s)).pairs[0] for s in range(9)
    }
    assert len(drawn) > 1


def test_one_subject_alone_gets_a_name_of_our_list(own):
    found = find_teacher("stranger", inputs(own, forget=FORGET[:2]))
    assert all(found.pairs)


def test_an_answer_without_a_name_is_no_likelier_than_the_others_mean(own):
    given = inputs(own, forget=[*FORGET, NAMELESS], holdout=OTHERS)
    likely = replace(
        given,
        logps=lambda found: [[-0.1 if s.id == "forget-3" else -2.0] * sum(s.answer) for s in found],
        tolerance=1.0,
    )
    found = find_teacher("stranger", likely)
    assert found.targets[3] == [pytest.approx(-2.0)] * len(found.targets[3])
    assert found.set_level == [False, False, False, True]
    assert found.facts["teacher_without_name"] == 1


def test_a_teacher_that_still_knows_is_brought_to_the_holdouts_level(own):
    """Unique questions: the question itself recalls the answer, whoever is named."""
    given = inputs(own, holdout=OTHERS * 4)
    knows = replace(
        given,
        logps=lambda found: [
            [-0.01 if s.id.startswith("forget") else -2.0] * sum(s.answer) for s in found
        ],
    )
    found = find_teacher("stranger", knows)
    assert found.facts["teacher_auc"] == 1.0
    assert all(found.set_level)
    assert all(sum(t) / len(t) == pytest.approx(-2.0, abs=1e-6) for t in found.targets)


def test_where_nobody_is_named_there_is_no_stranger(own):
    with pytest.raises(Unavailable, match="no name"):
        find_teacher("stranger", inputs(own, forget=[NAMELESS]))


def test_auto_takes_the_first_that_the_data_allow(own):
    base = inputs(own, base_logps=lambda found: [[-3.0] * sum(s.answer) for s in found])
    assert find_teacher("auto", base).source == "base"
    assert find_teacher("auto", base).targets[0][0] == -3.0
    assert find_teacher("auto", inputs(own)).source == "stranger"
    nameless = inputs(own, forget=[NAMELESS], holdout=[NAMELESS] * 8)
    assert find_teacher("auto", nameless).source == "level"
    with pytest.raises(Unavailable, match=r"base: .*; stranger: .*; level: "):
        find_teacher("auto", inputs(own, forget=[NAMELESS]))


def test_made_up_strangers_are_about_others_and_nothing_else_changes(own):
    given = inputs(own)
    made = made_up_strangers(given, 4)
    assert len(made) == 12
    assert len({s.id for s in made}) == 12
    assert len({s.ids for s in made}) > 6
    assert not {s.ids for s in made} & {s.ids for s in given.forget}
    assert made_up_strangers(inputs(own, forget=[NAMELESS]), 4) == []


def test_levels_have_the_holdouts_distribution():
    known = [[-0.001 * (k + 1), -0.002] for k in range(9)]
    held = [[-1.0 - k / 4] for k in range(9)]
    found = at_holdout_level(known, held)
    assert sorted(sum(t) / len(t) for t in found) == pytest.approx([-3.0 + k / 4 for k in range(9)])
    assert level_auc(found, held) == pytest.approx(0.5, abs=1 / 18)
    ratio = found[0][0] / found[0][1]
    assert ratio == pytest.approx(known[0][0] / known[0][1])


def test_no_token_is_lowered_without_end():
    (found,) = at_holdout_level([[-1e-9, -5.0]], [[-8.0]])
    assert min(found) >= -MOST
