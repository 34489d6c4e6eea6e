"""What the original leaves for the models after it, and its own answers."""

from dataclasses import replace
from functools import partial

import pytest
from suites.asked import GROUPS, NAMES, SETTINGS, all_same

from unteach.errors import Problem, UserError
from unteach.inference import OriginalStates, divergence, interview
from unteach.suites.ask import score_groups, score_questions
from unteach.suites.questions import questions

pytestmark = pytest.mark.usefixtures("exact_rows")


def test_an_original_that_is_the_model_itself_is_nowhere_apart(model, tokenizer):
    found = score_groups(model, tokenizer, GROUPS, SETTINGS, original=model)
    own = [row for rows in found.rows.values() for row in rows if row.kind == "answer"]
    assert {row.divergence for row in own} == {0.0}


def test_the_original_scores_its_own_answers_while_it_decodes(original, tokenizer, monkeypatch):
    """No answer is forwarded a second time, and the numbers are those of such forwards."""
    itself = {"original": original, "is_original": True}
    found = score_groups(original, tokenizer, GROUPS, SETTINGS, keep_text=True, **itself)
    assert found.counts["original_forwards"] == 0
    by_forwards = score_groups(original, tokenizer, GROUPS, SETTINGS, original=original)
    all_same(found.rows, by_forwards.rows)
    assert len({row.said_logp for row in found.rows["forget"]} - {None}) > 1
    said = [one.said for one in found.spoken if one.group == "forget"]
    _, late = max((text.index(letter), letter) for text in said for letter in text)
    begun = replace(GROUPS["forget"], stop=(late,))  # cut answers count for what is left of them
    cut = [
        score_groups(original, tokenizer, {"forget": begun}, SETTINGS, **options)
        for options in (itself, {"original": original})
    ]
    all_same(cut[0].rows, cut[1].rows)
    sizes = [[row.said_tokens for row in rows["forget"]] for rows in (cut[0].rows, found.rows)]
    assert any(now and 0 < now < before for now, before in zip(*sizes, strict=True))
    assert cut[0].rows != {"forget": found.rows["forget"]}


def test_models_after_the_original_are_compared_with_what_its_forwards_left(
    model, original, tokenizer
):
    """To the last digit what a second forward gives; of other texts nothing is left."""
    states, names = OriginalStates(), list(GROUPS)
    ask = partial(score_questions, groups=names, tokenizer=tokenizer, tokens_per_batch=200)
    asked = questions(GROUPS, tokenizer, SETTINGS)
    ask(asked, model=original, original=original, is_original=True, states=states)
    after = ask(asked, model=model, original=original, states=states)
    plain = ask(asked, model=model, original=original)
    assert after.rows == plain.rows
    own = len(NAMES)
    assert plain.counts["original_forwards"] - after.counts["original_forwards"] == own
    fewer = [question for question in asked if question.group == "forget"]
    left, anew = (
        ask(fewer, model=model, original=original, states=given) for given in (states, None)
    )
    assert (left.rows, left.counts) == (anew.rows, anew.counts)


def test_without_room_for_what_the_original_left_it_is_forwarded_again(
    model, original, tokenizer, monkeypatch
):
    ask = partial(score_groups, tokenizer=tokenizer, groups=GROUPS, settings=SETTINGS)
    states = OriginalStates()

    def full(*_):
        raise UserError(Problem("TMPDIR", "the disk is full", ""))

    with monkeypatch.context() as patch:
        patch.setattr(divergence, "HiddenStateStore", full)
        ask(original, original=original, is_original=True, states=states)
    after, plain = (ask(model, original=original, states=given) for given in (states, None))
    assert (after.rows, after.counts) == (plain.rows, plain.counts)


def test_where_one_process_has_no_room_none_uses_what_the_original_left(
    model, original, tokenizer, monkeypatch
):
    ask = partial(score_groups, tokenizer=tokenizer, groups=GROUPS, settings=SETTINGS)
    states = OriginalStates()
    with monkeypatch.context() as patch:
        patch.setattr(divergence, "together", lambda work: [work(), False])
        ask(original, original=original, is_original=True, states=states)
    after, plain = (ask(model, original=original, states=given) for given in (states, None))
    assert (after.rows, after.counts) == (plain.rows, plain.counts)


def test_decoding_scores_only_models_that_a_forward_scores_alike(original, tokenizer, monkeypatch):
    ask = partial(score_groups, original, tokenizer, GROUPS, SETTINGS)
    usual = ask(original=original, is_original=True)
    monkeypatch.setattr(interview, "_scored_alike", lambda *_: False)
    found = ask(original=original, is_original=True)
    all_same(found.rows, usual.rows)
    assert found.counts["original_forwards"] > usual.counts["original_forwards"] == 0
