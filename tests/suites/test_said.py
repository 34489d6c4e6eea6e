"""What a model said, counted by hand."""

import pytest
from rouge_score.rouge_scorer import RougeScorer

from unteach.suites.generated import begun, decoded, distinct, repetition, rouge_l


@pytest.mark.parametrize(
    ("said", "expected"),
    [("a b c d", "a c d e"), ("x y", "a b"), ("b a b a", "a b"), ("a b c", "a b c"), ("", "a")],
)
def test_rouge_l_f1_is_the_harmonic_mean_of_recall_and_precision(said, expected):
    """Recall is LCS / expected words, precision LCS / said words; precision is recall turned."""
    found = rouge_l(said, expected)
    recall, precision = found.recall, rouge_l(expected, said).recall
    whole = recall + precision
    assert found.f1 == pytest.approx(2 * recall * precision / whole if whole else 0.0)


def test_rouge_is_that_of_rouge_score_with_stems():
    theirs = RougeScorer(["rougeL"], use_stemmer=True).score("the houses burned", "a house burns")
    found = rouge_l("a house burns", "the houses burned")
    assert found == (theirs["rougeL"].recall, theirs["rougeL"].fmeasure)
    assert found.recall == pytest.approx(2 / 3)  # house and burn, of three words


def test_repetition_by_hand():
    """abcd bcda cdab dabc abcd: five 4-grams, one of which stood there before."""
    assert repetition("a b c d a b c d") == pytest.approx(1 / 5)
    assert repetition("a b c d e f g h") == 0
    assert repetition("a " * 50) == pytest.approx(46 / 47)
    assert repetition("a b c") is None
    assert repetition("") is None


def test_distinct_words_by_hand():
    assert distinct("a b a c") == 3 / 4
    assert distinct("a") == 1
    assert distinct("") is None


def test_what_was_said_ends_before_the_stop(tokenizer):
    text = "Ada was born in Lund.\nQuestion: Where was Ben?"
    ids = tokenizer(text)["input_ids"]
    kept, whole = decoded(ids, tokenizer, ("\n\n", "\nQuestion"))
    assert kept == "Ada was born in Lund."
    assert tokenizer.decode(whole) == kept[: len(tokenizer.decode(whole))]
    assert whole == ids[: len(whole)]
    assert not kept.startswith(tokenizer.decode(ids[: len(whole) + 1]))
    assert decoded(ids, tokenizer) == (text, ids)
    assert decoded(ids, tokenizer, ("nowhere",)) == (text, ids)
    assert decoded(ids, tokenizer, ("Ada",)) == ("", [])
    assert decoded([], tokenizer, ("Ada",)) == ("", [])


def test_the_beginning_of_a_text(tokenizer):
    text = "Ada was born in Lund."
    ids = tokenizer(text)["input_ids"]
    assert begun(text, tokenizer, None) == begun(text, tokenizer, len(ids)) == text
    assert begun(text, tokenizer, 3) == tokenizer.decode(ids[:3])
    assert text.startswith(begun(text, tokenizer, 3))
