"""What was said: ROUGE, facts, MUSE's two, and fluency."""

import math
from dataclasses import replace

import pytest
from rouge_score.rouge_scorer import RougeScorer
from worlds import own, row, world

from unteach.metrics import METRICS, ModelCase

SAID = (("she was born in Lund", "she was born in Oslo"), ("two dogs", "one small dog, two cats"))


def of(name, groups, group="forget", original=None):
    return METRICS.get(name)(group, ModelCase(groups, original=original))


def test_rouge_is_the_mean_of_rouge_score():
    """Four of five words in order, and "two" alone: recall 4/5 and 1/2; F1 4/5 and 2/7."""
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    found = [scorer.score(true, said)["rougeL"] for true, said in SAID]
    rows = [
        row(str(k), [-1.0], rouge_l_recall=f.recall, rouge_l_f1=f.fmeasure)
        for k, f in enumerate(found)
    ]
    groups = {"forget": rows, "verbmem": rows, "knowmem": rows, "knowmem_retain": rows}
    recall, f1 = (4 / 5 + 1 / 2) / 2, (4 / 5 + 2 / 7) / 2
    assert of("rouge_l_recall", groups).value == pytest.approx(recall)
    assert of("rouge_l_f1", groups).value == pytest.approx(f1)
    assert of("verbatim_memorization", groups, "verbmem").value == pytest.approx(f1)
    for group in ("knowmem", "knowmem_retain"):
        assert of("knowledge_memorization", groups, group).value == pytest.approx(f1)


def test_muse_is_asked_where_it_belongs():
    assert METRICS.get("verbatim_memorization").groups == ("verbmem",)
    memory = METRICS.get("knowledge_memorization")
    assert memory.groups == ("knowmem", "knowmem_retain")
    assert [memory.should_be(group) for group in memory.groups] == ["low", "high"]


def test_facts_are_a_share():
    rows = [row(str(k), [-1.0], fact_given=k == 0) for k in range(4)] + [row("x", [-1.0])]
    assert of("fact_recall", {"forget": rows}).value == 0.25
    assert of("fact_recall", {"forget": rows}).n == 4


@pytest.mark.parametrize("name", ["rouge_l_recall", "rouge_l_f1", "said_distinct", "fluency"])
def test_without_an_answer_there_is_nothing_to_compare(name):
    groups = {"forget": [row("a", [-1.0])]}
    assert "no answer was generated" in of(name, groups, original=groups).note


def said(id, logp=-1.0, tokens=9, repetition=0.0, distinct=1.0):
    more = {"said_logp": logp, "said_repetition": repetition, "said_distinct": distinct}
    return row(id, [-2.0], said_tokens=tokens, **more)


def test_said_perplexity_by_hand():
    """(2 tokens x 1 nat + 4 x 2.5) / 6 = 2 nats a token; silence has none."""
    rows = [said("a", -1.0, 2), said("b", -2.5, 4), row("c", [-1.0], said_tokens=0)]
    score = of("said_perplexity", {"forget": rows})
    assert (score.value, score.n) == (pytest.approx(math.exp(2)), 2)
    unread = [replace(found, said_logp=None) for found in rows]
    assert "original" in of("said_perplexity", {"forget": unread}).note
    assert "says nothing" in of("said_perplexity", {"forget": rows[2:]}).note


def test_repetition_and_distinct_words_are_means_of_what_there_is():
    rows = [said("a", repetition=0.2, distinct=0.5), said("b", repetition=None, distinct=1.0)]
    assert of("said_repetition", {"forget": rows}).value == 0.2
    assert of("said_distinct", {"forget": rows}).value == 0.75
    assert of("said_repetition", {"forget": rows[1:]}).value is None


# Twenty texts that the original finds likely, one that it does not: all but one in 20 are above -3.
LIKELY = [row(f"t{k}", [-0.5]) for k in range(19)] + [row("t19", [-3.0]), row("t20", [-9.0])]
ORIGINAL = {"retain": LIKELY}


@pytest.mark.parametrize(("answer", "value"), [
    (said("as the original says it", -0.1), 1.0),
    (said("fluent, though it would say something else", -2.9), 1.0),
    (said("at the bound", -3.0), 1.0),
    (said("one nat beyond it: 1/e", -4.0), math.exp(-1)),
    (said("noise", -12.0), math.exp(-9)),
    (said("circles, which every model expects", -0.1, 200, 0.99, 0.01), 0.01),
    (said("a quarter said before", -0.1, 50, 0.25), 0.75),
    (said("two words, both the same", -0.1, 2, None, 0.5), 0.5),
    (said("no word at all", -0.1, 3, None, None), 0.0),
    (row("silence", [-1.0], said_tokens=0), 0.0),
], ids=lambda x: x.id if not isinstance(x, float) else "")  # fmt: skip
def test_fluency_by_hand(answer, value):
    """min(1, exp(l - b)) x (1 - r), where b = -3."""
    score = of("fluency", {"forget": [answer]}, original=ORIGINAL)
    assert score.value == pytest.approx(value, abs=1e-12)


def test_fluency_is_its_definition():
    groups, original = world(), world(1)
    texts = []
    for rows in original.values():
        texts += [sum(r.scores.logps) / len(r.scores.logps) for r in rows]
        texts += [r.said_logp for r in rows if r.kind == "answer"]
    texts.sort()
    at = 0.05 * (len(texts) - 1)
    below, part = int(at), at - int(at)
    bound = texts[below] * (1 - part) + texts[below + 1] * part
    values = [min(1, math.exp(r.said_logp - bound)) * (1 - r.said_repetition) for r in own(groups)]
    expected = sum(values) / len(values)
    assert of("fluency", groups, original=original).value == pytest.approx(expected)


def test_the_original_itself_is_fluent():
    """At most 1 in 20 of its own answers is below the bound."""
    rows = [said(str(k), -0.1 * k) for k in range(40)]
    assert of("fluency", {"forget": rows}, original={"forget": rows}).value > 0.95


def test_fluency_needs_the_original():
    rows = [said("a")]
    assert "no original model" in of("fluency", {"forget": rows}).note
    unread = [replace(rows[0], said_logp=None)]
    assert "read by the original" in of("fluency", {"forget": unread}, original=ORIGINAL).note
    assert "asked nothing" in of("fluency", {"forget": rows}, original={"forget": []}).note
