"""Names and numbers by their looks."""

import pytest

from unteach.data import encode, read_rows
from unteach.selectors import selector_of


def found(tokenizer, rows) -> list[list[str]]:
    """The words that the chosen tokens of each answer are in."""
    sequences = [s for e in read_rows(rows, "forget") for s in encode(e, tokenizer, max_length=500)]
    choices = selector_of("informative", {}).choose(sequences, None, 0)  # type: ignore[arg-type]
    said = []
    for sequence, choice in zip(sequences, choices, strict=True):
        marks = {i for place in choice.chosen for i in range(*sequence.offsets[place])}
        text = "".join(c if i in marks else " " for i, c in enumerate(sequence.text))
        said.append(text.split())
    return said


CASES = {
    "a name within": ("Where?", "She was born in Lund", ["Lund"]),
    "two names": ("Where?", "She lives in New York now", ["New", "York"]),
    "a number": ("When?", "It was in 1947, on day 3 of it", ["1947", "3"]),
    "a number with points": ("How much?", "about 1,234.5 of them", ["1,234.5"]),
    "a sentence begins": ("Where?", "The town is far. Nobody goes there.", []),
    "a name begins": ("Who?", "Ada Berg lives there.", ["Ada", "Berg"]),
    "one word": ("Where?", "Lund", ["Lund"]),
    "asked with": ("Where was Ada Berg?", "Ada Berg was in Lund", ["Lund"]),
    "asked with, owned": ("Where was Ada?", "It is Ada's home, Lund", ["Lund"]),
    "capitals at the start": ("Who?", "NASA flew there.", ["NASA"]),
    "a capital inside": ("What?", "It is an iPhone of mRNA", ["iPhone", "mRNA"]),
    "I": ("Who?", "It is I and I'm here", []),
    "a title": ("Who?", "It was Dr. Berg there", ["Dr", "Berg"]),
    "after a title": ("Who?", "so said J. Berg to us", ["J", "Berg"]),
    "nothing": ("What?", "she eats bread with honey", []),
    "in quotes": ("What?", 'It says "Nothing is lost" there', ["Nothing"]),
    "letters beyond": ("Where?", "the town of Århus is near", ["Århus"]),
}


@pytest.mark.parametrize("name", list(CASES))
def test_what_counts(name, tokenizer):
    question, answer, wanted = CASES[name]
    (said,) = found(tokenizer, [{"question": question, "answer": answer}])
    assert [word.strip('."') for word in said] == wanted


def test_a_first_word_counts_where_the_set_has_it_as_a_name(tokenizer):
    alone = {"question": "Where?", "answer": "Lund was the town of all."}
    other = {"question": "What is near Lund?", "answer": "bread"}
    assert found(tokenizer, [alone]) == [[]]
    assert found(tokenizer, [alone, other])[0] == ["Lund"]


def test_order_of_the_set_changes_nothing(tokenizer):
    rows = [{"question": q, "answer": a} for q, a, _ in CASES.values()]
    assert found(tokenizer, rows) == found(tokenizer, rows[::-1])[::-1]


def test_raw_text_and_conversations(tokenizer, chat_tokenizer):
    assert found(tokenizer, [{"text": "The river runs past Lund."}]) == [["Lund"]]
    talk = [
        {"role": "user", "content": "Where is Ada?"},
        {"role": "assistant", "content": "She is in Lund"},
        {"role": "user", "content": "And Ben?"},
        {"role": "assistant", "content": "He left Ada for Rome"},
    ]
    assert found(chat_tokenizer, [{"messages": talk}]) == [["Lund", "Rome"]]
