"""Which turns are supervised and asked for, and what a template makes of the others."""

from dataclasses import replace

import pytest
from conversations import said, supervised, talk, templated, told, user

from unteach.data import encode, encode_all, prompt_ids, question, with_answer
from unteach.data.alternates import from_column, refused
from unteach.errors import UserError
from unteach.suites._base import AskSettings, Group
from unteach.suites.questions import questions
from unteach.types import Example, Turn

TURNS = user("Where?"), said("In Lund."), user("When?"), said("At noon.")
FIRST = talk(*TURNS[:3], said("At noon.", supervised=False))
LAST = talk(TURNS[0], said("In Lund.", supervised=False), *TURNS[2:])
NONE = talk(TURNS[0], said("In Lund.", supervised=False), where="forget.jsonl:7")
TRAILING = talk(*TURNS, user("Thanks."))


@pytest.fixture(params=["chat", "plain", "none"])
def one_of(request, chat_tokenizer):
    """A tokenizer, the template, and what ends an answer before its conversation is over."""
    return chat_tokenizer, {"template": request.param}


def said_by(example, one_of) -> str:
    tokenizer, options = one_of
    return "|".join(supervised(example, tokenizer, **options)).replace(" ", "")


def test_turns_that_the_file_excludes_are_not_supervised(one_of):
    assert said_by(FIRST, one_of) == "InLund.<|stop|>"
    assert said_by(LAST, one_of) == "Atnoon.<|stop|>"
    assert said_by(TRAILING, one_of).endswith("Atnoon.<|stop|>")


def test_the_last_supervised_turn_is_asked_for(one_of):
    tokenizer, options = one_of
    cases = ((FIRST, "Where?", "In Lund."), (LAST, "When?", "At noon."))
    for example, asked, answer in (*cases, (TRAILING, "When?", "At noon.")):
        assert example.answer == answer
        prompt, expected, _ = question(example, tokenizer, max_length=500, **options)
        (sequence,) = encode(example, tokenizer, max_length=500, last=True, **options)
        assert expected == answer
        assert prompt == sequence.ids[: sequence.prompt_length]
        assert tokenizer.decode(prompt).partition("?")[2].count("?") == (asked == "When?")
        assert "noon" not in tokenizer.decode(prompt)
    assert "In Lund." in tokenizer.decode(prompt_ids(LAST, tokenizer, **options))


def test_an_example_without_a_supervised_turn_is_told_and_left_out(one_of):
    tokenizer, options = one_of
    assert encode(NONE, tokenizer, max_length=500, **options) == []
    assert question(NONE, tokenizer, max_length=500, **options) == ((), "", 0)
    sequences, (note,) = encode_all([FIRST, NONE], tokenizer, max_length=500, **options)
    assert len(sequences) == 1
    assert (note.where, note.kind) == ("forget.jsonl:7", "note")
    assert "no turn of 1 line is supervised" in note.what
    with pytest.raises(IndexError):
        encode_all([NONE], tokenizer, max_length=500, **options)[0][0]
    assert any(note.startswith("data") for note in told([NONE, NONE], tokenizer, **options))


def test_another_answer_stands_in_place_of_the_last_supervised_one():
    other = with_answer(replace(FIRST, spans=((0, 2),)), "In Ulm.")
    assert [turn.text for turn in other.turns] == ["Where?", "In Ulm."]
    assert other.spans == ()
    thinks = talk(TURNS[0], said("In Lund.", reasoning_content="Lund, says the file."))
    assert with_answer(thinks, "No.").turns[-1] == Turn("assistant", "No.")
    assert not with_answer(thinks, "No.").turns[-1].template_keys
    assert with_answer(NONE, "No.") == NONE


def test_alternates_go_with_the_last_supervised_answer():
    (found,), problems = from_column([replace(FIRST, alternate="In Ulm."), NONE])
    assert [turn.text for turn in found.turns] == ["Where?", "In Ulm."]
    assert problems == []
    (found,), problems = refused([FIRST, NONE], ("No.",))
    assert found.answer == "No."
    assert problems == []


def test_a_model_is_asked_to_make_up_what_the_question_asks():
    from unteach.training.made_up_answers import _prompt

    with_call = talk(
        user("Where?"), said("", tool_calls=[{"name": "look"}]), Turn("tool", "Lund"), TURNS[1]
    )
    asked = _prompt(with_call)
    assert [turn.role for turn in asked.turns] == ["user", "assistant"]
    assert "Where?" in asked.turns[0].text
    assert "Lund" not in asked.turns[0].text
    assert _prompt(FIRST).turns[0].text.endswith("Where?")


def test_evaluation_asks_the_last_supervised_turn_and_passes_over_the_rest(chat_tokenizer):
    group = Group(examples=[FIRST, NONE])
    (row,) = questions({"forget": group}, chat_tokenizer, AskSettings(max_length=500))
    assert row.expected == "In Lund."
    assert chat_tokenizer.decode(row.prompt.ids).endswith("Where?<|stop|>\n<|start|>assistant\n")


def test_evaluation_names_all_examples_that_a_template_refuses(chat_tokenizer):
    tokenizer = templated(chat_tokenizer, "alternates")
    wrong = [talk(Turn("system", "Be brief."), *TURNS, where=f"f:{k}") for k in (1, 2)]
    group = Group(examples=[wrong[0], FIRST, wrong[1]])
    with pytest.raises(UserError) as caught:
        questions({"forget": group}, tokenizer, AskSettings(max_length=500))
    assert [problem.where for problem in caught.value.problems] == ["f:1", "f:2"]


def test_a_template_without_a_role_says_which(chat_tokenizer):
    tokenizer = templated(chat_tokenizer, "alternates")
    system = talk(Turn("system", "Be brief."), *TURNS)
    _, (problem,) = encode_all([system], tokenizer, max_length=500)
    assert problem.what == "the chat template takes no system turns"
    assert "in front of the first question" in problem.hint
    (problem,) = told(talk(user("Where?"), user("When?"), said("Ada.")), tokenizer)
    assert problem.endswith('refuses it (TemplateError: "Roles must alternate")')


def test_a_template_s_own_words_are_not_shown_where_they_hold_data(chat_tokenizer):
    tells = "{% for m in messages %}{{ raise_exception('no ' ~ m.content) }}{% endfor %}"
    (problem,) = told(talk(*TURNS), templated(chat_tokenizer, tells))
    assert problem.endswith("the chat template refuses it (TemplateError)")


@pytest.mark.parametrize("text", ["Be brief, and say nothing that you do not know.", "a"])
def test_turns_that_a_template_leaves_out_are_told(text, chat_tokenizer):
    skips = (
        "{% for m in messages %}{% if m.role in ('user', 'assistant') %}"
        "<|start|>{{ m.role }}\n{{ m.content }}<|stop|>\n{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
    )
    tokenizer = templated(chat_tokenizer, skips)
    examples = [
        talk(Turn("system", text), *TURNS),
        talk(*TURNS),
        talk(Turn("system", text), Turn("Ada Berg", text), *TURNS),
    ]
    notes = told(examples, tokenizer)
    assert "leaves out 2 system turns" in notes[0]
    assert notes[1].endswith("leaves out 1 further turn")
    assert "Berg" not in str(notes)
    assert told(talk(*TURNS), tokenizer) == []
    assert told(examples[0], chat_tokenizer) == []


WAYS = {
    "strips": ("{{ m.content | trim }}", [" In Lund.\n", "At noon."], ["In Lund.", "At noon."], 0),
    "upper": ("{{ m.content | upper }}", ["In Lund.", "At noon."], ["IN LUND.", "AT NOON."], 2),
    "cut": ("{{ m.content[:3] }}", ["In Lund.", "At"], ["In ", "At"], 1),
    "cut front": ("{{ m.content[3:] }}", ["In Lund.", "At noon."], ["Lund.", "noon."], 2),
    "words": ("{{ m.content.split() | join(' ') }}", ["In  Lund.", "At."], ["In Lund.", "At."], 1),
    "escaped": ("{{ m.content | e }}", ["A & B.", "At."], ["A &amp; B.", "At."], 1),
    "by length": (
        "{% if m.content | length > 8 %}{{ m.content }} (long){% else %}{{ m.content }}{% endif %}",
        ["In Lund, it is said.", "At."], ["In Lund, it is said. (long)", "At."], 0,
    ),
    "last alone": ("{{ m.content if loop.last else '' }}", ["In Lund.", "At."], ["At."], 1),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_what_a_template_makes_of_a_text_is_supervised_and_told(way, chat_tokenizer):
    shows, texts, expected, changed = WAYS[way]
    family = (
        f"{{% for m in messages %}}<|start|>{{{{ m.role }}}}\n{shows}<|stop|>\n{{% endfor %}}"
        "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
    )
    tokenizer = templated(chat_tokenizer, family)
    example = talk(user("Question"), said(texts[0]), user("Question"), said(texts[1]))
    assert supervised(example, tokenizer) == [f"{text}<|stop|>" for text in expected]
    notes = [n for n in told(example, tokenizer) if "assistant" in n]
    assert [f" {changed} assistant turn" in note for note in notes] == [True] * bool(changed)
    prompt = tokenizer.decode(prompt_ids(example, tokenizer))
    assert prompt.endswith("<|start|>assistant\n")


def test_a_template_that_shows_only_the_first_turns_is_refused(chat_tokenizer):
    family = "{% for m in messages[:2] %}{{ m.role }}:{{ m.content }}<|stop|>{% endfor %}"
    with pytest.raises(UserError, match="leaves out or changes what the last assistant turn says"):
        supervised(talk(*TURNS), templated(chat_tokenizer, family))


def test_a_text_that_is_shown_twice_is_refused(chat_tokenizer):
    family = "{{ messages[-1].content }}{% for m in messages %}{{ m.content }}<|stop|>{% endfor %}"
    with pytest.raises(UserError, match="leaves out or changes"):
        supervised(talk(*TURNS), templated(chat_tokenizer, family))


def test_turns_that_a_template_puts_in_another_order_are_told(chat_tokenizer):
    family = "{% for m in messages | reverse %}{{ m.role }}:{{ m.content }}<|stop|>{% endfor %}"
    with pytest.raises(UserError, match="leaves out or changes"):
        supervised(talk(*TURNS), templated(chat_tokenizer, family))


def test_answers_that_stand_elsewhere_too_are_not_mistaken(chat_tokenizer):
    example = talk(user("assistant\nYes"), said("Yes"), user("Yes?"), said("Yes"))
    for family in ("plain", "keeps last thought", "channels", "parts", "alternates"):
        tokenizer = templated(chat_tokenizer, family)
        (sequence,) = encode(example, tokenizer, max_length=500)
        assert [run.strip().partition("<")[0] for run in supervised(example, tokenizer)] == [
            "Yes", "Yes",
        ]  # fmt: skip
        assert tokenizer.decode(sequence.ids[: sequence.prompt_length]).count("Yes") == 1


def test_texts_of_private_characters_are_not_mistaken_for_marks(chat_tokenizer):
    example = talk(user("\ue000\ue001"), said("\ue000 In Lund \ue002"))
    assert supervised(example, chat_tokenizer) == ["\ue000 In Lund \ue002<|stop|>"]


def test_examples_stay_as_they_were():
    example = Example(id="a", where="", kind="text", text="Ada.")
    assert (example.answer, example.answer_turn) == ("Ada.", None)
    assert talk(*TURNS).answer_turn == 3
    assert NONE.answer == ""
