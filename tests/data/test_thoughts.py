"""Templates of models that think: what they show of a thought is supervised, the rest is told."""

import pytest
from chat_families import FAMILIES
from conversations import said, supervised, talk, templated, told, user

from unteach.data import encode, prompt_ids, question
from unteach.types import Turn

SECRET = "The file says Elm Street."
IN_KEY = talk(user("Where does Ada live?"), said("In Lund.", reasoning_content=SECRET))
IN_TEXT = talk(user("Where does Ada live?"), said(f"<think>\n{SECRET}\n</think>\n\nIn Lund."))
TWICE = talk(
    user("Where does Ada live?"),
    said(f"<think>\n{SECRET}\n</think>\n\nIn Lund."),
    user("Which street?"),
    said("<think>\nI recall it.\n</think>\n\nElm Street."),
)
BARE = talk(user("Where does Ada live?"), said("In Lund."))
ALL = {"in key": IN_KEY, "in text": IN_TEXT, "twice": TWICE, "bare": BARE}

THOUGHT = f"<think>\n{SECRET}\n</think>\n\n"
LATER = "<think>\nI recall it.\n</think>\n\nElm Street.<|stop|>"
LEFT_OUT = "note forget.jsonl:1: the chat template leaves out the thoughts of {}"

# What is supervised, and of how many turns the thoughts are left out.
SHOWN = {
    ("plain", "in key"): (["In Lund.<|stop|>"], 1),
    ("plain", "in text"): ([f"{THOUGHT}In Lund.<|stop|>"], 0),
    ("plain", "twice"): ([f"{THOUGHT}In Lund.<|stop|>", LATER], 0),
    ("keeps last thought", "in key"): ([f"{THOUGHT}In Lund.<|stop|>"], 0),
    ("keeps last thought", "in text"): ([f"{THOUGHT}In Lund.<|stop|>"], 0),
    ("keeps last thought", "twice"): (["In Lund.<|stop|>", LATER], 1),
    ("keeps last thought", "bare"): (["In Lund.<|stop|>"], 0),
    ("opens thought", "in key"): ([f"{THOUGHT}In Lund.<|stop|>".removeprefix("<think>\n")], 0),
    ("opens thought", "twice"): (["In Lund.<|stop|>", LATER.removeprefix("<think>\n")], 1),
    ("opens thought", "bare"): (["In Lund.<|stop|>"], 0),
    ("drops thoughts", "in key"): (["In Lund.<|stop|>"], 1),
    ("drops thoughts", "in text"): (["\n\nIn Lund.<|stop|>"], 1),
    ("drops thoughts", "twice"): (["\n\nIn Lund.<|stop|>", "\n\nElm Street.<|stop|>"], 2),
    ("channels", "in key"): (
        [f":thinks:{SECRET}<|end|><|start|>assistant:says:In Lund.<|stop|>"],
        0,
    ),
    ("channels", "bare"): (["In Lund.<|stop|>"], 0),
    ("parts", "in text"): ([f" {THOUGHT}In Lund.<|stop|>"], 0),
    ("parts", "in key"): ([" In Lund.<|stop|>"], 1),
}


@pytest.mark.parametrize(("family", "name"), SHOWN)
def test_what_is_shown_is_supervised_and_what_is_left_out_is_told(family, name, chat_tokenizer):
    tokenizer = templated(chat_tokenizer, family)
    expected, count = SHOWN[family, name]
    assert supervised(ALL[name], tokenizer) == expected
    notes = [note for note in told(ALL[name], tokenizer) if "leaves out" in note]
    turns = f"{count} assistant turn{'s' if count > 1 else ''}"
    assert [note.startswith(LEFT_OUT.format(turns)) for note in notes] == [True] * bool(count)
    assert SECRET not in str(notes)


@pytest.mark.parametrize("name", ["thinking", "reasoning", "reasoning_content"])
@pytest.mark.parametrize("family", ["keeps last thought", "channels"])
def test_a_thought_has_several_names(family, name, chat_tokenizer):
    tokenizer = templated(chat_tokenizer, family)
    named = talk(user("Where?"), said("In Lund.", **{name: SECRET}))
    assert SECRET in supervised(named, tokenizer)[0]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_asked_is_what_stands_before_what_is_trained(family, name, chat_tokenizer):
    """Where the template shows what it asks with, the prompt begins with it, or is it."""
    tokenizer = templated(chat_tokenizer, family)
    (sequence,) = encode(ALL[name], tokenizer, max_length=900, last=True)
    prompt = prompt_ids(ALL[name], tokenizer)
    assert prompt == sequence.ids[: sequence.prompt_length]
    assert prompt == question(ALL[name], tokenizer, max_length=900)[0]
    if family == "parts":
        return
    messages = [{"role": t.role, "content": t.text} for t in ALL[name].turns[:-1]]
    asked = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    whole, before = tokenizer.decode(sequence.ids), tokenizer.decode(prompt)
    assert whole.startswith(asked) == (family != "drops thoughts")
    if whole.startswith(asked):
        assert before.startswith(asked)
        thinks = name != "bare" and "thought" in family
        without = ("", ":says:", "<think>\n\n</think>\n\n", "\n</think>\n\n")
        assert before.removeprefix(asked) in (("",) if thinks else without)


def test_the_prompt_without_a_thought_is_that_of_a_model_told_not_to_think(chat_tokenizer):
    tokenizer = templated(chat_tokenizer, "keeps last thought")
    asked = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Where does Ada live?"}],
        add_generation_prompt=True, enable_thinking=False, tokenize=False,
    )  # fmt: skip
    assert tokenizer.decode(prompt_ids(BARE, tokenizer)) == asked


@pytest.mark.parametrize("family", ["keeps last thought", "opens thought", "channels"])
def test_the_thought_is_part_of_what_should_be_said(family, chat_tokenizer):
    """A prompt with the thought in it would give the answer away."""
    tokenizer = templated(chat_tokenizer, family)
    prompt, expected, tokens = question(IN_KEY, tokenizer, max_length=900)
    assert SECRET not in tokenizer.decode(prompt)
    assert SECRET in expected
    assert expected.endswith("In Lund.")
    assert tokens == sum(encode(IN_KEY, tokenizer, max_length=900)[0].answer)
    assert question(BARE, tokenizer, max_length=900)[1] == "In Lund."


def test_a_thought_that_is_opened_and_not_shown_is_told(chat_tokenizer):
    tokenizer = templated(chat_tokenizer, "drops thoughts")
    (note,) = told([BARE, BARE], tokenizer)
    assert "with an open <think>, and shows 2 assistant turns without a thought" in note
    assert told(BARE, templated(chat_tokenizer, "opens thought")) == []


def test_left_out_thoughts_are_told_once_with_their_number_and_the_first_place(chat_tokenizer):
    tokenizer = templated(chat_tokenizer, "keeps last thought")
    examples = [BARE, TWICE, IN_KEY, TWICE]
    examples = [e.__class__(**{**vars(e), "where": f"f:{k}"}) for k, e in enumerate(examples, 1)]
    (note,) = told(examples, tokenizer)
    assert note.startswith("note f:2: the chat template leaves out the thoughts of 2 assistant")


@pytest.mark.parametrize("template", ["plain", "none"])
def test_lines_hold_no_thoughts_of_their_own(template, chat_tokenizer):
    (note,) = told(IN_KEY, chat_tokenizer, template=template)
    assert "(plain, none) leaves out the thoughts of 1 assistant turn" in note
    assert told(IN_TEXT, chat_tokenizer, template=template) == []
    assert THOUGHT in supervised(IN_TEXT, chat_tokenizer, template=template)[0]


@pytest.mark.parametrize("content", [
    f"{SECRET}</think>In Lund.",  # as a model says it whose prompt opens the thought
    f"<think>{SECRET}</think> <think>Lund.</think> In Lund.",
    f"Well. <think>{SECRET}</think>In Lund.",
])  # fmt: skip
@pytest.mark.parametrize("family", FAMILIES)
def test_thoughts_written_in_other_ways_are_shown_or_told(family, content, chat_tokenizer):
    tokenizer = templated(chat_tokenizer, family)
    example = talk(user("Where?"), said(content))
    (shown,) = supervised(example, tokenizer)
    assert shown.rstrip().endswith("In Lund.<|stop|>")
    whole = all(part in shown for part in content.replace("</think>", "<think>").split("<think>"))
    assert whole or any("leaves out" in note for note in told(example, tokenizer))


def test_marks_are_found_in_thought_and_answer(chat_tokenizer):
    text = IN_TEXT.turns[-1].text
    places = [text.index("Elm Street"), text.index("Lund")]
    spans = ((places[0], places[0] + 10), (places[1], places[1] + 4))
    marked = talk(*IN_TEXT.turns, spans=spans)
    for family in ("keeps last thought", "opens thought", "plain", "parts"):
        (sequence,) = encode(marked, templated(chat_tokenizer, family), max_length=900)
        assert [sequence.text[a:b] for a, b in sequence.spans] == ["Elm Street", "Lund"]
    in_key = talk(
        Turn("user", "Where?"), said("In Lund.", thinking="In Lund. Or not."), spans=((3, 7),)
    )
    (sequence,) = encode(in_key, templated(chat_tokenizer, "channels"), max_length=900)
    assert sequence.spans == ((sequence.text.rindex("Lund"), sequence.text.rindex("Lund") + 4),)


PARTLY = {
    "a preamble": (f"Well. <think>{SECRET}</think>In Lund.", "Well."),
    "two thoughts": (
        f"<think>{SECRET}</think>Well.<think>I recall it.</think>In Lund.",
        "I recall it.",
    ),
}


@pytest.mark.parametrize("case", PARTLY)
def test_a_thought_that_is_shown_is_not_told_as_left_out(case, chat_tokenizer):
    """The template shows the first thought and the last text; what stands elsewhere is told."""
    content, lost = PARTLY[case]
    example = talk(user("Where?"), said(content))
    tokenizer = templated(chat_tokenizer, "keeps last thought")
    assert supervised(example, tokenizer) == [f"{THOUGHT}In Lund.<|stop|>"]
    (note,) = told(example, tokenizer)
    assert note.startswith("note forget.jsonl:1: the chat template changes or leaves out a part")
    assert lost not in note
    assert supervised(example, chat_tokenizer) == [f"{content}<|stop|>"]
    assert told(example, chat_tokenizer) == []
