"""One bos in front, and never supervised, whoever brings it; one eos at the end."""

import copy
from dataclasses import replace

import pytest
from conversations import said, supervised, talk, templated, told, user

from unteach.data import encode, prompt_ids, question
from unteach.types import Example, Turn

BOS, END = "<|begin|>", "<|end|>"


def raw(text):
    return Example(id="a", where="a:1", kind="text", text=text)


def pair(asked, answer="In Lund."):
    return talk(user(asked), said(answer), kind="pair")


@pytest.fixture(params=["one", "two", "with eos", "none"])
def putting(request, tokenizer):
    """A tokenizer that puts bos in front of a text, or two tokens, or an eos behind, or nothing."""
    from tokenizers import processors

    made = copy.deepcopy(tokenizer)
    made.bos_token = BOS
    single = {
        "one": f"{BOS} $A", "two": f"{BOS} <|start|> $A", "with eos": f"{BOS} $A {END}",
        "none": "$A",
    }[request.param]  # fmt: skip
    if request.param == "two":
        made.add_special_tokens({"additional_special_tokens": ["<|start|>"]})
    made.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=single, special_tokens=[(BOS, 1), ("<|start|>", 2), (END, 0)]
    )
    return made, single.replace("$A", "").replace(END, "").split()


def front(sequence, tokenizer) -> list[str]:
    """What stands before the first token that is no special one."""
    special = set(tokenizer.all_special_ids)
    count = next(k for k, token in enumerate(sequence.ids) if token not in special)
    return tokenizer.convert_ids_to_tokens(sequence.ids[:count])


BROUGHT = ["", BOS, BOS + BOS, f"{BOS}<|start|>", f"{BOS} ", f" {BOS}", f"\n{BOS}", f" {BOS} {BOS}"]


@pytest.mark.parametrize("brought", BROUGHT)
@pytest.mark.parametrize("kind", ["raw", "plain", "none"])
def test_one_bos_stands_in_front_and_is_not_supervised(kind, brought, putting):
    tokenizer, put = putting
    if "<|start|>" in brought and "<|start|>" not in put:
        return
    text = f"{brought}Where was Ada born?"
    example = raw(text) if kind == "raw" else pair(text)
    (sequence,) = encode(example, tokenizer, max_length=500, template=kind.replace("raw", "auto"))
    brings = [BOS] if brought and not put else []
    assert front(sequence, tokenizer) == (put or brings)
    assert sequence.ids.count(1) == (put or brings).count(BOS)
    assert sequence.ids.count(2) == (put or brings).count("<|start|>")
    assert not any(a for token, a in zip(sequence.ids, sequence.answer, strict=True) if token == 1)
    assert len(sequence.ids) == len(sequence.answer) == len(sequence.offsets)
    for token, (a, b) in zip(sequence.ids, sequence.offsets, strict=True):
        if a < b:
            assert sequence.text[a:b] == tokenizer.decode([token])
    if kind != "raw":
        prompt, expected, _ = question(
            example, tokenizer, max_length=500, template=kind.replace("raw", "auto")
        )
        assert prompt == sequence.ids[: sequence.prompt_length]
        assert expected == "In Lund."


def test_all_words_of_a_raw_text_are_predicted_behind_its_own_bos(bos_tokenizer):
    (plain,) = encode(raw("Ada was born."), bos_tokenizer, max_length=500)
    (brought,) = encode(raw(f"{BOS}Ada was born."), bos_tokenizer, max_length=500)
    assert (brought.ids, brought.answer) == (plain.ids, plain.answer)
    assert brought.text == "Ada was born."


def test_every_window_has_one_bos(bos_tokenizer):
    text = BOS + "Ada was born in Lund. " * 20 + BOS + "Ben eats bread. " * 20
    windows = encode(raw(text), bos_tokenizer, max_length=16)
    assert all(window.ids[0] == 1 for window in windows)
    assert sum(window.ids.count(1) for window in windows) == len(windows) + 1
    for window in windows:
        assert not any(a for token, a in zip(window.ids, window.answer, strict=True) if token == 1)


@pytest.mark.parametrize("family", ["drops thoughts", "alternates"])
def test_a_template_that_writes_bos_and_a_question_that_brings_one(family, bos_tokenizer):
    tokenizer = templated(bos_tokenizer, family)
    for text in ("Where?", f"{BOS}Where?", f"{BOS} Where?", BOS + BOS + "Where?"):
        (sequence,) = encode(pair(text), tokenizer, max_length=500)
        assert sequence.ids[0] == 1
        assert sequence.ids.count(1) == 1
        assert prompt_ids(pair(text), tokenizer) == sequence.ids[: sequence.prompt_length]


def test_a_bos_that_begins_every_turn_is_left_alone(chat_tokenizer):
    """Some models have the marker that begins a turn as their bos."""
    tokenizer = templated(chat_tokenizer, "plain", bos="<|start|>")
    (sequence,) = encode(pair("Where?"), tokenizer, max_length=500)
    assert tokenizer.decode(sequence.ids).count("<|start|>") == 2
    (sequence,) = encode(pair("<|start|>Where?"), tokenizer, max_length=500)
    assert tokenizer.decode(sequence.ids).count("<|start|>") == 2
    assert "<|start|>user\nWhere?" in tokenizer.decode(sequence.ids)


@pytest.mark.parametrize("template", ["chat", "plain", "none"])
@pytest.mark.parametrize("tail", ["<|stop|>", "<|stop|>\n", "<|stop|><|stop|>"])
def test_an_eos_that_the_answer_brings_stands_once(template, tail, chat_tokenizer):
    (run,) = supervised(pair("Where?", f"In Lund.{tail}"), chat_tokenizer, template=template)
    assert run.strip() == "In Lund.<|stop|>"
    prompt, _, tokens = question(
        pair("Where?", f"In Lund.{tail}"), chat_tokenizer, max_length=500, template=template
    )
    bare = question(pair("Where?"), chat_tokenizer, max_length=500, template=template)
    assert (prompt, tokens) == (bare[0], bare[2])


def test_an_answer_that_is_an_end_alone_is_told(chat_tokenizer):
    for template in ("chat", "plain", "none"):
        (problem,) = told(pair("Where?", "<|stop|>"), chat_tokenizer, template=template)
        assert problem.startswith("data forget.jsonl:1: the last answer has no text")


def test_a_text_that_is_a_bos_alone_is_told(bos_tokenizer):
    problems = told([raw(BOS), raw("Ada was born.")], bos_tokenizer)
    assert [problem.partition(":")[0] for problem in problems] == ["data a"]


@pytest.mark.parametrize("blank", [" ", "\n", " \n "])
def test_blanks_in_front_of_a_bos_go_with_it(blank, bos_tokenizer):
    (plain,) = encode(raw("Ada was born."), bos_tokenizer, max_length=500)
    (brought,) = encode(raw(f"{blank}{BOS}Ada was born."), bos_tokenizer, max_length=500)
    assert (brought.ids, brought.answer, brought.text) == (plain.ids, plain.answer, plain.text)
    (kept,) = encode(raw(f"{blank}Ada was born."), bos_tokenizer, max_length=500)
    assert kept.text == f"{blank}Ada was born."


# Writes no bos, as ChatML; one in front; one before each question, as Llama 2 does.
WRITES = {
    "plain": "",
    "drops thoughts": BOS,
    "{% for m in messages %}{{ bos_token ~ '[' ~ m.content ~ ']' if m.role == 'user' else "
    "m.content ~ '<|stop|>' }}{% endfor %}": BOS,
}
TALKS = {
    "the question": (user(f"{BOS}Where?"), said("In Lund.")),
    "behind a system text": (Turn("system", "Be brief."), user(f" {BOS}Where?"), said("In Lund.")),
    "the system text": (Turn("system", f"{BOS}Be brief."), user("Where?"), said("In Lund.")),
    "an answer": (user("Where?"), said(f"{BOS}In Lund.")),
    "a later question": (user("Who?"), said("Ada."), user(f"{BOS}Where?"), said("In Lund.")),
    "each question": (user(f"{BOS}Who?"), said("Ada."), user(f"\n{BOS}Where?"), said("In Lund.")),
}


@pytest.mark.parametrize("case", TALKS)
@pytest.mark.parametrize("family", WRITES)
def test_a_bos_in_a_conversation_stands_where_the_template_has_it(family, case, bos_tokenizer):
    tokenizer = templated(bos_tokenizer, family)
    bare = [replace(turn, text=turn.text.replace(BOS, "").strip()) for turn in TALKS[case]]
    (expected,) = encode(talk(*bare), tokenizer, max_length=500)
    (sequence,) = encode(talk(*TALKS[case]), tokenizer, max_length=500)
    stripped = "".join(tokenizer.decode(sequence.ids).split())
    written = tokenizer.decode(expected.ids)
    assert stripped == "".join(((BOS if not WRITES[family] else "") + written).split())
    assert supervised(talk(*TALKS[case]), tokenizer) == supervised(talk(*bare), tokenizer)
    assert not any(a for token, a in zip(sequence.ids, sequence.answer, strict=True) if token == 1)
    for token, (a, b) in zip(sequence.ids, sequence.offsets, strict=True):
        if a < b:
            assert sequence.text[a:b] == tokenizer.decode([token])
    assert told(talk(*TALKS[case]), tokenizer) == told(talk(*bare), tokenizer)


@pytest.mark.parametrize("case", TALKS)
def test_a_bos_in_lines_stands_in_front(case, bos_tokenizer):
    (sequence,) = encode(talk(*TALKS[case]), bos_tokenizer, max_length=500, template="plain")
    assert (sequence.ids[0], sequence.ids.count(1)) == (1, 1)
    assert supervised(talk(*TALKS[case]), bos_tokenizer, template="plain")[-1] == " In Lund.<|end|>"


def test_texts_that_are_joined_as_they_are_keep_the_bos_of_each_turn(bos_tokenizer):
    written = user(f"{BOS}[Who?]"), said("Ada."), user(f"{BOS}[Where?]"), said("In Lund.")
    (sequence,) = encode(talk(*written), bos_tokenizer, max_length=500, template="none")
    assert bos_tokenizer.decode(sequence.ids) == f"{BOS}[Who?]Ada.{BOS}[Where?]In Lund.{END}"
    assert told(talk(*written), bos_tokenizer, template="none") == []
    behind = Turn("system", "Be brief."), user(f"{BOS}Where?"), said("In Lund.")
    (sequence,) = encode(talk(*behind), bos_tokenizer, max_length=500, template="none")
    assert bos_tokenizer.decode(sequence.ids) == f"{BOS}Be brief.\nWhere?In Lund.{END}"


@pytest.mark.parametrize("template", ["plain", "chat"])
def test_a_bos_in_the_midst_of_a_text_is_told(template, bos_tokenizer):
    tokenizer = templated(bos_tokenizer, "drops thoughts")
    context = pair(f"She is a baker.\n{BOS}Where?")
    notes = told([context, pair("Where?"), context], tokenizer, template=template)
    (note,) = [note for note in notes if "bos" in note]
    assert note.startswith(
        "note forget.jsonl:1: a bos stands in the midst of what is said in 2 lines"
    )
    (run,) = supervised(context, tokenizer, template=template)
    assert run.strip().startswith("In Lund.<|")


def test_a_text_that_goes_on_has_its_bos_in_front(bos_tokenizer):
    turns = user(f" {BOS}Ada was"), said(f"{BOS} born.")
    (sequence,) = encode(talk(*turns, kind="text"), bos_tokenizer, max_length=500)
    assert bos_tokenizer.decode(sequence.ids) == f"{BOS}Ada was born."
    assert supervised(talk(*turns, kind="text"), bos_tokenizer) == [" born."]


@pytest.mark.parametrize("text", [END, END + END, f"{BOS}{END}", f" {END}"])
def test_a_raw_text_of_markers_alone_is_told(text, bos_tokenizer):
    problems = told([raw(text), raw("Ada was born.")], bos_tokenizer)
    assert [problem.partition(" no token")[0] for problem in problems] == ["data a:1: has"]
