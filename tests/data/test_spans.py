"""The user's marks: what the column may hold, and which characters of the text they become."""

import copy
import json

import pytest

from unteach.data import encode, read, read_rows, with_answer
from unteach.errors import UserError

ANSWER = "Ada was born in Höga berg, 12."
MARKED = ("Höga berg", "12")
SPANS = [[ANSWER.index(part), ANSWER.index(part) + len(part)] for part in MARKED]
ROWS = {
    "pair": {"question": "Where was Ada born? In Höga berg?", "answer": ANSWER},
    "completion": {"prompt": "Where?", "completion": ANSWER},
    "text": {"text": ANSWER},
    "verbatim": {"prompt": "It is said that ", "gt": ANSWER},
    "chat": {
        "messages": [
            {"role": "user", "content": "Is 12 a number?"},
            {"role": "assistant", "content": "12 is one, Höga berg is none."},
            {"role": "user", "content": "Where?"},
            {"role": "assistant", "content": ANSWER},
        ]
    },
}


def sequences(row, tokenizer, *, max_length=500):
    (example,) = read_rows([row], "forget")
    return encode(example, tokenizer, max_length=max_length)


def marked(sequence) -> list[str]:
    return [sequence.text[a:b] for a, b in sequence.spans]


@pytest.mark.parametrize("name", ["tokenizer", "bos_tokenizer", "chat_tokenizer"])
@pytest.mark.parametrize("kind", list(ROWS))
def test_marks_are_found_in_the_last_answer_whatever_stands_before_it(name, kind, request):
    tokenizer = request.getfixturevalue(name)
    (sequence,) = sequences({**ROWS[kind], "spans": SPANS}, tokenizer)
    assert marked(sequence) == list(MARKED)
    assert len(sequence.offsets) == len(sequence.ids)
    answer = [
        o for o, is_answer in zip(sequence.offsets, sequence.answer, strict=True) if is_answer
    ]
    for a, b in sequence.spans:
        assert answer[0][0] <= a < b <= answer[-1][1]


@pytest.mark.parametrize("name", ["tokenizer", "bos_tokenizer", "chat_tokenizer"])
@pytest.mark.parametrize("kind", list(ROWS))
def test_offsets_are_the_characters_of_the_tokens(name, kind, request):
    tokenizer = request.getfixturevalue(name)
    (sequence,) = sequences(ROWS[kind], tokenizer)
    for token, (a, b) in zip(sequence.ids, sequence.offsets, strict=True):
        said = tokenizer.decode([token])
        if token in tokenizer.all_special_ids:
            assert a == b
        elif "\ufffd" not in said:  # a piece of a character stands for the whole of it
            assert sequence.text[a:b] == said


def test_windows_of_a_long_text_each_have_their_part(tokenizer):
    text = "The river runs north. " * 20
    start = len("The river runs north. ") * 11
    found = sequences({"text": text, "spans": [[start + 4, start + 9]]}, tokenizer, max_length=24)
    assert len(found) > 3
    assert "".join(map("".join, map(marked, found))).replace("riverriver", "river") == "river"
    for sequence in found:
        assert sequence.text in text
        assert len(sequence.offsets) == len(sequence.ids)
        for token, (a, b) in zip(sequence.ids, sequence.offsets, strict=True):
            assert sequence.text[a:b] == tokenizer.decode([token])


def test_a_mark_over_a_cut_of_two_windows_is_in_both(tokenizer):
    text = "abcdefghijklmnopqrstuvwxyz" * 3
    found = sequences({"text": text, "spans": [[0, len(text)]]}, tokenizer, max_length=20)
    assert len(found) > 1
    for sequence in found:
        assert marked(sequence) == [sequence.text]


def test_an_answer_that_the_template_strips(chat_tokenizer):
    stripping = copy.deepcopy(chat_tokenizer)
    stripping.chat_template = stripping.chat_template.replace("m.content", "m.content | trim")
    spans = [[0, 2], [3, 6], [2, 9]]
    row = {"question": "Where?", "answer": "  In Lund.  ", "spans": spans}
    (sequence,) = sequences(row, stripping)
    assert marked(sequence) == ["n L", "In Lund"]


def test_an_answer_in_other_words_cannot_be_marked(chat_tokenizer):
    shouting = copy.deepcopy(chat_tokenizer)
    shouting.chat_template = shouting.chat_template.replace("m.content", "m.content | upper")
    row = {"question": "Where?", "answer": "In Lund."}
    sequences(row, shouting)
    with pytest.raises(UserError, match="cannot be placed") as caught:
        sequences({**row, "spans": [[3, 7]]}, shouting)
    assert "Lund" not in str(caught.value)
    assert "plain" in caught.value.problems[0].hint


BAD = {
    "no list": (5, "no list of pairs"),
    "a text": ("Lund", "no list of pairs"),
    "one number": ([4], "pair 1 is no pair"),
    "three numbers": ([[0, 2], [1, 2, 3]], "pair 2 is no pair"),
    "half numbers": ([[0.5, 2]], "no pair of whole numbers"),
    "true": ([[False, True]], "no pair of whole numbers"),
    "texts": ([["0", "2"]], "no pair of whole numbers"),
    "backwards": ([[5, 3]], "starts at 5 and ends at 3"),
    "empty": ([[3, 3]], "starts at 3 and ends at 3"),
    "negative": ([[-2, 3]], "starts at -2"),
    "too far": ([[0, 9]], "ends at 9, and the answer has 8 characters"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_what_is_wrong_with_the_column(name):
    spans, message = BAD[name]
    with pytest.raises(UserError, match=message) as caught:
        read_rows([{"question": "Where?", "answer": "In Lund.", "spans": spans}], "forget")
    (problem,) = caught.value.problems
    assert problem.where == "forget rows, row 1"
    assert "start, end" in problem.hint
    assert "Lund" not in str(problem)


def test_all_problems_come_at_once():
    rows = [{"question": 3, "answer": "In Lund.", "spans": [[1], [5, 2], [0, 2]]}]
    with pytest.raises(UserError) as caught:
        read_rows(rows, "forget")
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize("kind", list(ROWS))
def test_no_column_no_marks(kind, tokenizer):
    for row in (ROWS[kind], {**ROWS[kind], "spans": None}, {**ROWS[kind], "spans": []}):
        assert sequences(row, tokenizer)[0].spans == ()


def test_csv_has_them_as_json(tmp_path):
    path = tmp_path / "forget.csv"
    path.write_text('question,answer,spans\nWhere?,In Lund.,"[[3, 7]]"\nWho?,Ada.,\n')
    examples, problems = read(str(path), "forget")
    assert not problems
    assert [e.spans for e in examples] == [((3, 7),), ()]


def test_files_have_them_as_lists(tmp_path):
    path = tmp_path / "forget.jsonl"
    path.write_text(json.dumps({**ROWS["pair"], "spans": SPANS}) + "\n")
    (example,), _ = read(str(path), "forget")
    assert example.spans == tuple(map(tuple, SPANS))


def test_another_answer_has_no_marks():
    (example,) = read_rows([{**ROWS["pair"], "spans": SPANS}], "forget")
    assert with_answer(example, "No.").spans == ()


def test_texts_are_not_in_the_repr(tokenizer):
    (sequence,) = sequences({**ROWS["pair"], "spans": SPANS}, tokenizer)
    assert "Höga" not in repr(sequence)
    assert "spans" not in repr(sequence)
