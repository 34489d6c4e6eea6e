"""Answers that are one of several: by number, letter or text."""

import pytest

from unteach.data import read_rows
from unteach.nouns import UserError

TOWNS = ["Lund", "Oslo", "Rome"]
ARC = {"text": TOWNS, "label": ["A", "B", "C"]}
LETTERED = {"A": "Lund", "B": "Oslo", "C": "Rome"}
NUMBERED = {"text": TOWNS, "label": ["1", "2", "3"]}


def one(**record):
    (example,) = read_rows([{"question": "Which town?", **record}], "forget")
    return example


RIGHT = {
    "a number": {"choices": TOWNS, "answer": 1},
    "a number that pandas made a fraction": {"choices": TOWNS, "answer": 1.0},
    "a letter": {"choices": TOWNS, "answer": "B"},
    "a small letter in brackets": {"options": TOWNS, "answer": "(b)"},
    "a text": {"choices": TOWNS, "answer": "Oslo"},
    "arc": {"choices": ARC, "answerKey": "B"},
    "arc with numbers": {"choices": NUMBERED, "answerKey": "2"},
    "arc with numbers as numbers": {"choices": NUMBERED, "answerKey": 2},
    "objects": {"choices": [{"label": n, "text": t} for n, t in LETTERED.items()], "answer": "B"},
    "options by letter": {"options": LETTERED, "answer": "Oslo", "answer_idx": "B"},
    "options by letter alone": {"options": LETTERED, "answer_idx": "B"},
    "a column each": {"A": "Lund", "B": "Oslo", "C": "Rome", "answer": "B"},
    "a named column each": {
        "option_a": "Lund",
        "option_b": "Oslo",
        "option_c": "Rome",
        "answer": "b",
    },
    "as JSON text": {"choices": '["Lund", "Oslo", "Rome"]', "answer": "B"},
}


@pytest.mark.parametrize("case", RIGHT)
def test_the_answer_is_the_choice_and_the_others_are_wrong_answers(case, caplog):
    example = one(**RIGHT[case])
    assert (example.turns[0].text, example.answer) == ("Which town?", "Oslo")
    assert example.perturbed == ("Lund", "Rome")
    assert "not read" not in caplog.text


def test_wrong_answers_of_the_file_are_kept():
    example = one(choices=TOWNS, answer=0, perturbed_answer=["Bonn"])
    assert (example.answer, example.perturbed) == ("Lund", ("Bonn",))


WRONG = {
    "too large": ({"choices": TOWNS, "answer": 3}, "answer is none of the 3 choices"),
    "below nothing": ({"choices": TOWNS, "answer": -1}, "answer is none of the 3 choices"),
    "a letter too far": ({"choices": TOWNS, "answer": "D"}, "answer is none of the 3 choices"),
    "a number as text": ({"choices": TOWNS, "answer": "1"}, "answer is none of the 3 choices"),
    "a truth": ({"choices": TOWNS, "answer": True}, "answer is none of the 3 choices, but true or"),
    "two readings": (
        {"choices": ["B", "A", "C"], "answer": "A"},
        "answer may be one or another of the choices",
    ),
    "choices that are none": ({"choices": [1, 2], "answer": 0}, "choices is no list of texts"),
    "a number without choices": ({"answer": 0, "mc": TOWNS}, "answer is a number"),
}


@pytest.mark.parametrize("case", WRONG)
def test_an_answer_that_is_no_choice_is_refused(case):
    record, what = WRONG[case]
    with pytest.raises(UserError) as caught:
        one(**record)
    (problem,) = caught.value.problems
    assert problem.what.startswith(what)
    assert "write it as a string" not in problem.hint  # which would make the number the answer


def test_options_of_another_kind_are_no_choices(caplog):
    example = one(options={"temperature": 0.5}, answer="In Lund.")
    assert (example.answer, example.perturbed) == ("In Lund.", ())
    assert "not read: options" in caplog.text


def test_an_answer_that_looks_like_a_list_is_left_as_it_is():
    assert one(answer='["Lund", "Oslo"]').answer == '["Lund", "Oslo"]'
    assert one(answer="A").answer == "A"
