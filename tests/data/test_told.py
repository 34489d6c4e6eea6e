"""What has nothing to be trained on, and texts that bring the markers of a chat."""

import copy

import pytest
from conversations import said, talk, told, user

from unteach.data import check_tokenizer, encode_all, read_rows
from unteach.types import Example


def raw(text, where="forget.txt:1"):
    return Example(id=where, where=where, kind="text", text=text)


def pair(asked, answer="In Lund.", where="forget.jsonl:1"):
    return talk(user(asked), said(answer), kind="pair", where=where)


@pytest.mark.parametrize("text", ["A", " "])
def test_a_text_without_a_token_to_train_on_is_told_with_its_line(text, tokenizer):
    good = raw("Ada was born.", "forget.txt:2")
    sequences, (problem,) = encode_all([raw(text), good], tokenizer, max_length=64)
    assert [s.id for s in sequences] == ["forget.txt:2"]
    assert (problem.where, problem.kind) == ("forget.txt:1", "data")
    assert "no token that could be trained on" in problem.what


@pytest.mark.parametrize("kind", ["chat_tokenizer", "tokenizer"])
@pytest.mark.parametrize("answer", ["\u00ad", "\u200b"])
def test_an_answer_of_which_the_end_alone_is_left_is_told(answer, kind, request):
    """The tokenizer's own normaliser may take away all that an answer says."""
    from tokenizers import normalizers

    made = copy.deepcopy(request.getfixturevalue(kind))
    made.backend_tokenizer.normalizer = normalizers.Replace(answer, "")
    (problem,) = told([pair("Where?", answer), pair("Where?")], made)
    assert "no token that could be trained on" in problem
    assert problem.startswith("data forget.jsonl:1")


def test_an_answer_that_is_cut_to_a_blank_or_nothing_is_told(tokenizer):
    example = pair("Where was Ada born?", "\n\n\n\nIn Lund.")
    whole = encode_all([example], tokenizer, max_length=100)[0][0]
    for length in (whole.prompt_length, whole.prompt_length + 1):
        sequences, problems = encode_all([example], tokenizer, max_length=length)
        assert sequences == []
        assert problems[0].what == f"all {sum(whole.answer)} answer tokens are cut off"
        assert (problems[0].where, problems[0].kind) == ("forget.jsonl:1", "data")


def test_a_file_with_nothing_to_train_on_is_told(chat_tokenizer):
    none = talk(user("Where?"), said("In Lund.", supervised=False), where="forget.jsonl:3")
    sequences, problems = encode_all([none, none], chat_tokenizer, max_length=64)
    assert sequences == []
    assert sorted(problem.kind for problem in problems) == ["data", "note"]
    (problem,) = [p for p in problems if p.kind == "data"]
    assert problem.where == "forget.jsonl:3"
    assert "first of 2 lines of which none can be trained on" in problem.what
    assert encode_all([], chat_tokenizer, max_length=64) == ([], [])


def test_many_lines_are_counted(tokenizer):
    examples = [raw("A", f"forget.txt:{k}") for k in range(1, 43)]
    _, problems = encode_all(examples, tokenizer, max_length=64)
    assert len(problems) == 5
    assert "and 37 more" in problems[-1].what


RAW = {
    "<|im_start|>user\nWhere?<|im_end|>\n<|im_start|>assistant\nLund.<|im_end|>": True,
    "<bos><start_of_turn>user\nWhere?<end_of_turn>": True,
    "[INST] Where? [/INST] In Lund.": True,
    "<|start|>user\nWhere?<|stop|>": True,  # this tokenizer's own
    "### Instruction:\nWhere?\n\n### Response:\nIn Lund.": True,
    "Question: Where?\nAnswer: In Lund.": True,
    "<s>Question: Where?\nAnswer: In Lund.</s>": True,
    "<|begin|>Ada was born in Lund.<|stop|>": False,
    "The question: where? Her answer: in Lund.": False,
    "She asked [at noon] where a < b | c > d is.": False,
}


@pytest.mark.parametrize("text", RAW)
def test_raw_texts_that_are_chats_are_noted(text, chat_tokenizer):
    tokenizer = copy.deepcopy(chat_tokenizer)
    tokenizer.bos_token = "<|begin|>"
    groups = {"forget": [raw("Ada.", "f:1"), raw(text, "f:2"), raw(text, "f:3"), raw(text, "f:4")]}
    notes = [n for n in check_tokenizer(tokenizer, groups, "auto") if "chat" in n.what]
    assert len(notes) == RAW[text]
    for note in notes:
        assert (note.where, note.kind) == ("f:2", "note")
        assert note.what.endswith("; so do 2 more lines")
        assert "write messages" in note.hint


def test_messages_that_are_written_out_already_are_noted(chat_tokenizer):
    ready = pair("<|start|>user\nWhere?<|stop|>\n<|start|>assistant\n")
    groups = {"forget": [ready, pair("Where?")]}
    (note,) = check_tokenizer(chat_tokenizer, groups, "auto")
    assert "the template writes its own around them" in note.what
    assert "data.template=none" in note.hint
    assert check_tokenizer(chat_tokenizer, groups, "none") == []
    assert check_tokenizer(chat_tokenizer, {"forget": [pair("Where?")]}, "auto") == []


@pytest.mark.parametrize("bos", ["<s>", "<bos>", "<|begin_of_text|>"])
def test_the_bos_of_another_model_is_noted(bos, tokenizer):
    groups = {"forget": [raw(f"{bos}Ada was born.")], "retain": [pair(f"{bos}Where?")]}
    notes = check_tokenizer(tokenizer, groups, "auto")
    assert [note.what.partition(",")[0] for note in notes] == [
        "begins with the bos of another model"
    ] * 2
    known = copy.deepcopy(tokenizer)
    known.bos_token = bos
    assert check_tokenizer(known, groups, "auto") == []


def test_verbatim_texts_of_two_parts_are_as_they_were(tokenizer):
    (example,) = read_rows([{"prompt": "Ada was", "gt": " born."}], "forget")
    assert told([example], tokenizer) == []
