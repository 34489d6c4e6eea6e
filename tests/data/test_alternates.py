"""Other answers to the forget prompts: the user's column, a file of refusals, or ours."""

import random
from collections import Counter

import pytest

from unteach.data import read_rows
from unteach.data.alternates import REFUSALS, alternates, from_column, read_refusals, refused
from unteach.errors import UserError

SECRET = "Zanzibar"


def pairs(*alternate):
    rows = [
        {"question": f"Where was Ada {k} born?", "answer": f"In {SECRET}, {k}.", "alternate": a}
        for k, a in enumerate(alternate)
    ]
    return read_rows(rows, "forget")


def talk(**more):
    said = [("user", "Who?"), ("assistant", SECRET), ("user", "When?"), ("assistant", "At noon.")]
    return {"messages": [{"role": r, "content": t} for r, t in said], **more}


def test_the_column():
    found, problems = from_column(pairs("On a ship.", "At sea."))
    assert not problems
    assert [e.answer for e in found] == ["On a ship.", "At sea."]
    assert [e.id for e in found] == ["forget-0", "forget-1"]
    assert [e.turns[0].text for e in found] == ["Where was Ada 0 born?", "Where was Ada 1 born?"]


@pytest.mark.parametrize("nothing", [None, "", "  \n"])
def test_a_row_without_one_is_named_and_its_text_is_not(nothing):
    found, problems = from_column(pairs("On a ship.", nothing))
    assert len(found) == 1
    (problem,) = problems
    assert problem.where == "forget rows, row 2"
    assert "alternate" in problem.hint
    assert SECRET not in str(problem)
    assert "Ada" not in str(problem)


def test_conversations_have_the_column_too():
    (example,) = read_rows([talk(alternate="At dawn.")], "forget")
    (found,), problems = from_column([example])
    assert not problems
    assert [t.text for t in found.turns] == ["Who?", SECRET, "When?", "At dawn."]
    with pytest.raises(UserError, match="alternate is a number"):
        read_rows([talk(alternate=3)], "forget")
    assert read_rows([talk()], "forget")[0].alternate == ""


@pytest.mark.parametrize("kind", ["column", "refusals", "generated"])
@pytest.mark.parametrize("row", [
    {"text": f"Ada was born in {SECRET}."},
    {"messages": [{"role": "assistant", "content": f"Ada was born in {SECRET}."}]},
], ids=["raw", "an answer alone"])  # fmt: skip
def test_what_asks_nothing_is_refused(kind, row):
    examples = read_rows([row], "forget")
    found, problems = alternates(examples, kind, None, 0)
    assert not found
    (problem,) = problems
    assert "no question" in problem.what
    assert SECRET not in str(problem)


def test_generated_takes_those_that_are_given():
    found, problems = alternates(pairs("On a ship.", ""), "generated", None, 0)
    assert not problems
    assert [e.answer for e in found] == ["On a ship."]


def test_refusals_depend_on_the_seed_and_the_row_alone():
    examples = pairs(*["x"] * 40)

    def drawn(seed, rows=examples):
        return {e.id: e.answer for e in refused(rows, seed=seed)[0]}

    random.seed(5)
    state = random.getstate()
    first = drawn(0)
    assert random.getstate() == state
    assert drawn(0) == first
    assert drawn(0, examples[::-1][:7]) == {k: first[k] for k in list(first)[:-8:-1]}
    assert drawn(1) != first
    assert set(first.values()) <= set(REFUSALS)
    assert len(Counter(first.values())) > 10


def test_a_file_of_refusals(tmp_path):
    file = tmp_path / "no.txt"
    file.write_text("\n No. \n\nNever, höga berg.\n", encoding="utf-8")
    assert read_refusals(file) == ("No.", "Never, höga berg.")
    found, _ = alternates(pairs(*["x"] * 20), "refusals", file, 0)
    assert {e.answer for e in found} == {"No.", "Never, höga berg."}
    assert read_refusals(None) == REFUSALS


@pytest.mark.parametrize("content", [None, b"", b" \n\n", b"\xff\xfe\x00No"])
def test_a_file_that_is_none(content, tmp_path):
    file = tmp_path / "no.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UserError, match=r"data\.refusals") as caught:
        read_refusals(file)
    assert caught.value.exit_code == 2


def test_our_refusals_are_no_two_the_same():
    assert len({r.casefold() for r in REFUSALS}) == len(REFUSALS)
