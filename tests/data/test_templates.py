"""Chat templates of the kinds that models bring, and tokenizers with habits of their own."""

import copy

import pytest
from conversations import supervised_runs as supervised

from unteach.data import describe, encode, encode_all, prompt_ids, question, read_rows
from unteach.errors import UserError
from unteach.types import Sequence

PAIR = {"question": "Where was Ada born?", "answer": "In Lund."}
TALK = {
    "messages": [
        {"role": "user", "content": "Say user, then In."},
        {"role": "assistant", "content": "In"},
        {"role": "user", "content": "In where?"},
        {"role": "assistant", "content": "\n In Lund.\n"},
    ]
}

TEMPLATES = {
    # Header, two newlines, the trimmed text, an end marker; bos once in front.
    "headers": (
        "{{ bos_token }}{% for m in messages %}<|start|>{{ m.role }}<|stop|>\n\n"
        "{{ m.content | trim }}<|stop|>{% endfor %}"
        "{% if add_generation_prompt %}<|start|>assistant<|stop|>\n\n{% endif %}"
    ),
    # An empty thought before the last answer only, and in the generation prompt another.
    "thoughts": (
        "{% for m in messages %}<|start|>{{ m.role }}\n"
        "{% if loop.last and m.role == 'assistant' %}<think>\n\n</think>\n\n{% endif %}"
        "{{ m.content.strip() }}<|stop|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|start|>assistant\n<think>\n{% endif %}"
    ),
    # No marker before the answer, nothing for a generation prompt, a blank before the end.
    "brackets": (
        "{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content | trim }} [/INST]"
        "{% else %} {{ m.content | trim }} <|stop|>{% endif %}{% endfor %}"
    ),
    # The last answer loses its newlines in front, the others lose nothing.
    "uneven": (
        "{% for m in messages %}<|start|>{{ m.role }}\n{% if loop.last %}"
        "{{ m.content.lstrip('\n') }}{% else %}{{ m.content }}{% endif %}<|stop|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
    ),
    # A second marker where the conversation is over.
    "closing": (
        "{% for m in messages %}<|start|>{{ m.role }}\n{{ m.content | trim }}<|stop|>{% endfor %}"
        "{% if add_generation_prompt %}<|start|>assistant\n{% else %}<|end|>{% endif %}"
    ),
    # The text as it is.
    "verbatim": (
        "{% for m in messages %}{{ m.role }}:{{ m.content }}<|stop|>\n{% endfor %}"
        "{% if add_generation_prompt %}assistant:{% endif %}"
    ),
}


@pytest.fixture
def templated(chat_tokenizer):
    def make(template):
        made = copy.deepcopy(chat_tokenizer)
        made.bos_token = "<|begin|>"
        made.chat_template = TEMPLATES.get(template, template)
        return made

    return make


def one(row, tokenizer, **options):
    (example,) = read_rows([row], "forget")
    (sequence,) = encode(example, tokenizer, max_length=500, **options)
    return example, sequence


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_answer_and_its_end_marker_are_supervised(template, templated):
    tokenizer = templated(template)
    _, sequence = one(TALK, tokenizer)
    first, last = supervised(sequence, tokenizer)
    assert "".join(first.split()) == "In<|stop|>"
    assert "".join(last.split()) == "InLund.<|stop|>" + "<|end|>" * (template == "closing")
    assert not last.endswith("\n")
    assert tokenizer.decode(sequence.ids).count("<|begin|>") == (template == "headers")


def test_a_blank_that_the_model_must_say_itself_is_supervised(templated):
    tokenizer = templated("brackets")
    _, sequence = one(PAIR, tokenizer)
    assert supervised(sequence, tokenizer) == [" In Lund. <|stop|>"]


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_prompt_is_what_stands_before_the_last_answer(template, templated):
    tokenizer = templated(template)
    example, sequence = one(PAIR, tokenizer)
    prompt = prompt_ids(example, tokenizer)
    assert prompt == sequence.ids[: sequence.prompt_length]
    assert prompt == question(example, tokenizer, max_length=500)[0]
    if template != "thoughts":
        messages = [{"role": "user", "content": PAIR["question"]}]
        asked = tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_dict=False
        )
        assert list(prompt) == asked


def test_an_empty_thought_is_no_answer(templated):
    tokenizer = templated("thoughts")
    example, sequence = one(PAIR, tokenizer)
    assert supervised(sequence, tokenizer) == ["In Lund.<|stop|>"]
    assert tokenizer.decode(prompt_ids(example, tokenizer)).endswith("</think>\n\n")


def test_an_answer_that_the_template_rewrites_is_what_it_adds(templated):
    shouting = templated(
        "{% for m in messages %}{{ m.role }}:{{ m.content | upper }}<|stop|>\n{% endfor %}"
        "{% if add_generation_prompt %}assistant:{% endif %}"
    )
    _, sequence = one(PAIR, shouting)
    assert supervised(sequence, shouting) == ["IN LUND.<|stop|>"]
    cut = templated("{% for m in messages %}{{ m.content[:5] if loop.last else '' }}{% endfor %}")
    _, sequence = one(TALK, cut)
    assert supervised(sequence, cut) == [" In <|stop|>"]  # the first token never is
    _, notes = encode_all(read_rows([TALK], "forget"), cut, max_length=500)
    assert [note.kind for note in notes] == ["note"] * 3
    assert "leaves out 2 user turns" in notes[0].what
    assert "shows 1 assistant turn not at all" in notes[1].what
    assert "changes or leaves out a part" in notes[2].what


def test_all_conversations_that_a_template_refuses_are_said(templated):
    strict = templated(
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no') }}{% endif %}"
        "{{ m.content }}<|stop|>{% endfor %}"
    )
    odd = {"messages": [{"role": "system", "content": "a"}, *TALK["messages"]]}
    sequences, problems = encode_all(read_rows([odd, TALK, odd], "forget"), strict, max_length=500)
    assert [p.where for p in problems] == ["forget rows, row 1", "forget rows, row 3"]
    assert [s.id for s in sequences] == ["forget-1"]


def test_an_unknown_template_is_refused(tokenizer):
    with pytest.raises(UserError, match=r'is "plan"\n.*Did you mean "plain"') as caught:
        one(PAIR, tokenizer, template="plan")
    assert caught.value.exit_code == 2


def test_a_slow_tokenizer_is_refused(tokenizer):
    class Slow:
        chat_template, eos_token_id = None, 0

        def __call__(self, *args, **options):
            raise NotImplementedError

    with pytest.raises(UserError, match="gives no offsets"):
        one(PAIR, Slow())


@pytest.fixture
def ending_tokenizer(tokenizer):
    """One that puts eos behind every text, as some do."""
    from tokenizers import processors

    ending = copy.deepcopy(tokenizer)
    ending.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <|end|>", special_tokens=[("<|end|>", 0)]
    )
    return ending


def test_eos_that_the_tokenizer_adds_stands_once(ending_tokenizer):
    assert ending_tokenizer("a")["input_ids"][-1] == ending_tokenizer.eos_token_id
    _, sequence = one(PAIR, ending_tokenizer)
    assert supervised(sequence, ending_tokenizer) == [" In Lund.<|end|>"]
    _, raw = one({"prompt": "Ada was", "gt": " born."}, ending_tokenizer)
    assert supervised(raw, ending_tokenizer) == [" born."]
    _, raw = one({"text": "Ada was born."}, ending_tokenizer)
    assert ending_tokenizer.eos_token_id not in raw.ids


@pytest.mark.parametrize("answer", ["In Lund.", " In Lund.", "In\n\nLund.\n", "In Lund.  "])
def test_blanks_whose_offsets_are_trimmed(answer, tokenizer):
    from tokenizers import processors

    trimming = copy.deepcopy(tokenizer)
    trimming.backend_tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    for one_of in (tokenizer, trimming):
        _, sequence = one({**PAIR, "answer": answer}, one_of)
        assert supervised(sequence, one_of) == [f" {answer}<|end|>"]


def test_a_token_over_the_boundary_counts_as_answer(tokenizer):
    """Joined as they are, prompt and answer may share a token: it cannot be had without both."""
    ids = tokenizer("Ada was born", add_special_tokens=False)["input_ids"]
    texts = [tokenizer.decode([i]) for i in ids]
    whole = next(t for t in texts if len(t.strip()) > 2)
    middle = "Ada was born".index(whole) + len(whole) - 1
    row = {"prompt": "Ada was born"[:middle], "completion": "Ada was born"[middle:]}
    _, sequence = one(row, tokenizer, template="none")
    assert supervised(sequence, tokenizer)[0].startswith(whole)


def test_many_cut_answers_are_counted(tokenizer):
    examples = read_rows([{"question": "Who?", "answer": "Ada " * k} for k in range(30, 50)], "f")
    sequences, problems = encode_all(examples, tokenizer, max_length=20)
    assert len(sequences) == 20
    assert len(problems) == 5
    assert "and 15 more" in problems[-1].what


def test_description_of_a_group():
    sequences = [
        Sequence("a-0", (1, 2, 3), (False, True, True)),
        Sequence("a-1", (1, 2), (False, False), cut=7),
        Sequence("a-2", (1, 2, 3, 4), (False, False, False, True)),
    ]
    examples = read_rows([PAIR] * 3, "a")
    assert describe(examples, sequences) == {
        "examples": 3,
        "sequences": 3,
        "answer_tokens": 3,
        "median": 3,
        "longest": 4,
        "cut": 7,
    }
    assert describe([], [])["median"] == 0
