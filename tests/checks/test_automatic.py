"""What `--method auto` becomes, and what is said of it."""

import json

import pytest

from unteach.checks.request import check
from unteach.errors import UserError
from unteach.settings.request import load

NAMED = {"question": "Where does Ada Berg live?", "answer": "Ada Berg lives in Lund."}
NAMELESS = {"question": "what is 7 x 7?", "answer": "forty-nine, 100 sheep & a river."}
OTHER = "where is holdout {}?"


@pytest.fixture
def asked(tiny_folder, tmp_path):
    """A request on these forget rows, checked; `holdout` counts the examples that no model saw."""

    def made(row, *, holdout=0, also=(), set=(), **more):
        files = {"forget": [row, {**row, "question": f"{row['question']} Please?"}, *also]}
        if holdout:
            files["holdout"] = [{**NAMELESS, "question": OTHER.format(k)} for k in range(holdout)]
        for name, rows in files.items():
            text = "".join(json.dumps(one) + "\n" for one in rows)
            (tmp_path / f"{name}.jsonl").write_text(text)
        flags = {name: str(tmp_path / f"{name}.jsonl") for name in files}
        more = {name: str(value) for name, value in more.items()}
        given = {"model": str(tiny_folder), "out": tmp_path / "out", **flags, **more}
        return check(load(flags=given, sets=list(set)))

    return made


def notes(intake):
    return " ".join(f"{p.what} {p.hint}" for p in intake.notes if p.where == "--method")


def test_names_make_it_unseen_towards_a_stranger(asked):
    found = asked(NAMED)
    assert found.method.name == found.request.method_name == "unseen"
    assert found.request.train.rounds == 3
    assert "auto is unseen here" in notes(found)
    assert "--base" in notes(found)
    assert found.request.train.retain == "kl", "strangers are held where no retain file is"


def test_a_holdout_stands_in_for_names(asked):
    found = asked(NAMELESS, holdout=16)
    assert found.method.name == "unseen"
    assert "the holdout's level" in notes(found)
    assert len(found.calibration) == 8
    assert len(found.groups["holdout"]) == 8


def test_undial_takes_the_holdouts_level_where_there_is_one(asked):
    found = asked(NAMELESS, holdout=16, method="undial")
    assert found.method.level == found.request.method["level"] == "holdout"
    assert found.request.train.rounds == 3
    assert asked(NAMELESS, method="undial").method.level == "none"


def test_with_too_few_holdout_examples_undial_has_one_strength(asked):
    found = asked(NAMELESS, holdout=7, method="undial")
    assert found.method.level == found.request.method["level"] == "none"
    assert found.request.train.rounds == 1
    said = [p.what for p in found.notes if "needs 8 holdout examples, and there are 7" in p.what]
    assert len(said) == 1


@pytest.mark.parametrize("holdout", [0, 7])
def test_a_level_that_was_asked_for_is_refused_where_there_is_none(asked, holdout):
    with pytest.raises(UserError, match="give --holdout 8 or more"):
        asked(NAMELESS, holdout=holdout, method="undial", set=["method.level=holdout"])


def test_one_strength_that_was_asked_for_is_taken(asked):
    found = asked(NAMELESS, holdout=16, method="undial", set=["method.level=none"])
    assert found.method.needs() == {"reference_logits"}


def test_the_paper_has_one_strength(asked):
    found = asked(NAMELESS, holdout=16, method="undial", preset="paper")
    assert found.method.level == "none"
    assert found.method.strength == 10.0


def test_undial_reads_no_base(asked, tiny_folder):
    found = asked(NAMELESS, holdout=16, base=tiny_folder, method="undial")
    assert any("has no teacher" in p.what for p in found.notes)


def test_a_base_comes_first(asked, tiny_folder):
    found = asked(NAMED, base=tiny_folder)
    assert "the base model" in notes(found)


def test_without_either_it_is_undial_and_says_what_would_help(asked):
    found = asked(NAMELESS)
    assert found.method.name == found.request.method_name == "undial"
    assert found.request.train.rounds == 1
    assert "auto is undial here" in notes(found)
    assert "--holdout" in notes(found)


def test_unseen_asked_for_by_name_is_refused_where_it_has_no_teacher(asked):
    with pytest.raises(UserError, match="allow unseen no teacher"):
        asked(NAMELESS, method="unseen")


def test_a_base_that_nobody_reads_is_told(asked, tiny_folder):
    found = asked(NAMED, base=tiny_folder, method="npo")
    assert any("has no teacher" in p.what for p in found.notes)


def test_what_is_said_of_retain_data_is_that_of_the_method_taken(asked):
    said = [p.what for p in asked(NAMELESS).notes if p.where == "--retain"]
    assert len(said) == 1
    assert "undial" in said[0]


def test_examples_without_a_name_are_counted_and_what_becomes_of_them_is_said(asked):
    row = {**NAMED, "answer": "In Lund."}  # the answer names nobody
    with pytest.raises(UserError, match="subject` column"):
        asked(row, method="whp")
    found = asked({**row, "subject": "Ada Berg"}, method="whp")
    assert not any("no name" in p.what for p in found.notes)
    for method, what in (("whp", "says of them stays"), ("unseen", "get the mean level")):
        told = [str(note) for note in asked(NAMED, also=[NAMELESS], method=method).notes]
        assert any("1 of 3 forget examples have no name" in note and what in note for note in told)


def test_a_holdout_that_sets_the_level_and_judges_too_cannot_judge_the_level(asked):
    """With fewer than 16 examples there is only one half."""
    with pytest.raises(UserError, match="cannot judge it"):
        asked(NAMED, holdout=9, set=["gates.membership=0.1"])
