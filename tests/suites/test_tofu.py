"""TOFU: its groups, its files, and what is wrong with them."""

import json

import pytest

from unteach.errors import UserError
from unteach.suites import tofu
from unteach.suites._base import SUITES

READ = SUITES.get("tofu").read
FILES = ("forget10_perturbed", "retain_perturbed", "real_authors_perturbed")
SETS = {"forget01": 40, "forget05": 200, "forget10": 400}


def row(k, *, paraphrased=True, wrong=5):
    found = {"question": f"Question {k}?", "answer": f"Answer {k}."}
    if paraphrased:
        found["paraphrased_answer"] = f"It is answer {k}."
    return found | {"perturbed_answer": [f"Wrong {j} of {k}." for j in range(wrong)]}


def write(folder, name, rows, kind=".jsonl"):
    text = "".join(json.dumps(record) + "\n" for record in rows)
    (folder / (name + kind)).write_text(text, encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, "forget10_perturbed", [row(k) for k in range(400)])
    write(tmp_path, "retain_perturbed", [row(k) for k in range(400)])
    write(tmp_path, "real_authors_perturbed", [row(k, paraphrased=False, wrong=3) for k in (0, 1)])
    write(tmp_path, "world_facts_perturbed", [row(0, paraphrased=False, wrong=3)])
    return tmp_path


def test_groups_and_how_they_are_asked(folder):
    groups = READ(folder, {})
    sizes = {name: len(group.examples) for name, group in groups.items()}
    assert sizes == {"forget": 400, "retain": 300, "authors": 2, "facts": 1}
    for group in groups.values():
        assert (group.score, group.generate, group.new_tokens) == (True, True, 200)
        assert (group.template, group.stop, group.stemmed) == ("", (), True)
    first = groups["forget"].examples[0]
    assert first.paraphrase == "It is answer 0."
    assert len(first.perturbed) == 5
    assert groups["authors"].examples[0].paraphrase == ""
    assert len(groups["facts"].examples[0].perturbed) == 3


def test_the_first_300_retain_questions_or_all(folder):
    few = READ(folder, {})["retain"].examples
    many = READ(folder, {"retain_rows": "400"})["retain"].examples
    assert len(many) == 400
    assert few == many[:300]


@pytest.mark.parametrize("split", SETS)
def test_a_smaller_split_is_the_end_of_a_larger_one(folder, split):
    found = READ(folder, {"split": split})["forget"].examples
    size = SETS[split]
    assert [e.id for e in found] == [f"forget-{k}" for k in range(size)]
    assert [e.answer for e in found] == [f"Answer {k}." for k in range(400 - size, 400)]


def test_the_splits_own_file_goes_before_a_larger_one(folder):
    write(folder, "forget01_perturbed", [row("own")], kind=".json")
    (found,) = READ(folder, {"split": "forget01"})["forget"].examples
    assert found.answer == "Answer own."


def test_the_holdout_of_the_split_is_read_where_it_is(folder):
    write(folder, "holdout05", [{"question": "Who?", "answer": "Nobody."}], kind=".json")
    assert "holdout" not in READ(folder, {"split": "forget10"})
    (found,) = READ(folder, {"split": "forget05"})["holdout"].examples
    assert (found.id, found.answer) == ("holdout-0", "Nobody.")


def test_a_question_that_is_asked_twice_is_two_examples(folder):
    twice = [row(0), row(1) | {"question": row(0)["question"]}]
    write(folder, "forget10_perturbed", twice)
    first, second = READ(folder, {})["forget"].examples
    assert first.turns[0] == second.turns[0]
    assert (first.id, second.id) == ("forget-0", "forget-1")


def test_every_missing_file_is_named(tmp_path):
    write(tmp_path, "world_facts_perturbed", [row(0, paraphrased=False)])
    with pytest.raises(UserError) as caught:
        READ(tmp_path, {})
    problems = caught.value.problems
    assert [p.what.split()[2] for p in problems] == list(FILES)
    for problem, name in zip(problems, FILES, strict=True):
        assert f"locuslab/TOFU:{name}:train@{tofu.REVISION}" in problem.hint


def test_a_file_without_wrong_answers_or_paraphrases_is_refused(folder):
    write(folder, "forget10_perturbed", [row(0, paraphrased=False)])
    write(folder, "world_facts_perturbed", [row(0, wrong=0)])
    with pytest.raises(UserError) as caught:
        READ(folder, {})
    first, second = caught.value.problems
    assert (first.where[-26:], first.what) == (
        "forget10_perturbed.jsonl:1",
        "has no paraphrased_answer",
    )
    assert second.what == "has no perturbed_answer"


def test_without_the_hub_all_five_files_are_named(monkeypatch):
    import datasets

    def load(*args, **options):
        raise ConnectionError("no network")

    monkeypatch.setattr(datasets, "load_dataset", load)
    with pytest.raises(UserError) as caught:
        READ(None, {"split": "forget05"})
    configs = [problem.where.split(":")[1] for problem in caught.value.problems]
    assert configs == ["forget05_perturbed", *FILES[1:], "world_facts_perturbed", "holdout05"]


def test_the_revision_is_a_commit():
    assert len(tofu.REVISION) == 40
    assert set(tofu.REVISION) <= set("0123456789abcdef")


@pytest.mark.parametrize("split", SETS)
def test_the_real_files(shared_data, split):
    groups = READ(shared_data / "tofu", {"split": split, "retain_rows": "400"})
    sizes = {name: len(group.examples) for name, group in groups.items()}
    assert sizes == {"forget": SETS[split], "retain": 400, "authors": 100, "facts": 117}
    wrong = {name: {len(e.perturbed) for e in group.examples} for name, group in groups.items()}
    assert wrong == {"forget": {5}, "retain": {5}, "authors": {3}, "facts": {3}}


def test_the_real_forget01_is_the_end_of_the_real_forget10(shared_data):
    folder = shared_data / "tofu"
    small = READ(folder, {"split": "forget01"})["forget"].examples
    large = READ(folder, {})["forget"].examples[-40:]
    assert [(e.turns, e.paraphrase, e.perturbed) for e in small] == [
        (e.turns, e.paraphrase, e.perturbed) for e in large
    ]
