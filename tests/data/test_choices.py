"""Answers that are one of several: by number, letter or text."""

import pytest

from unteach.data import read_rows
from unteach.errors import UserError

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
        "option_a": "Lund", "option_b": "Oslo", "option_c": "Rome", "answer": "b"},
    "objects with an id out of order": {
        "choices": [{"id": n, "text": t} for n, t in [("C", "Lund"), ("A", "Oslo"), ("B", "Rome")]],
        "answerKey": "A"},
    "medqa": {"options": [{"key": n, "value": t} for n, t in LETTERED.items()], "answer_idx": "B"},
    "lists with labels": {"choices": {"text": TOWNS, "labels": ["C", "A", "B"]}, "answerKey": "A"},
    "a number for each column": {
        "option1": "Lund", "option2": "Oslo", "option3": "Rome", "answer": "2"},
    "a number for each column, from 0": {
        "choice_0": "Lund", "choice_1": "Oslo", "choice_2": "Rome", "answer": 1},
    "columns in capitals": {
        "Option A": "Lund", "Option B": "Oslo", "Option C": "Rome", "answer": "B"},
    "medmcqa's columns": {"opa": "Lund", "opb": "Oslo", "opc": "Rome", "answer": "b"},
    "two statements that agree": {"choices": TOWNS, "answerKey": "B", "answer_idx": 1},
    "choices and options alike": {"choices": TOWNS, "options": LETTERED, "answer": "B"},
    "as JSON text": {"choices": '["Lund", "Oslo", "Rome"]', "answer": "B"},
}  # fmt: skip


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
        {"choices": ["B", "A", "C"], "answer": "A"}, "answer may be one or another of the choices"),
    "choices that are none": ({"choices": [1, 2], "answer": 0}, "choices is no list of texts"),
    "options that are none": ({"options": [3, 4, 5], "answer": "B"}, "options is no list of texts"),
    "an empty option": ({"options": ["x", "", "z"], "answer": "C"}, "options is no list of texts"),
    "options in a text": (
        {"options": "A) Lund B) Oslo", "answerKey": "B"}, "options is no list of texts"),
    "options as Python writes them": (
        {"options": "['Lund', 'Oslo']", "answer": "B"}, "options is no list of texts"),
    "options as NumPy writes them": (
        {"options": "['Lund' 'Oslo']", "answer": "Lund"}, "options is no list of texts"),
    "no options at all": ({"options": "", "answerKey": "B"}, "options is empty"),
    "choices that say more": (
        {"choices": [{"text": t, "correct": t == "Oslo"} for t in TOWNS], "answer": "A"},
        "choices is no list of texts"),
    "two names of a choice": (
        {"choices": [{"text": "a", "id": "A", "label": "B"}], "answer": "A"},
        "choices is no list of texts"),
    "one name for two choices": (
        {"choices": {"text": TOWNS, "labels": [0, 1, 0]}, "answerKey": 1},
        "choices is no list of texts"),
    "a number under letters": (
        {"A": "Lund", "B": "Oslo", "C": "Rome", "answer": "2"}, "answer is none of the 3 columns"),
    "a whole number under letters": (
        {"option_a": "Lund", "option_b": "Oslo", "answer": 1}, "answer is none of the 2 columns"),
    "a letter under numbers": (
        {"option1": "Lund", "option2": "Oslo", "answer": "B"}, "answer is none of the 2 columns"),
    "columns of numbers": (
        {"option_a": 3, "option_b": 4, "answer": "B"},
        "option_a and the columns like it are no texts"),
    "a text and a letter that differ": (
        {"options": LETTERED, "answer": "Lund", "answer_idx": "B"},
        "answer and answer_idx name different choices"),
    "a letter and a number that differ": (
        {"choices": TOWNS, "answerKey": "A", "answer_idx": 1},
        "answerKey and answer_idx name different choices"),
    "choices and options that differ": (
        {"choices": TOWNS, "options": TOWNS[::-1], "answer": "A"}, "choices and options differ"),
    "a number without choices": ({"answer": 0, "mc": TOWNS}, "answer is a number"),
}  # fmt: skip


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


def test_a_number_is_an_answer_where_the_columns_are_no_choices():
    assert one(a=3, b=4, answer="7").answer == "7"
    assert one(A="Lund", answer="A").answer == "A"
    assert one(options=None, answer="7").answer == "7"


def test_answers_as_python_writes_them_are_refused():
    for answers in ("['Lund']", "{'text': ['Lund'], 'answer_start': [3]}", "['Lund' 'Lund city']"):
        with pytest.raises(UserError) as caught:
            one(answers=answers)
        (problem,) = caught.value.problems
        assert problem.what == "answers is a list as Python writes it"
        assert "write JSON text" in problem.hint
    assert one(answers='["Lund", "Lund city"]').answer == "Lund"
    assert one(answers="[sic] Lund").answer == "[sic] Lund"


def test_an_answer_that_looks_like_a_list_is_left_as_it_is():
    assert one(answer='["Lund", "Oslo"]').answer == '["Lund", "Oslo"]'
    assert one(answer="A").answer == "A"
