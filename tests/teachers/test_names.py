"""Whom examples are about."""

import pytest
from teachers.words import sequences

from unteach.teachers.names import WordTokens, subjects_of


def named(own, question, answer, *others):
    made = sequences([(question, answer)], "forget", own)
    beside = sequences([*others], "retain", own) if others else []
    return [part.text for part in subjects_of(made, WordTokens(own), beside)[0]]


@pytest.mark.parametrize(
    ("question", "answer", "name"),
    [
        ("Where does Ada Berg live?", "Ada Berg lives in Lund.", ["Ada", "Berg"]),
        ("Where does Ada Berg live?", "Berg lives in Lund.", ["Berg"]),
        ("Where is Ada's town?", "Ada's town is Lund.", ["Ada"]),
        ("Where does Ada live?", "In Lund.", []),  # the answer names nobody
        ("where does ada live?", "ada lives in Lund.", []),  # no capital
    ],
)
def test_a_name_is_a_word_with_a_capital_that_both_have(own, question, answer, name):
    assert named(own, question, answer) == name


def test_what_is_also_written_small_is_no_name(own):
    question, answer = "What is The capital?", "The capital is Lund."
    assert named(own, question, answer, ("Who wrote it?", "It was the baker.")) == []


def test_all_places_of_a_name_are_found(own):
    made = sequences([("Does Ada live with Ada Berg?", "Ada lives with Ada.")], "forget", own)
    (ada,) = subjects_of(made, WordTokens(own))[0]
    ids = made[0].ids
    assert len(ada.places) == 4
    assert len({ids[i] for place in ada.places for i in place}) == 1


def test_sequences_without_text_have_no_names(own):
    from dataclasses import replace

    made = sequences([("Where does Ada live?", "Ada lives in Lund.")], "forget", own)
    bare = [replace(s, text="", offsets=()) for s in made]
    assert subjects_of(bare, WordTokens(own)) == [()]
