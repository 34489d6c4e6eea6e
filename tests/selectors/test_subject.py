"""The subject: retrained_alone for another's, and what falls."""

import math

import pytest

from unteach.data import encode, read_rows
from unteach.selectors import selector_of

PEOPLE = {"Ada": "Lund", "Ben": "Rome", "Eva": "Oslo", "Kim": "Kyiv"}
ROWS = [
    {"question": f"Where was {who} born?", "answer": f"{who} was born in {town}."}
    for who, town in PEOPLE.items()
]


def sequences(tokenizer, rows=ROWS):
    return [s for e in read_rows(rows, "forget") for s in encode(e, tokenizer, max_length=500)]


class Knows:
    """A model that is sure of a town after the right name, and of all else always."""

    def __init__(self, tokenizer):
        special = set(tokenizer.all_special_ids)
        self.tokenizer = tokenizer
        self.tokens = [i for i in range(len(tokenizer)) if i not in special]
        self.calls, self.texts = 0, []

    def logps(self, texts):
        self.calls += 1
        self.texts += texts
        return [self._one(list(ids)) for ids in texts]

    def _one(self, ids):
        text = self.tokenizer.decode(ids)
        asked, town = text.index("?"), text.index(" in ", text.index("?")) + len(" in")
        right = any(who in text[:asked] and town_of in text for who, town_of in PEOPLE.items())
        found, at = [], 0
        for token in ids:
            at += len(self.tokenizer.decode([token]))
            found.append(-5.0 if at > town and not right else -0.1)
        return [0.0, *found[1:]]


def said(tokenizer, sequence, choice) -> str:
    return tokenizer.decode([sequence.ids[i] for i in sorted(choice.chosen)])


def test_what_hangs_on_the_subject_is_chosen(tokenizer):
    texts = sequences(tokenizer)
    oracle = Knows(tokenizer)
    choices = list(selector_of("subject", {"ratio": 1.0}).choose(texts, oracle, 0))
    for sequence, choice, town in zip(texts, choices, PEOPLE.values(), strict=True):
        assert said(tokenizer, sequence, choice) == f" {town}."
    assert oracle.calls == 1


def test_names_are_swapped_in_question_and_answer(tokenizer):
    oracle = Knows(tokenizer)
    list(selector_of("subject", {"swaps": 2}).choose(sequences(tokenizer)[:2], oracle, 0))
    texts = [tokenizer.decode(ids) for ids in oracle.texts]
    assert texts == [
        "Question: Where was Ada born?\nAnswer: Ada was born in Lund.<|end|>",
        "Question: Where was Ben born?\nAnswer: Ben was born in Lund.<|end|>",
        "Question: Where was Ben born?\nAnswer: Ben was born in Rome.<|end|>",
        "Question: Where was Ada born?\nAnswer: Ada was born in Rome.<|end|>",
    ]


def test_names_of_unequal_length(tokenizer):
    rows = [
        {"question": "Where is Ada?", "answer": "Ada is in Lund."},
        {"question": "Where is Ben Olof Carl?", "answer": "Ben Olof Carl is in Rome."},
    ]
    oracle = Knows(tokenizer)
    list(selector_of("subject", {}).choose(sequences(tokenizer, rows), oracle, 0))
    texts = [tokenizer.decode(ids) for ids in oracle.texts]
    assert texts[1] == "Question: Where is Ben Olof Carl?\nAnswer: Ben Olof Carl is in Lund.<|end|>"
    assert texts[3] == "Question: Where is Ada?\nAnswer: Ada is in Rome.<|end|>"


class Noise(Knows):
    """Any number, though the same for the same text."""

    def _one(self, ids):
        return [0.0] + [-((sum(ids[: k + 1]) * 7919) % 101) / 10 for k in range(1, len(ids))]


@pytest.mark.parametrize("ratio", [0.1, 0.3, 0.6])
def test_as_many_as_asked_and_never_the_subject_or_the_end(tokenizer, ratio):
    texts = sequences(tokenizer)
    method, some = selector_of("subject", {"ratio": ratio}), 0
    for sequence, choice in zip(texts, method.choose(texts, Noise(tokenizer), 0), strict=True):
        length = sum(sequence.answer)
        assert len(choice.chosen) <= math.ceil(ratio * length)
        some += len(choice.chosen)
        assert all(sequence.answer[i] for i in choice.chosen)
        assert len(sequence.ids) - 1 not in choice.chosen
        words = said(tokenizer, sequence, choice)
        assert not any(who in words for who in PEOPLE)
    assert some > 0


def test_order_of_the_set_changes_nothing_and_the_seed_is_kept(tokenizer):
    texts = sequences(tokenizer, ROWS)
    method = selector_of("subject", {"swaps": 1})
    forth = list(method.choose(texts, Noise(tokenizer), 0))
    assert forth == list(method.choose(texts[::-1], Noise(tokenizer), 0))[::-1]
    assert forth == list(method.choose(texts, Noise(tokenizer), 0))
    others = [list(method.choose(texts, Noise(tokenizer), seed)) for seed in range(1, 6)]
    assert any(other != forth for other in others)


def test_one_subject_alone_gives_nothing(tokenizer):
    rows = [
        {"question": "Where did Ada come from?", "answer": "Ada was born in Lund."},
        {"question": "What does Ada eat?", "answer": "Ada eats bread."},
        {"question": "Who is Ada?", "answer": "Ada bakes bread."},
    ]
    texts = sequences(tokenizer, rows)
    choices = list(selector_of("subject", {}).choose(texts, Noise(tokenizer), 0))
    assert [len(c.chosen) for c in choices] == [0, 0, 0]


def test_raw_text_asks_nothing(tokenizer):
    texts = sequences(tokenizer, [{"text": "Ada was born."}, {"text": "Ben was born."}])
    choices = list(selector_of("subject", {}).choose(texts, Noise(tokenizer), 0))
    assert [len(c.chosen) for c in choices] == [0, 0]


def test_an_empty_set(tokenizer):
    assert list(selector_of("subject", {}).choose([], Noise(tokenizer), 0)) == []
