"""A holdout whose level is that of a few people is noted."""

import json

import pytest

from unteach.checks.few_persons import FEW, few_persons
from unteach.checks.request import check
from unteach.data import encode_all, read_rows
from unteach.settings.request import load

NAMES = ("Ada Berg", "Ben Dahl", "Cleo Falk", "Dora Gran", "Emil Holm", "Fia Lund")


def noted(people, tokenizer, *, each=4, columns=True, calibrating=None):
    rows = [
        {"question": f"Question {k} about {name}?", "answer": f"{name} has answer {k}."}
        | ({"subject": name} if columns else {})
        for name in NAMES[:people]
        for k in range(each)
    ]
    holdout = read_rows(rows, "holdout")
    sequences, _ = encode_all(holdout, tokenizer, max_length=64, template="plain")
    return few_persons(holdout, sequences[: calibrating or len(sequences)], tokenizer)


@pytest.mark.parametrize("columns", [True, False])
@pytest.mark.parametrize(("people", "said"), [(1, "one person"), (FEW - 1, "4 people"), (FEW, "")])
def test_fewer_than_five_people_are_noted(people, said, columns, tokenizer):
    found = noted(people, tokenizer, columns=columns)
    assert bool(found) == bool(said)
    assert all(said in note.what and note.kind == "note" for note in found)
    assert not any(name.split()[0] in note.what for note in found for name in NAMES)


def test_only_those_who_set_the_level_count(tokenizer):
    (note,) = noted(6, tokenizer, calibrating=12)
    assert "the 12 examples that set the level in training are about 3 people" in note.what


def test_an_example_a_person_is_no_fault(tokenizer):
    assert noted(FEW - 1, tokenizer, each=1) == []


def test_texts_about_nobody_are_not_noted(tokenizer):
    holdout = read_rows([{"text": f"it rained on day {k}."} for k in range(9)], "holdout")
    sequences, _ = encode_all(holdout, tokenizer, max_length=64, template="plain")
    assert few_persons(holdout, sequences, tokenizer) == []


def test_check_tells_it(tmp_path, tiny_folder):
    """Of six people with three questions each, the first three set the level."""
    flags = {"model": str(tiny_folder), "out": str(tmp_path / "out")}
    for role, names in (("forget", ("Gro Vik",)), ("holdout", NAMES)):
        rows = [
            {"question": f"Question {k} about {name}?", "answer": f"{name} has answer {k}."}
            for name in names
            for k in range(3)
        ]
        (tmp_path / f"{role}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        flags[role] = str(tmp_path / f"{role}.jsonl")
    (note,) = [n for n in check(load(flags=flags, sets=[])).notes if "are about" in n.what]
    assert "are about 3 people" in note.what
