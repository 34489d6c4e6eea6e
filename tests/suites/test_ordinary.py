"""The ordinary questions: well formed, refused a folder, scored beside the original."""

import re

import pytest

from unteach.errors import UserError
from unteach.suites._base import SUITES, AskSettings
from unteach.suites.ordinary import QUESTIONS, TEXTS
from unteach.training.made_retain import QUESTIONS as MADE

READ = SUITES.get("ordinary").read


def test_each_answer_has_its_fact_and_no_question_gives_it_away():
    assert len(QUESTIONS) == len({q for q, _, _ in QUESTIONS}) == 40
    assert len(TEXTS) == len(set(TEXTS)) == 20
    for question, answer, fact in QUESTIONS:
        assert fact in answer
        assert fact.lower() not in question.lower().replace("?", "").split()
        assert question.endswith("?")
        assert answer.endswith(".")


def test_what_a_made_retain_set_trains_on_is_not_asked():
    def words(text):
        return {word for word in re.findall(r"[a-z]+", text.lower()) if len(word) > 3}

    asked = [words(f"{question} {answer}") for question, answer, _ in QUESTIONS]
    common = {"what", "which", "where", "name", "does", "with", "from", "other", "that", "give"}
    for made in MADE:
        assert not [both for one in asked if len(both := (one & words(made)) - common) > 1]


def test_questions_are_answered_and_texts_are_scored_alone():
    groups = READ(None, {})
    assert {name: (len(g.examples), g.generate) for name, g in groups.items()} == {
        "questions": (40, True),
        "texts": (20, False),
    }
    assert all(example.fact for example in groups["questions"].examples)


def test_a_folder_and_options_are_refused(tmp_path):
    with pytest.raises(UserError, match="brings its own questions"):
        READ(tmp_path, {})
    with pytest.raises(UserError):
        READ(None, {"tasks": "all"})


def test_the_original_is_at_distance_0_from_itself_and_another_model_is_not(tokenizer, tiny_folder):
    from unteach.metrics import METRICS
    from unteach.models.loading import load_model
    from unteach.suites.ask import score_groups

    def distances(model):
        how = AskSettings(max_length=64, max_new_tokens=4)
        groups = {"texts": READ(None, {})["texts"]}
        rows = score_groups(model, tokenizer, groups, how, original=original).rows
        case = METRICS.get("divergence")
        return case("texts", rows).value

    original = load_model(str(tiny_folder)).eval()
    other = load_model(str(tiny_folder)).eval()
    other.get_output_embeddings().weight.data.mul_(1.5)
    assert distances(original) == pytest.approx(0, abs=1e-9)
    assert distances(other) > 1e-4
