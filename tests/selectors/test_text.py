"""From characters to tokens, on sentences tokenised by hand and by real tokenizers."""

import pytest

from unteach.data import encode, read_rows
from unteach.errors import UserError
from unteach.selectors import answer_parts, selector_of, tokens_in
from unteach.selectors._text import words
from unteach.types import Sequence

ANSWER = "Ada was born in Höga berg, 12."


def said(text: str, pieces: list[str], answer_from: int) -> Sequence:
    """A sequence of these pieces of a text, one token each."""
    offsets, at = [], 0
    for piece in pieces:
        offsets.append((at, at + len(piece)))
        at += len(piece)
    assert at == len(text)
    answer = tuple(k >= answer_from for k in range(len(pieces)))
    return Sequence(
        "forget-0", tuple(range(len(pieces))), answer, text=text, offsets=tuple(offsets)
    )


HAND = said("Who? Ada lives in Lund.", ["Who", "?", " Ada", " lives", " in", " Lu", "nd."], 2)


@pytest.mark.parametrize(
    ("span", "tokens"),
    [
        ((18, 22), {5, 6}),  # Lund; the second token has the full stop in it too
        ((18, 19), {5}),
        ((17, 18), set()),  # a blank alone
        ((8, 18), {3, 4}),  # " lives in ": the blank before Lund is not Lund
        ((5, 8), {2}),
        ((0, 5), set()),  # the question
        ((0, 23), {2, 3, 4, 5, 6}),
        ((7, 10), {2, 3}),
    ],
)
def test_a_token_is_in_when_it_shares_a_letter(span, tokens):
    assert tokens_in(HAND, [span]) == tokens


def test_special_tokens_and_tokens_of_no_character_are_in_nothing():
    ends = Sequence(
        "a-0", (5, 6, 1), (False, True, True), text="a b", offsets=((0, 1), (1, 3), (3, 3))
    )
    assert tokens_in(ends, [(0, 3)]) == {1}


def test_a_blank_of_its_own_between_marked_words_is_in():
    two = said("Q Ada Berg", ["Q", " ", "Ada", " ", "Berg"], 1)
    assert tokens_in(two, [(2, 10)]) == {2, 3, 4}


@pytest.mark.parametrize(
    "marked", ["Ada", "Höga berg", "12", "ö", "born in", "Ada was born in Höga"]
)
@pytest.mark.parametrize("kind", ["pair", "text", "chat"])
def test_marked_words_and_their_tokens(any_tokenizer, marked, kind):
    """The chosen tokens say the marked words, and no token without a marked letter is chosen."""
    row = {
        "pair": {"question": "Where was Ada born in Höga berg? 12", "answer": ANSWER},
        "text": {"text": ANSWER},
        "chat": {
            "messages": [
                {"role": "user", "content": "Where?"},
                {"role": "assistant", "content": ANSWER},
            ]
        },
    }[kind]
    start = ANSWER.index(marked)
    row = {**row, "spans": [[start, start + len(marked)]]}
    (sequence,) = encode(*read_rows([row], "forget"), any_tokenizer, max_length=500)
    (choice,) = selector_of("spans", {}).choose([sequence], None, 0)  # type: ignore[arg-type]
    chosen = sorted(choice.chosen)
    if kind == "text" and marked.startswith("Ada") and not sequence.answer[0]:
        return  # nothing predicts the first token of a text without bos
    assert all(sequence.answer[i] for i in chosen)
    words_said = any_tokenizer.decode([sequence.ids[i] for i in chosen]).strip()
    assert marked in words_said or (marked == "ö" and "ö" in words_said)
    shorter = any_tokenizer.decode([sequence.ids[i] for i in chosen[1:]])
    assert marked not in shorter or chosen[0] == chosen[-1]
    for i in chosen:
        a, b = sequence.offsets[i]
        assert any(start <= k - answer_start(sequence) < start + len(marked) for k in range(a, b))


def answer_start(sequence) -> int:
    return sequence.text.rindex(ANSWER)


def test_answers_are_where_the_answer_tokens_are():
    assert [HAND.text[a:b] for a, b in answer_parts(HAND)] == ["Ada lives in Lund."]
    listener = Sequence(
        "a-0",
        (1, 2, 3, 4, 5),
        (False, True, False, True, True),
        text="ab cd",
        offsets=((0, 1), (1, 2), (2, 3), (3, 4), (4, 5)),
    )
    assert answer_parts(listener) == [(1, 2), (3, 5)]


def test_answers_have_no_end_marker_in_them(chat_tokenizer):
    rows = [{"question": "Where?", "answer": ANSWER}]
    (sequence,) = encode(*read_rows(rows, "forget"), chat_tokenizer, max_length=500)
    assert [sequence.text[a:b] for a, b in answer_parts(sequence)] == [ANSWER]
    assert sequence.answer[-1]


def test_words_join_pieces_and_bytes(tokenizer):
    rows = [{"question": "Wo?", "answer": ANSWER}]
    (sequence,) = encode(*read_rows(rows, "forget"), tokenizer, max_length=500)
    found = words(sequence)
    keys = ["question", "wo", "answer", "ada", "was", "born", "in", "höga", "berg", "12"]
    assert [word.key for word in found] == keys
    places = [place for word in found for place in word.places]
    assert places == sorted(set(places))


@pytest.mark.parametrize("name", ["spans", "informative"])
def test_tokens_alone_cannot_be_read(name):
    bare = Sequence("forget-0", (5, 6, 7), (False, True, True))
    with pytest.raises(UserError, match="tokens alone"):
        list(selector_of(name, {}).choose([bare], None, 0))  # type: ignore[arg-type]
