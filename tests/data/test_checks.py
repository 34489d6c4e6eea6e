"""What is wrong between examples, and with a tokenizer."""

import copy

import pytest

from unteach.data import check_data, check_tokenizer, read_rows


def rows(role, *pairs):
    return read_rows([{"question": q, "answer": a} for q, a in pairs], role)


def test_nothing_wrong():
    groups = {"forget": rows("forget", ("a", "b")), "retain": rows("retain", ("d", "c"))}
    assert check_data(groups) == []


def test_another_answer_in_retain_is_noted():
    retain = rows("retain", ("Where is she?", "In Oslo."))
    forget = rows("forget", ("where is she", "In Lund."), ("Where was she?", "In Lund."))
    (problem,) = check_data({"forget": forget, "retain": retain})
    assert problem.where == "forget rows, row 1"
    assert "another answer in retain, retain rows, row 1" in problem.what
    assert problem.kind == "note"


def test_a_prompt_before_several_answers_is_no_question():
    groups = {"forget": rows("forget", ("Go on.", "a"), ("Go on.", "b"))}
    assert check_data(groups | {"retain": rows("retain", ("Go on.", "c"))}) == []
    texts = read_rows([{"text": "a"}], "forget"), read_rows([{"text": "b"}], "retain")
    assert check_data(dict(zip(("forget", "retain"), texts, strict=True))) == []


@pytest.mark.parametrize(
    ("second", "what"),
    [
        (("Who?", "Ada."), "stands there twice, first at forget rows, row 1"),
        (("who", "ADA"), "twice but for case and punctuation"),
    ],
)
def test_duplicates_are_noted(second, what):
    (problem,) = check_data({"forget": rows("forget", ("Who?", "Ada."), second)})
    assert what in problem.what
    assert problem.where == "forget rows, row 2"
    assert problem.kind == "note"


@pytest.mark.parametrize("role", ["retain", "holdout"])
@pytest.mark.parametrize(
    ("second", "how"), [(("Who?", "Ada."), ""), ((" who ", "\uff21da!"), "but for case")]
)
def test_forget_examples_elsewhere_are_errors_with_both_places(role, second, how):
    groups = {"forget": rows("forget", ("Who?", "Ada.")), role: rows(role, ("x", "y"), second)}
    (problem,) = check_data(groups)
    assert problem.where == "forget rows, row 1"
    assert f"also stands in {role}, {role} rows, row 2" in problem.what
    assert how in problem.what
    assert problem.kind == "data"


def test_signs_alone_are_not_all_the_same():
    assert check_data({"forget": rows("forget", ("?", "!"), ("...", "--"))}) == []


def test_many_overlaps_are_counted():
    pairs = [(f"q{k}", "a") for k in range(9)]
    problems = check_data({"forget": rows("forget", *pairs), "retain": rows("retain", *pairs)})
    assert len(problems) == 6
    assert "4 more like this" in problems[-1].what


def test_tokenizer_without_eos(tokenizer):
    mute = copy.deepcopy(tokenizer)
    mute.eos_token = None
    (problem,) = check_tokenizer(mute, {}, "auto")
    assert "has no eos token" in problem.what


def test_chat_templates(tokenizer, chat_tokenizer):
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    groups = {"forget": read_rows([{"messages": talk}], "forget")}
    (note,) = check_tokenizer(tokenizer, groups, "auto")
    assert note.kind == "note"
    assert "Question: and Answer:" in note.what
    (problem,) = check_tokenizer(tokenizer, groups, "chat")
    assert problem.kind == "request"
    assert check_tokenizer(chat_tokenizer, groups, "auto") == []


@pytest.mark.parametrize(
    ("one", "other"),
    [("1.5", "15"), ("C", "C++"), ("C", "C#"), ("5", "5%"), ("new york", "newyork")],
)
def test_signs_that_change_what_is_said_are_no_overlap(one, other):
    groups = {
        "forget": rows("forget", ("Which?", one)),
        "retain": rows("retain", ("Which?", other)),
    }
    assert not [problem for problem in check_data(groups) if "also stands" in problem.what]


def test_holdout_examples_that_are_retained_are_noted():
    same = ("Who?", "Ada.")
    groups = {"forget": [], "retain": rows("retain", same), "holdout": rows("holdout", same)}
    (note,) = check_data(groups)
    assert note.where == "retain rows, row 1"
    assert "also stands in holdout, holdout rows, row 1" in note.what
    assert note.kind == "note"
