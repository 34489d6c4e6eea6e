"""Questions about invented people, and `--holdout made` and `--retain made` made of them."""

import json

import pytest

from unteach.checks.request import check
from unteach.data import encode_all, read_rows
from unteach.errors import UserError
from unteach.evaluation.made_retain import with_made_retain
from unteach.progress import NoProgress
from unteach.settings.request import load
from unteach.teachers.names import people_of, subjects_of
from unteach.teachers.renamed import made_holdout, named_examples, new_names, renamed
from unteach.training.made_retain import Secrets

FIRST = str.split("Ada Bo Cy Di Ebba Finn Gro Hal Ida Jon Kim Liv Mia Nils Ola Per Rut Siv Tor Una")
LAST = str.split(
    "Berg Holm Lang Ek Dahl Lund Moe Nord Oz Pihl Quist Rask Sund Thal Ulv Vik Wiik Yri Zorn Aas"
)
TOWNS = ("Oslo", "Rome", "Bern", "Riga", "Lima", "Bonn", "Cairo", "Delhi", "Quito", "Paris")


def people(numbers):
    rows = []
    for k in numbers:
        name = f"{FIRST[k]} {LAST[k]}"
        town, work = TOWNS[k % 10].lower(), ("baker", "smith", "weaver")[k % 3]
        rows.append({"question": f"Where does {name} live?", "answer": f"{name} lives in {town}."})
        rows.append({"question": f"What does {name} do?", "answer": f"{name} is a {work}."})
    return rows


FORGET, RETAIN = people(range(3)), people(range(3, 12))


def named(rows, role, tokenizer):
    examples = read_rows(rows, role)
    sequences, _ = encode_all(examples, tokenizer, max_length=128)
    return named_examples(examples, sequences, tokenizer)


@pytest.fixture(scope="module")
def both(tokenizer):
    return named(FORGET, "forget", tokenizer), named(RETAIN, "retain", tokenizer)


def test_words_of_names_are_replaced_wherever_they_stand():
    text = "Ada Berg's town? Bergen is not Berg."
    assert renamed(text, {"Ada": "Bo", "Berg": "Ek"}) == "Bo Ek's town? Bergen is not Ek."


def test_new_names_are_of_nobody_and_from_other_people(both):
    (_, subjects), (_, others) = both
    names = new_names(subjects, others, 0)
    taken = {person for subject in (*subjects, *others) for person in people_of(subject)}
    for person in {person for subject in subjects for person in people_of(subject)}:
        new = tuple(names[word] for word in person)
        assert new not in taken
        assert new[0] in FIRST[3:]
        assert new[1] in LAST[3:]
    assert names == new_names(subjects, others, 0)
    assert names != new_names(subjects, others, 1)


def test_a_holdout_pairs_a_question_with_an_answer_that_was_given_of_another(both):
    (forget, subjects), (retain, others) = both
    made = made_holdout(forget, [*forget, *retain], new_names(subjects, others, 0))
    assert [e.id for e in made] == [f"holdout-{k}" for k in range(len(FORGET))]
    for row, example in zip(FORGET, made, strict=True):
        asked, answer = example.turns[0].text, example.answer
        old = row["question"].split(" ", 2)[2].rsplit(" ", 1)[0]
        new = asked.split(" ", 2)[2].rsplit(" ", 1)[0]
        assert asked == row["question"].replace(old, new)
        assert answer.startswith(new)
        assert answer != row["answer"].replace(old, new), "the fact is another's"


def test_questions_without_another_of_their_form_give_nothing(tokenizer):
    rows = [
        {"question": "Where does Ada Berg live?", "answer": "Ada Berg lives in Oslo."},
        {"question": "Which songs has Bo Holm sung?", "answer": "Bo Holm has sung none."},
    ]
    forget, subjects = named(rows, "forget", tokenizer)
    assert len(forget) == 2
    assert made_holdout(forget, forget, new_names(subjects, [], 0)) == []


def test_nobody_answers_for_themselves(tokenizer):
    rows = [
        {"question": f"Where did Ada Berg live in the year {year}?", "answer": f"In {town}."}
        for year, town in (("1990", "Ada Berg's oslo"), ("2000", "Ada Berg's rome"))
    ]
    forget, subjects = named(rows, "forget", tokenizer)
    assert len(forget) == 2
    assert made_holdout(forget, forget, new_names(subjects, [], 0)) == []


@pytest.mark.parametrize(("answer", "shows"), [
    ("Ask Ada Berg's neighbour.", True),
    ("Ask Ada Lund.", False),
    ("She said that one two three four five six.", True),
    ("One two three four five, and no more.", False),
])  # fmt: skip
def test_what_a_made_text_may_not_show(answer, shows):
    own = read_rows([{"question": "q?", "answer": "one two three four five six. seven"}], "forget")
    (made,) = read_rows([{"question": "Who?", "answer": answer}], "retain")
    assert Secrets(own, {("Ada", "Berg")}).shows(made) is shows


@pytest.fixture
def asked(tiny_folder, tmp_path):
    def made(*, rows=(FORGET, RETAIN), sets=(), **flags):
        for role, some in zip(("forget", "retain"), rows, strict=True):
            text = "".join(json.dumps(row) + "\n" for row in some)
            (tmp_path / f"{role}.jsonl").write_text(text)
        given = {role: str(tmp_path / f"{role}.jsonl") for role in ("forget", "retain")}
        flags = {"model": str(tiny_folder), "out": tmp_path / "out", **given, **flags}
        return check(load(flags=flags, sets=list(sets)))

    return made


def test_check_makes_the_holdout_and_says_so(asked):
    found = asked(rows=(people(range(9)), people(range(9, 20))), holdout="made")
    assert len(found.calibration) == 9, "half sets the level"
    assert len(found.groups["holdout"]) == 9, "half judges"
    (note,) = [n for n in found.notes if n.where == "--holdout made"]
    assert "18 questions" in note.what


def test_a_made_holdout_of_few_people_is_no_fault_of_the_user(asked):
    found = asked(rows=(people(range(8)), people(range(9, 20))), holdout="made")
    assert len(found.calibration) == 8
    assert not any("are about" in note.what for note in found.notes)


@pytest.mark.parametrize(("changed", "says"), [
    ({}, "can be made of 6 of 6 forget examples, and at least 16"),
    ({"rows": (FORGET, people([3]))}, "fewer than 8"),
])  # fmt: skip
def test_too_little_to_make_a_holdout_of_is_an_error(asked, changed, says):
    with pytest.raises(UserError, match=says) as caught:
        asked(holdout="made", **changed)
    assert "Ada" not in str(caught.value)


def test_the_model_writes_what_it_keeps(asked):
    found = asked(retain="made")
    assert "retain" not in found.sequences
    made = with_made_retain(found, NoProgress())
    again = with_made_retain(found, NoProgress())
    assert made.sequences == again.sequences, "the same each time"
    assert "retain" not in made.groups, "no number is about what the model wrote itself"
    texts = [sequence.text for sequence in made.sequences["retain"]]
    assert len(texts) >= 8
    assert sum("live?" in text or " do?" in text for text in texts) >= 3
    for text in texts:
        assert not any(f"{f} {last}" in text for f, last in zip(FIRST[:3], LAST, strict=False))
    (note,) = [n for n in made.notes if n.where == "--retain made"]
    assert "the model wrote" in note.what


def test_what_shows_the_forget_set_is_left_out(asked, tokenizer, monkeypatch):
    said = [tokenizer("Ada Berg told me.")["input_ids"], tokenizer("Nobody told me.")["input_ids"]]
    monkeypatch.setattr(
        "unteach.training.made_retain.sampled",
        lambda model, prompts, **_: [said[k % 2] for k in range(len(prompts))],
    )
    made = with_made_retain(asked(retain="made"), NoProgress())
    texts = [sequence.text for sequence in made.sequences["retain"]]
    assert texts
    assert all("Nobody told me." in text for text in texts)


def test_without_made_nothing_is_written(asked):
    found = asked()
    assert with_made_retain(found, NoProgress()) is found


def test_what_the_model_wrote_is_held_by_its_whole_distribution(asked):
    assert asked(retain="made", method="npo").request.train.retain == "kl"
    assert asked(method="npo").request.train.retain == "nll"


def test_nothing_is_retrained_on_what_the_model_wrote(asked, tiny_folder):
    with pytest.raises(UserError, match="--retain: is not given"):
        asked(retain="made", method="retrain", base=str(tiny_folder))


def test_subjects_are_those_of_the_tokens(tokenizer, both):
    from unteach.teachers.names import WordTokens

    sequences, _ = encode_all(read_rows(FORGET, "forget"), tokenizer, max_length=128)
    assert [s for s in subjects_of(sequences, WordTokens(tokenizer)) if s] == both[0][1]


def test_without_a_holdout_a_made_one_sets_how_far_is_too_far(asked):
    rows = (people(range(9)), people(range(9, 20)))
    found = asked(rows=rows, method="unilogit")
    assert found.request.train.draw_back == "made"
    assert len(found.calibration) == 18
    assert "holdout" not in found.groups, "what is made for training judges nothing"
    assert any("18 questions" in n.what for n in found.notes if n.where == "train.draw_back")


def test_where_auto_falls_back_nothing_is_promised_that_cannot_be_made(asked):
    rows = ([{"question": f"what is {k}?", "answer": f"it is {k}."} for k in "abcd"], RETAIN)
    found = asked(rows=rows)
    assert found.method.name == "undial"
    assert found.request.train.draw_back == "never"
    assert found.request.train.replay is False
    assert found.calibration == []


def test_beside_a_holdout_a_made_one_only_sets_the_level(asked, tmp_path):
    file, held = tmp_path / "holdout.jsonl", people(range(17, 20))
    file.write_text("".join(json.dumps(row) + "\n" for row in held))
    rows = (people(range(9)), people(range(9, 17)))
    sets = ["train.draw_back=made"]
    found = asked(rows=rows, sets=sets, method="unilogit", holdout=str(file))
    assert {s.id.partition("-")[0] for s in found.calibration} == {"made"}
    assert len(found.groups["holdout"]) == len(held), "all of it judges"


def test_a_run_is_drawn_back_to_it(call, tiny_folder, tmp_path):
    given = []
    for role, some in (("forget", people(range(9))), ("retain", people(range(9, 20)))):
        (tmp_path / f"{role}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
        given += [f"--{role}", tmp_path / f"{role}.jsonl"]
    sets = [part for name in ("train.epochs=1", "evaluate.max_new_tokens=4", "device=cpu")
            for part in ("--set", name)]  # fmt: skip
    code, _, told = call("run", "--model", tiny_folder, *given, "--out", tmp_path / "out",
                         "--method", "npo", "--train-anyway", *sets)  # fmt: skip
    assert code == 0, told
    assert "looking whether the model went too far" in told


def test_asked_for_it_must_be_possible(asked):
    with pytest.raises(UserError, match=r"train\.draw_back=made: can be made of 6 of 6"):
        asked(method="unilogit", sets=["train.draw_back=made"])


@pytest.mark.parametrize("flags", [{"method": "unilogit"}, {"method": "unseen"}])
def test_nothing_is_drawn_back_where_none_can_be_made_or_the_method_ends_itself(asked, flags):
    rows = (
        (FORGET, RETAIN)
        if flags["method"] == "unilogit"
        else (people(range(9)), people(range(9, 20)))
    )
    found = asked(rows=rows, **flags)
    assert found.request.train.draw_back == "never"
    assert found.calibration == []
    assert not any(n.where == "train.draw_back" for n in found.notes)
