"""Which tokens are answer tokens."""

import pytest

from unteach.data import context_length, encode, encode_all, question, read_rows
from unteach.errors import UserError

PAIR = {"question": "Where was Ada born?", "answer": "Ada was born in Höga berg, 12."}
TALK = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Where?"},
        {"role": "assistant", "content": "In Lund."},
        {"role": "user", "content": "When?"},
        {"role": "assistant", "content": "At noon, in Lund."},
    ]
}


def one(row, tokenizer, *, max_length=500, template="auto"):
    (example,) = read_rows([row], "forget")
    (sequence,) = encode(example, tokenizer, max_length=max_length, template=template)
    return sequence


def supervised(sequence, tokenizer) -> str:
    ids = [t for t, answer in zip(sequence.ids, sequence.answer, strict=True) if answer]
    return tokenizer.decode(ids)


@pytest.mark.parametrize("template", ["auto", "plain", "none"])
def test_the_answer_and_its_end_are_supervised_and_nothing_else(any_tokenizer, template):
    row = PAIR if template != "none" else {"prompt": "Ada was born", "completion": " in Lund."}
    answer = row.get("answer") or row["completion"]
    sequence = one(row, any_tokenizer, template=template)
    said = supervised(sequence, any_tokenizer)
    assert said.replace(any_tokenizer.eos_token, "").strip() == answer.strip()
    assert sequence.ids[-1] == any_tokenizer.eos_token_id
    assert sequence.answer[-1]
    assert not sequence.answer[0]


def test_plain_template_is_the_documented_one(tokenizer):
    text = tokenizer.decode(one(PAIR, tokenizer).ids)
    assert text == f"Question: {PAIR['question']}\nAnswer: {PAIR['answer']}<|end|>"


def test_verbatim_joins_as_they_are(tokenizer):
    row = {"prompt": "Ada was", "completion": " born."}
    assert tokenizer.decode(one(row, tokenizer, template="none").ids) == "Ada was born.<|end|>"


def test_the_first_token_is_never_an_answer_token(tokenizer):
    """Nothing predicts it, even where the answer is all there is."""
    row = {"messages": [{"role": "assistant", "content": "Ada was born."}]}
    sequence = one(row, tokenizer, template="none")
    assert not sequence.answer[0]
    assert all(sequence.answer[1:])


def test_bos_stands_once_in_front(bos_tokenizer, shared_data):
    from transformers import AutoTokenizer

    stories = AutoTokenizer.from_pretrained(shared_data / "models" / "stories260K")
    for tokenizer in (bos_tokenizer, stories):
        ids = one(PAIR, tokenizer).ids
        assert ids[0] == tokenizer.bos_token_id
        assert ids.count(tokenizer.bos_token_id) == 1


def test_conversations_supervise_every_assistant_turn(chat_tokenizer):
    said = supervised(one(TALK, chat_tokenizer), chat_tokenizer)
    assert said == "In Lund.<|stop|>At noon, in Lund.<|stop|>"


def test_conversations_without_a_chat_template(tokenizer):
    sequence = one(TALK, tokenizer)
    assert tokenizer.decode(sequence.ids) == (
        "Be brief.\nQuestion: Where?\nAnswer: In Lund.\n"
        "Question: When?\nAnswer: At noon, in Lund.<|end|>"
    )
    assert supervised(sequence, tokenizer) == " In Lund. At noon, in Lund.<|end|>"


def test_a_template_that_changes_earlier_turns(chat_tokenizer):
    import copy

    forgetful = copy.deepcopy(chat_tokenizer)
    forgetful.chat_template = (
        "{% for m in messages %}{% if loop.last or m.role != 'assistant' %}<|start|>{{ m.role }}"
        "\n{{ m.content }}<|stop|>{% else %}[{{ m.content }}]{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
    )
    said = supervised(one(TALK, forgetful), forgetful)
    assert said == "In Lund.At noon, in Lund.<|stop|>"


def test_a_template_without_end_marker_gets_eos(chat_tokenizer):
    import copy

    bare = copy.deepcopy(chat_tokenizer)
    bare.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    bare.chat_template += "{% if add_generation_prompt %}assistant:{% endif %}"
    assert supervised(one(PAIR, bare), bare).strip() == PAIR["answer"] + "<|stop|>"


def test_a_chat_template_that_is_not_there_or_fails(tokenizer, chat_tokenizer):
    import copy

    with pytest.raises(UserError, match="no chat template"):
        one(PAIR, tokenizer, template="chat")
    strict = copy.deepcopy(chat_tokenizer)
    strict.chat_template = "{{ raise_exception('no system turns') }}"
    with pytest.raises(UserError, match="refuses it"):
        one(TALK, strict)


@pytest.mark.parametrize("length", range(1, 60, 3))
@pytest.mark.parametrize("kind", ["tokenizer", "bos_tokenizer"])
def test_windows_of_a_text_predict_every_token_once(kind, length, request):
    tokenizer = request.getfixturevalue(kind)
    text = ("Ada was born in Lund; " * length)[: 4 * length]
    (example,) = read_rows([{"text": text}], "forget")
    windows = encode(example, tokenizer, max_length=16)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    predicted = [t for w in windows for t, a in zip(w.ids, w.answer, strict=True) if a]
    assert predicted == (ids if kind == "bos_tokenizer" else ids[1:])
    assert all(len(w.ids) <= 16 for w in windows)
    assert [w.id for w in windows][:3] == ["forget-0", "forget-0/2", "forget-0/3"][: len(windows)]
    assert not any(w.answer[0] for w in windows)


def test_long_answers_are_cut_at_their_end_and_counted(tokenizer):
    whole = one(PAIR, tokenizer)
    cut = one(PAIR, tokenizer, max_length=len(whole.ids) - 4)
    assert cut.ids == whole.ids[:-4]
    assert cut.cut == 4
    examples = read_rows([PAIR], "forget")
    for max_length, message, kind in (
        (len(whole.ids) - 4, f"4 of {sum(whole.answer)} answer tokens are cut off", "note"),
        (8, f"all {sum(whole.answer)} answer tokens are cut off", "data"),
    ):
        sequences, (problem,) = encode_all(examples, tokenizer, max_length=max_length)
        assert problem.what == message
        assert problem.where == "forget rows, row 1"
        assert problem.kind == kind
        assert len(sequences) == (kind == "note")


def test_questions_end_where_the_answer_begins(any_tokenizer):
    (example,) = read_rows([PAIR], "forget")
    sequence = one(PAIR, any_tokenizer)
    prompt, expected, tokens = question(example, any_tokenizer, max_length=500)
    assert prompt == sequence.ids[: sequence.prompt_length]
    assert expected == PAIR["answer"]
    assert tokens == sum(sequence.answer)


def test_the_last_answer_of_a_conversation_is_asked_for(chat_tokenizer):
    (example,) = read_rows([TALK], "forget")
    prompt, expected, _ = question(example, chat_tokenizer, max_length=500)
    assert chat_tokenizer.decode(prompt).endswith("When?<|stop|>\n<|start|>assistant\n")
    assert expected == "At noon, in Lund."
    assert question(example, chat_tokenizer, max_length=10)[0] == ()


def test_raw_text_is_asked_to_go_on(tokenizer, bos_tokenizer):
    (example,) = read_rows([{"text": "Ada was born in Lund. Ben eats bread."}], "forget")
    for one_of in (tokenizer, bos_tokenizer):
        prompt, expected, tokens = question(example, one_of, max_length=500)
        joined = one_of.decode(prompt, skip_special_tokens=True) + expected
        assert joined == example.text
        assert tokens > 0
    (verbatim,) = read_rows([{"prompt": "Ada was", "gt": " born."}], "forget")
    prompt, expected, _ = question(verbatim, tokenizer, max_length=500)
    assert (tokenizer.decode(prompt), expected) == ("Ada was", " born.")


def test_context_is_the_least_that_is_known():
    from types import SimpleNamespace as Thing

    endless = Thing(model_max_length=int(1e30))
    assert context_length(Thing(max_position_embeddings=512), endless) == 512
    assert context_length(Thing(n_positions=1024), Thing(model_max_length=77)) == 77
    assert context_length(Thing(), endless) == 2048


def test_rows_share_equal_ids_and_ranges_and_hold_none_far_behind(tokenizer):
    """A range takes 64 bytes and more; thousands of rows have the same ones."""
    from unteach.data.encoding.tokens import NEAR_START, SPANS

    first, second = one(PAIR, tokenizer), one(dict(PAIR), tokenizer)
    assert first.offsets == second.offsets
    assert all(a is b for a, b in zip(first.offsets, second.offsets, strict=True))
    assert all(a is b for a, b in zip(first.ids, second.ids, strict=True))
    long = one({**PAIR, "answer": "Ada was born in Lund. " * 400}, tokenizer, max_length=9000)
    assert max(last for _, last in long.offsets) > NEAR_START
    assert max(last for _, last in SPANS) < NEAR_START
