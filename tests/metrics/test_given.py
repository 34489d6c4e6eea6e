"""Answers still known by heart are found in any crowd, and guesses are not taken for them."""

import math
from dataclasses import replace

import pytest
from worlds import told

from unteach.metrics.given import still_given, verbatim


def answer(id, *, heart=False, said=0.2, fact=None, size=60, tokens=8):
    """A row of a forgotten answer, or of one that is known by heart."""
    hits = (True,) * tokens if heart else (True,) * (tokens - 2) + (False, True)
    logp = -0.01 if heart else -2.0
    return asked(
        told(id, (logp,) * tokens, hits=hits, zlib=size, fact_given=fact,
             rouge_l_recall=1.0 if heart else said, said_tokens=tokens, said_distinct=1.0)
    )  # fmt: skip


def asked(row):
    """As where the model is asked: before anything is rounded."""
    return replace(row, verbatim=verbatim(row))


def group(role, n, known=(), **more):
    return [answer(f"{role}-{k}", heart=k in known, **more) for k in range(n)]


@pytest.mark.parametrize(("n", "known"), [(200, range(0, 200, 20)), (20, [13]), (20, [])])
def test_planted_answers_are_counted_and_named(n, known):
    forget = {"forget": group("forget", n, known)}
    never = {"forget": group("forget", n)}
    holdout = {"holdout": group("holdout", 20)}
    for more in ({"retrained": never}, {"original": holdout}, {}):
        found = still_given(forget, **more)
        assert found.words == tuple(f"forget-{k}" for k in known)
        assert (found.count, found.asked, found.facts) == (len(known), n, ())


def test_what_the_retrained_model_gives_too_can_be_guessed():
    ours = {"forget": group("forget", 20, [1, 2, 3])}
    found = still_given(ours, retrained={"forget": group("forget", 20, [2, 9])})
    assert (found.words, found.expected, found.beside) == (("forget-1", "forget-3"), 1, "retrained")
    assert still_given(ours, retrained=ours).count == 0


def test_who_guesses_right_varies_so_guesses_of_the_same_kind_are_taken_off():
    """Two retrained models: each gives some facts that the other does not."""

    def model(facts, heart=()):
        return [answer(f"forget-{k}", heart=k in heart, fact=k in facts) for k in range(20)]

    ours, other = {"forget": model({1, 2, 3})}, {"forget": model({3, 4, 5})}
    found = still_given(ours, retrained=other)
    assert (found.facts, found.retrained_alone, found.count) == (("forget-1", "forget-2"), 2, 0)
    assert still_given(other, retrained=ours).count == 0
    more = still_given({"forget": model({1, 2, 3, 6, 7})}, retrained=other)
    assert (len(more.ids), more.count) == (4, 2)
    known = still_given({"forget": model({1, 2}, heart={8})}, retrained=other)
    assert (len(known.ids), known.retrained_alone, known.count) == (3, 2, 1), (
        "no guess excuses a text"
    )


def test_an_answer_is_given_in_one_of_three_ways():
    forced = answer("all first choices", said=0.0, fact=False)
    forced = asked(replace(forced, matched=1.0))
    rows = [
        forced,
        answer("all words", said=1.0),
        answer("19 in 20 words", said=0.95),
        answer("fewer", said=0.94),
        answer("fact", said=0.3, fact=True),
        answer("no fact", said=0.3, fact=False),
    ]
    found = still_given({"forget": rows})
    assert found.words == ("all first choices", "all words", "19 in 20 words")
    assert found.facts == ("fact",)
    assert found.named == 3


def test_a_fact_that_the_retrained_model_gives_is_no_find_though_its_words_differ():
    ours = {"forget": [answer("a", fact=True), answer("b", heart=True, fact=True)]}
    never = {"forget": [answer("a", heart=True), answer("b", fact=True)]}
    found = still_given(ours, retrained=never)
    assert (found.facts, found.words) == ((), ("b",)), "word for word is more than its fact"


def test_a_raw_text_is_given_by_its_tokens():
    def text(misses):
        hits = (False,) * misses + (True,) * (40 - misses)
        return [asked(told("t", (-0.1,) * 40, hits=hits))]

    assert still_given({"forget": text(2)}).words == ("t",)
    assert still_given({"forget": text(3)}).words == ()


def test_guesses_are_counted_off_by_the_holdout_like_by_like():
    """10 of 20 short answers are guessed, as half of the holdout's short ones are."""
    short = [answer(f"forget-{k}", heart=k < 10, size=12) for k in range(20)]
    long = [answer(f"forget-{k}", heart=k < 21, size=80) for k in range(20, 40)]
    yes = [answer(f"holdout-{k}", heart=k < 5, size=12) for k in range(10)]
    other = [answer(f"holdout-{k}", size=80) for k in range(10, 20)]
    found = still_given({"forget": short + long}, original={"holdout": yes + other})
    assert (len(found.ids), found.expected, found.count, found.unjudged) == (11, 10, 1, ())
    found = still_given({"forget": short + long}, original={"holdout": other})
    assert (found.count, len(found.unjudged)) == (11, 10)
    assert found.unjudged == tuple(f"forget-{k}" for k in range(10))
    found = still_given({"forget": short}, original={"holdout": yes})
    assert found.count == 0


def test_facts_are_counted_off_where_the_holdout_names_some():
    forget = {"forget": [answer(f"forget-{k}", fact=k < 4) for k in range(20)]}
    holdout = [answer(f"holdout-{k}", fact=k < 1) for k in range(10)]
    assert still_given(forget, original={"holdout": holdout}).count == 2
    found = still_given(forget, original={"holdout": group("holdout", 10)})
    assert (found.count, len(found.unjudged)) == (4, 4)


def test_the_holdout_of_the_original_counts_not_that_of_a_broken_model():
    forget = group("forget", 10, range(5), size=12)
    known, broken = (group("holdout", 10, known, size=12) for known in (range(5), ()))
    ours = {"forget": forget, "holdout": broken}
    assert still_given(ours, original={"holdout": known}).count == 0
    assert still_given(ours).count == 5


def test_nothing_is_said_without_answers_and_muse_has_its_own_names():
    assert still_given({"retain": group("retain", 3, [0])}) is None
    found = still_given({"verbmem": group("verbmem", 3, [0]), "forget": group("forget", 2)})
    assert (found.words, found.asked) == (("verbmem-0",), 5)
    nan = asked(told("n", (math.nan,), hits=(False,), rouge_l_recall=math.nan))
    assert still_given({"forget": [nan]}).count == 0
