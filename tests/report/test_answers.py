"""What a report says first: answers that are still given or broken, and advice that is new."""

import json
from dataclasses import replace

import pytest

from unteach.errors import listed
from unteach.evaluation.results import judge
from unteach.metrics.given import GivenAnswers
from unteach.metrics.harm import Harm, ScoreDrop
from unteach.report import Report, fold, from_json, table, to_json, to_markdown, what_is_wrong
from unteach.report.advice import further, more_kept, sooner
from unteach.report.answers import harmed, still
from unteach.types import Score

TRAIN = {
    "learning_rate": 1e-4, "epochs": 10.0, "stop_at": 0.0, "retain": "nll", "retain_weight": 1.0,
}  # fmt: skip


def scores(forget=0.1, retain=0.9, holdout=0.2, auc=0.5):
    return {
        "forget": {"probability": Score(forget, 200), "membership_auc_loss": Score(auc, 40)},
        "retain": {"probability": Score(retain, 9)},
        "holdout": {"probability": Score(holdout, 9)},
    }


def report(*, given=None, harm=None, train=None, facts=None, **changed):
    request = {"retain": "r", "holdout": "h", "train": {**TRAIN, **(train or {})}}
    return Report(
        models={"original": scores(0.9), "unlearned": scores(**changed), "retrained": scores(0.12)},
        comparisons={"unlearned_vs_retrained": {"closeness": Score(0.97, 200)}},
        given={"unlearned": given} if given else {}, harm={"unlearned": harm} if harm else {},
        label="npo", request=request, facts=facts or {"examples": {"forget": 200}})  # fmt: skip


TEN = GivenAnswers(
    asked=200, words=tuple(f"forget-{k}" for k in range(7)), facts=("f7", "f8", "f9"), named=200,
    beside="retrained")  # fmt: skip


def opening(text):
    return text.split("## At a glance")[0]


def test_a_near_model_that_still_gives_answers_is_never_called_near_alone():
    """A red team's model: closeness 0.97 with 10 of 200 answers known by heart."""
    found = report(given=TEN)
    said = "10 of 200 forget answers (7 word for word, 3 by their fact)"
    assert what_is_wrong(found)[0].startswith(f"still given: {said}, which the retrained model")
    assert "forget-0, forget-1, forget-2, forget-3 and 6 more" in what_is_wrong(found)[0]
    near = next(line for line in to_markdown(found).splitlines() if "0.97" in line)
    assert f"**But still given: {said}" in near
    assert table(found)[0][:3] == ["model", "closeness to retrained", "answers still given"]
    assert table(found)[2][:3] == ["unlearned", "0.97", "10 of 200"]
    assert "forget-6, f7, f8, f9" in opening(to_markdown(found)), "the report names all"
    both = Report(
        models={**found.models, "other": scores()},
        comparisons=found.comparisons,
        given=found.given,
    )
    both.models["npo"] = both.models.pop("unlearned")
    both.comparisons["npo_vs_retrained"] = both.comparisons.pop("unlearned_vs_retrained")
    both.given["npo"] = both.given.pop("unlearned")
    text = opening(to_markdown(both))
    assert f"The nearest by closeness is `npo` with 0.97, but still given: {said}" in text
    assert (
        f"- Still give forget answers that a model which never saw them would not: `npo` {said}\n"
        in text
    )
    assert "- None of these: `other`" in text


@pytest.mark.parametrize(("given", "said"), [
    (
        GivenAnswers(asked=9, beside="retrained"),
        "None of the 9 forget answers is given word for word."),
    (GivenAnswers(asked=9, beside="retrained", expected=2.0), "but for 2 that the retrained model"),
    (
        GivenAnswers(asked=9, words=("a", "b"), beside="retrained", retrained_alone=1),
        "1 of 9 forget answers beyond chance: 2 (word for word) that the retrained model does not "
        "give, less 1 like them that it alone gives."),
    (
        GivenAnswers(asked=9, facts=("a",), beside="retrained", retrained_alone=1),
        "more often than can be guessed: 1 of 9 forget answers"),
    (GivenAnswers(asked=9, named=9), "word for word or by its fact."),
    (GivenAnswers(asked=9, words=("a",)), "nobody knows how many can be guessed"),
    (GivenAnswers(asked=9, words=("a",), beside="holdout"), "would give about 0.0 of them"),
    (
        GivenAnswers(asked=9, words=("a", "b"), beside="holdout", expected=2.0),
        "more often than can be guessed: 2 of 9 forget answers"),
    (
        GivenAnswers(asked=9, words=("a",), beside="holdout", unjudged=("a",)),
        "For 1 of them the holdout is no measure"),
])  # fmt: skip
def test_the_report_says_who_would_give_them_too(given, said):
    text = opening(to_markdown(report(given=given)))
    assert said in text
    assert ("**Still given: " in text) == bool(given.count)
    assert ("answers in other words go unseen" in text) == (not given.named)


@pytest.mark.parametrize(("given", "less"), [
    (
        GivenAnswers(
            asked=200, words=tuple("abcdefgh"), facts=("x", "y"), named=200, beside="retrained",
            retrained_alone=7),
        "10 (8 word for word, 2 by their fact) that the retrained model does not give, less 7 like "
        "them that it alone gives"),
    (
        GivenAnswers(asked=200, words=tuple("abcdefghij"), beside="holdout", expected=7.2),
        "10 (word for word), less the 7.2 that a model that never saw them would give"),
])  # fmt: skip
def test_the_first_line_begins_with_the_number_of_the_table(given, less):
    """A first line said 12 of 200, and the table below it 5 of 200."""
    found = report(given=given)
    assert table(found)[2][2] == "3 of 200"
    (said,) = [line for line in what_is_wrong(found) if line.startswith("still given")]
    shown = listed([*given.words, *given.facts], 4)
    assert said == f"still given: 3 of 200 forget answers beyond chance: {less}; the 10: {shown}"
    text = to_markdown(found)
    assert f"**Still given: 3 of 200 forget answers beyond chance: {less}.**" in text
    assert "still given word for word, chance included" in text


HARM = {
    "retain": Harm(
        asked=9, lost=(ScoreDrop("retain-4", 0.92, 0.11),), broken=("retain-4",),
        endless=("retain-5",)),
    "holdout": Harm(asked=8, lost=(ScoreDrop("holdout-1", 0.5, 0.1),), silent=("holdout-2",)),
    "forget": Harm(asked=40, broken=tuple(f"forget-{k}" for k in range(12))),
}  # fmt: skip


def test_damage_to_single_answers_stands_in_the_first_lines():
    found = report(harm=HARM)
    assert harmed(found, "unlearned") == [
        "repetitive or noise: 1 of 9 retain answers (retain-4), 12 of 40 forget answers "
        "(forget-0, forget-1, forget-2, forget-3 and 8 more)",
        "empty answers: 1 of 8 holdout answers (holdout-2)",
        "their probability fell by more than a third: 1 of 9 retain answers (retain-4 0.92 to "
        "0.11)",
        "much longer than before: 1 of 9 retain answers (retain-5)",
    ]
    assert [line.partition(": ")[0] for line in what_is_wrong(found)] == ["harmed"] * 4
    text = to_markdown(found)
    assert text.index("retain-4 0.92 to 0.11") < text.index("## At a glance")
    rest = text.split("## Single answers")[1]
    assert "| holdout | their probability fell by more than a third | 1 of 8 |" in rest
    assert "forget-11" in rest
    assert "## Single answers" not in to_markdown(report())


def test_the_fall_of_the_holdout_is_told():
    assert not any("holdout" in line for line in what_is_wrong(report(holdout=0.17)))
    said = what_is_wrong(report(holdout=0.1))
    assert said[-1].startswith("holdout harmed: texts like the forget set")
    assert "had a probability of 0.20 per token before, and have 0.10" in to_markdown(
        report(holdout=0.1)
    )


def test_both_are_in_scores_json_and_read_back():
    found = report(given=TEN, harm=HARM)
    record = json.loads(to_json(found))
    assert record["given"]["unlearned"]["count"] == 10
    assert record["given"]["unlearned"]["facts"] == ["f7", "f8", "f9"]
    assert record["harm"]["unlearned"]["retain"]["lost"] == [["retain-4", 0.92, 0.11]]
    assert from_json(to_json(found)) == found
    both = GivenAnswers(asked=20, words=("f1", "f2"), beside="retrained", retrained_alone=1)
    again = from_json(to_json(report(given=both))).given["unlearned"]
    assert (again.retrained_alone, again.count) == (1, 1)
    older = {key: value for key, value in record.items() if key not in ("given", "harm")}
    assert from_json(json.dumps(older)).given == {}


def test_of_several_runs_the_worst_is_told():
    few = GivenAnswers(asked=200, words=("forget-1",), beside="retrained")
    one, other = report(given=few, harm=HARM), report(given=TEN)
    found = fold([one, other])
    assert found.given["npo"] == TEN
    assert found.harm["npo"] == HARM
    assert table(found)[2][2] == "10 of 200"


def test_they_come_from_the_rows(planted):
    found = Report(**judge(planted))
    assert found.given["unlearned"].words == ("forget-3",)
    assert found.given["retrained"].count == 0
    assert found.given["original"].count == 10
    assert found.harm["unlearned"]["retain"].broken == ("retain-1",)
    assert "original" not in found.harm
    assert still(found, "unlearned").endswith("forget-3")


@pytest.fixture
def planted():
    from metrics.test_given import group

    from unteach.metrics.given import FORGOTTEN

    assert "forget" in FORGOTTEN
    good = [replace(row, said_logp=-0.1, said_repetition=0.0) for row in group("retain", 4, {0})]
    bad = [*good[:1], replace(good[1], said_distinct=0.2, said_repetition=None), *good[2:]]
    return {
        "original": {"forget": group("forget", 10, range(10)), "retain": good},
        "unlearned": {"forget": group("forget", 10, [3]), "retain": bad},
        "retrained": {"forget": group("forget", 10), "retain": good},
    }


STOPPED = {
    "stopped_because": "training saw ...", "steps": 9, "steps_planned": 50,
    "forget_probability_in_training": 0.13,
}  # fmt: skip


def test_what_training_saw_is_not_what_the_model_has():
    """A first user's run: aimed at 0.234, stopped at 0.13 as seen, written 0.02."""
    found = report(forget=0.02, train={"stop_at": 0.234}, facts=STOPPED)
    text = to_markdown(found)
    assert "at most train.stop_at=0.234. Training measured 0.13, each" in text
    assert "after step 9 of 50" in text
    assert "the final model has 0.02." in text
    assert "went past its stop: training was to end at 0.23 and measured 0.13 there" in "".join(
        what_is_wrong(found)
    )
    assert not any("its stop" in line for line in what_is_wrong(report(forget=0.2, facts=STOPPED)))
    assert "**Stop.**" not in to_markdown(report(train={"stop_at": 0.3}))
    plain = report(forget=0.02, train={"stop_at": 0.25}, facts={**STOPPED, "steps": None})
    assert "at most train.stop_at=0.25. Training measured" in to_markdown(plain)


@pytest.mark.parametrize(("train", "because"), [
    ({"stop_at": "holdout"}, "the forget answers are no likelier than the holdout's"),
    ({"stop_at": 0.3, "min_kept": 0.9}, "the retain answers have 80% of train.min_kept"),
])  # fmt: skip
def test_where_the_weights_were_scored_their_own_reason_is_told(train, because):
    found = report(forget=0.02, train=train, facts={**STOPPED, "stopped_because": because})
    text = to_markdown(found)
    assert f"**End.** Training ended after step 9 of 50: {because}." in text
    assert "**Stop.**" not in text
    assert not any("its stop" in line for line in what_is_wrong(found))


def test_a_teachers_level_is_no_stop_that_was_set():
    """SmolLM2's report said: at most train.stop_at=0."""
    told = "the forget answers' probability is 0.107; the teacher's is 0.133"
    facts = {**STOPPED, "teacher": "stranger", "stopped_because": told}
    text = to_markdown(report(train={"stop_at": 0.0}, facts=facts))
    assert f"**End.** Training ended after step 9 of 50: {told}." in text
    assert "stop_at=0" not in text


@pytest.mark.parametrize(("train", "facts", "said", "unsaid"), [
    ({}, {}, "train.stop_at=holdout ends sooner", "epochs"),
    ({"draw_back": "never"}, {}, "With train.draw_back=holdout", "stop_at"),
    ({"draw_back": "holdout"}, {}, "fewer train.epochs (now 10)", "draw_back"),
    ({"stop_at": "holdout"}, STOPPED, "a train.learning_rate below 0.0001", "stop_at"),
    ({"stop_at": "holdout"}, {}, "fewer train.epochs (now 10)", "stop_at"),
    ({"stop_at": 0.3}, STOPPED, "train.stop_at above 0.3 ends sooner", "holdout"),
    ({"stop_at": 0.3}, {}, "a train.learning_rate below 0.0001", "stop_at"),
])  # fmt: skip
def test_advice_is_never_what_is_set_already(train, facts, said, unsaid):
    found = report(auc=0.0, train=train, facts=facts or None)
    advice = sooner(found)
    assert said in advice
    assert unsaid not in advice
    assert f"can use that to find what was removed. {advice}" in to_markdown(found)


def test_what_was_drawn_back_is_told_with_both_ends():
    drawn = {"drawn_back_to": 0.703, "auc_where_training_ended": 0.04, "auc_drawn_back": 0.51}
    (said,) = [
        line
        for line in to_markdown(report(facts=drawn)).splitlines()
        if line.startswith("**Drawn back.**")
    ]
    assert "AUC 0.04 against the holdout answers that set levels" in said
    assert "at 70% of the way along its trained weights, where the AUC is 0.51" in said
    assert "**Drawn back.**" not in to_markdown(report(facts={**drawn, "drawn_back_to": 1.0}))


def test_stopping_by_a_holdout_is_no_advice_without_one():
    found = report(auc=0.0)
    assert "stop_at" not in sooner(replace(found, request={**found.request, "holdout": None}))


@pytest.mark.parametrize(("train", "facts", "said"), [
    ({}, {}, "More train.epochs (now 10) or a train.learning_rate above 0.0001"),
    ({"stop_at": 0.5}, STOPPED, "ended by train.stop_at=0.5; below 0.50"),
    ({"stop_at": "holdout"}, STOPPED, "by train.stop_at=holdout; without it, training continues"),
    (
        {"stop_at": "holdout", "min_kept": 0.9},
        {**STOPPED, "stopped_because": "less than train.min_kept = 0.9"},
        "Training ended by train.min_kept=0.9: a train.learning_rate below 0.0001 harms less."),
])  # fmt: skip
def test_what_would_forget_more(train, facts, said):
    found = report(forget=0.6, train=train, facts=facts or None)
    assert said in further(found)
    assert further(found) in to_markdown(found)


@pytest.mark.parametrize(("request_", "train", "said"), [
    ({}, {}, "A train.retain_weight above 1 or a train.learning_rate below 0.0001 keeps more"),
    ({"retain": None}, {"retain": "none"}, "Give --retain a file"),
    ({}, {"retain": "none", "retain_weight": 0.0}, "train.retain=nll or kl"),
])  # fmt: skip
def test_what_would_keep_more(request_, train, said):
    found = report(retain=0.4, train=train)
    found = replace(found, request={**found.request, **request_})
    assert said in more_kept(found)
    assert more_kept(found) in to_markdown(found)


def test_an_evaluation_has_no_training_to_advise():
    found = replace(report(forget=0.6, retain=0.4, auc=0.0), request={"models": {}})
    assert [advise(found) for advise in (sooner, further, more_kept)] == ["", "", ""]
    assert "train." not in opening(to_markdown(found))


def test_an_attack_other_than_by_the_loss_is_told_where_that_sees_nothing():
    """Unilogit on a small model: AUC 0.71 by the loss, as retrained, and 1.00 by min-k."""
    found = report()
    for name, auc in (("unlearned", 1.0), ("retrained", 0.67)):
        found.models[name]["forget"]["membership_auc_min_k"] = Score(auc, 40)
    (line,) = what_is_wrong(found)
    assert line.startswith("still distinguishable: another attack (`membership_auc_min_k`)")
    assert line.endswith("AUC 1.00; retrained 0.67")
    found.models["unlearned"]["forget"]["membership_auc_min_k"] = Score(0.9, 40, 0.6, 1.0)
    assert what_is_wrong(found) == [], "by chance"


def test_damage_says_of_what():
    """The probability was kept by 89%, and the line said less than 80%: of the wording."""
    found = report()
    for name, said in (("original", 1.0), ("unlearned", 0.7), ("retrained", 1.0)):
        found.models[name]["retain"]["rouge_l_recall"] = Score(said, 30)
    (line,) = what_is_wrong(found)
    assert line.endswith("(retain: 70% of the wording)")
    (line,) = what_is_wrong(report(retain=0.45))
    assert line.endswith("(retain: 50% of the probability)")


def test_a_score_may_have_more_fields_and_a_damaged_one_is_named_without_what_stands_there():
    record = json.loads(to_json(report(given=TEN)))
    group, scores = next((g, s) for g, s in record["models"]["unlearned"].items() if s)
    name = next(iter(scores))
    scores[name]["spread"] = 3  # a field of a later release, as the schema says
    assert from_json(json.dumps(record)) == report(given=TEN)
    scores[name]["value"] = "Ada was born in Lund"
    with pytest.raises(ValueError, match=f"models.unlearned.{group}.{name}.value: ") as caught:
        from_json(json.dumps(record))
    assert "Ada" not in str(caught.value)
