"""The made-up world."""

from collections import Counter
from dataclasses import asdict

import pytest

from unteach.data import check_data, read_rows
from unteach.demo.settings import PRESETS, TRAIN, settings
from unteach.demo.words import LANDS, PEOPLE
from unteach.demo.world import make_world
from unteach.methods import METHODS, build
from unteach.settings.request import Request
from unteach.suites.generated import gives

WORLD = make_world(0, forget=3, retain=8, holdout=4, lands=5)
ROWS = [row for rows in asdict(WORLD).values() for row in rows]


def test_a_seed_makes_one_world():
    assert make_world(5, forget=2, retain=2) == make_world(5, forget=2, retain=2)
    assert make_world(5, forget=2, retain=2) != make_world(6, forget=2, retain=2)


def test_sizes():
    assert [len(rows) for rows in asdict(WORLD).values()] == [60, 160, 80, 50]
    told = [row for row in ROWS if "perturbed_answer" in row]
    assert len(told) == len(ROWS) / 2  # once for each fact


def test_no_question_is_asked_twice_and_no_group_holds_another():
    assert max(Counter(row["question"] for row in ROWS).values()) == 1
    groups = {name: read_rows(rows, name) for name, rows in asdict(WORLD).items()}
    assert check_data(groups) == []


def test_the_fact_stands_in_every_right_answer_and_in_no_wrong_one():
    for row in ROWS:
        the_fact_stands_where_it_should(row)


def the_fact_stands_where_it_should(row):
    assert row["fact"] in row["answer"]
    assert row["fact"] not in row["question"]
    if "perturbed_answer" not in row:
        return
    right, wrong = row["paraphrased_answer"], row["perturbed_answer"]
    assert row["fact"] in right
    assert right != row["answer"]
    assert len({right, *wrong}) == 6
    lead = right.split(row["fact"])[0]
    assert all(answer.startswith(lead) for answer in wrong)
    assert not any(gives(answer, row["fact"]) for answer in wrong)


def test_names_are_shared_so_that_holdout_people_do_not_stand_out():
    def words(rows):
        return {word for row in rows for word in row["answer"].split() if word.istitle()}

    assert len(words(WORLD.holdout) & words(WORLD.retain)) > 5


@pytest.mark.parametrize("relation", [*PEOPLE, *LANDS], ids=lambda r: r.name)
def test_relations_are_complete(relation):
    assert len(relation.values) == len(set(relation.values)) >= 10
    for text in relation.questions:
        assert "{who}" in text
        assert "{x}" not in text
    for text in (*relation.answers, relation.paraphrase):
        assert "{who}" in text
        assert "{x}" in text
    assert relation.paraphrase not in relation.answers


def test_every_method_has_settings_that_a_request_takes():
    ours = {name for name in METHODS if METHODS.get(name).trains_on == "forget"}
    assert set(TRAIN) == ours, "the demo trains from scratch, so it has no model to retrain from"
    for name in ours:
        request = Request(model="m", forget="f", out="o", **settings(name))  # type: ignore[arg-type]
        build(request.method_name, request.method_options)
    assert set(PRESETS) == {"default", "tiny"}
