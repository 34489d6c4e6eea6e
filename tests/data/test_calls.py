"""Tool calls and tools: given to the chat template, supervised where it shows them, else told."""

import json
from dataclasses import replace

import pytest
from conversations import said, supervised, talk, templated, told, user

from unteach.data import encode, prompt_ids, question
from unteach.errors import UserError
from unteach.types import Turn

ARGUMENTS = {"who": "Ada Berg", "age": 12}
TOOLS = ({"type": "function", "function": {"name": "lookup", "parameters": {"type": "object"}}},)
JSON = json.dumps(ARGUMENTS)


def call(arguments=ARGUMENTS, name="lookup"):
    return {"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}


def found(text="", arguments=ARGUMENTS):
    """A question, a call, what it gave, and an answer."""
    return talk(
        user("Find Ada."),
        said(text, tool_calls=[call(arguments)]),
        Turn("tool", "Lund"),
        said("She lives in Lund."),
        tools=TOOLS,
    )


ANSWER = "She lives in Lund.<|stop|>"
SHOWN = {
    "keeps last thought": f'<call>{{"name": "lookup", "arguments": {JSON}}}</call><|stop|>',
    "drops thoughts": f"<call>lookup\n{JSON}</call><|stop|>",
    "channels": f" to=lookup:code:{JSON}<|end|>",
}


@pytest.mark.parametrize("arguments", [ARGUMENTS, JSON], ids=["object", "text"])
@pytest.mark.parametrize("family", SHOWN)
def test_calls_are_supervised_as_the_template_writes_them(family, arguments, chat_tokenizer):
    tokenizer = templated(chat_tokenizer, family)
    assert supervised(found(arguments=arguments), tokenizer) == [SHOWN[family], ANSWER]
    assert not [note for note in told(found(arguments=arguments), tokenizer) if "calls" in note]


@pytest.mark.parametrize("family", ["keeps last thought", "drops thoughts"])
def test_a_turn_may_speak_and_call(family, chat_tokenizer):
    tokenizer = templated(chat_tokenizer, family)
    line = "\n" if family == "keeps last thought" else ""
    first, last = supervised(found("Let me look."), tokenizer)
    assert first == f"Let me look.{line}{SHOWN[family]}"
    assert last == ANSWER


def test_a_call_in_the_short_form_is_read(chat_tokenizer):
    tokenizer = templated(chat_tokenizer, "keeps last thought")
    short = talk(user("Find."), said("", tool_calls=[{"name": "lookup", "arguments": JSON}]))
    assert supervised(short, tokenizer)[0].endswith(SHOWN["keeps last thought"])


@pytest.mark.parametrize("arguments", [{}, {"deep": [{"who": ["Ada", 3, None]}]}, "no JSON", None])
def test_other_arguments(arguments, chat_tokenizer):
    tokenizer = templated(chat_tokenizer, "keeps last thought")
    (shown, _) = supervised(found(arguments=arguments), tokenizer)
    written = arguments if isinstance(arguments, str) else json.dumps(arguments)
    assert shown == SHOWN["keeps last thought"].replace(JSON, written)


def test_a_template_that_writes_objects_as_python_does_gets_text(chat_tokenizer):
    family = "{% for m in messages %}{{ m.role }}:{{ m.content }}"
    family += "{% for c in m.tool_calls or [] %}{{ c.function.arguments }}{% endfor %}<|stop|>"
    family += "{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
    assert supervised(found(), templated(chat_tokenizer, family)) == [f"{JSON}<|stop|>", ANSWER]


def test_a_conversation_that_ends_with_a_call_asks_for_it(chat_tokenizer):
    tokenizer = templated(chat_tokenizer, "channels")
    ends = talk(user("Find Ada."), said("", tool_calls=[call()]))
    prompt, expected, tokens = question(ends, tokenizer, max_length=900)
    (sequence,) = encode(ends, tokenizer, max_length=900)
    assert prompt == sequence.ids[: sequence.prompt_length] == prompt_ids(ends, tokenizer)
    assert tokenizer.decode(prompt).endswith("Find Ada.<|end|><|start|>assistant")
    assert "Ada Berg" in expected
    assert tokens == sum(sequence.answer)


def test_the_prompt_of_an_answer_behind_a_result(chat_tokenizer):
    tokenizer = templated(chat_tokenizer, "keeps last thought")
    prompt = tokenizer.decode(prompt_ids(found(), tokenizer))
    assert "<result>Lund</result>" in prompt
    assert '{"type": "function", "function": {"name": "lookup"' in prompt


def test_a_template_without_calls_or_tools_says_so(chat_tokenizer):
    tokenizer = templated(chat_tokenizer, "plain")
    assert supervised(found(), tokenizer) == [ANSWER]
    notes = told([found(), replace(found("Let me look."), where="forget.jsonl:2")], tokenizer)
    assert [note.partition(" (")[0] for note in notes] == [
        "note forget.jsonl:1: the chat template shows nothing of the `tools` of 2 lines",
        "note forget.jsonl:1: the chat template leaves out the tool calls of 2 assistant turns",
    ]
    assert "Berg" not in str(notes)


def test_nothing_but_a_call_that_is_not_shown_is_refused(chat_tokenizer):
    ends = talk(user("Find Ada."), said("", tool_calls=[call()]))
    with pytest.raises(UserError, match="shows no tool calls") as caught:
        encode(ends, templated(chat_tokenizer, "plain"), max_length=900)
    assert caught.value.problems[0].where == "forget.jsonl:1"
    with pytest.raises(UserError, match="the last answer has no text"):
        encode(ends, chat_tokenizer, max_length=900, template="plain")


@pytest.mark.parametrize("template", ["plain", "none"])
def test_lines_hold_no_calls(template, tokenizer):
    notes = told(found("Let me look."), tokenizer, template=template)
    assert ["tool calls of 1" in notes[0], "`tools` of 1 line" in notes[1]] == [True, True]
    (sequence,) = encode(found("Let me look."), tokenizer, max_length=900, template="plain")
    written = "Question: Find Ada.\nAnswer: Let me look.\nLund\nAnswer: She lives in Lund.<|end|>"
    assert tokenizer.decode(sequence.ids) == written


def test_a_template_that_refuses_a_part_says_which(chat_tokenizer):
    refuses = "{% for m in messages %}{% if m.tool_calls %}{{ raise_exception('x' ~ m.content) }}"
    refuses += "{% endif %}{{ m.content }}<|stop|>{% endfor %}"
    (problem,) = told(found("Berg"), templated(chat_tokenizer, refuses))
    assert problem == "data forget.jsonl:1: the chat template takes no tool calls"
    tools = refuses.replace("m.tool_calls", "m.role == 'tool'")
    (problem,) = told(found("Berg"), templated(chat_tokenizer, tools))
    assert problem == "data forget.jsonl:1: the chat template takes no tool turns"


def test_what_others_say_in_the_midst_of_a_turn_is_not_supervised(chat_tokenizer):
    """Some templates write the call, its result, and then what was said before the call."""
    family = (
        "{% for m in messages %}{% if m.role != 'tool' %}{{ m.role }}:"
        "{% for c in m.tool_calls or [] %}{{ c.function.arguments | tojson }}"
        "[{{ messages[loop.index0 + 2].content }}]{% endfor %}{{ m.content }}<|stop|>{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
    )
    tokenizer = templated(chat_tokenizer, family)
    assert supervised(found("Let me look."), tokenizer) == [ANSWER]
    notes = told(found("Let me look."), tokenizer)
    assert any("1 assistant turn not at all or not in one piece" in note for note in notes)


def test_a_template_that_needs_arguments_says_so(chat_tokenizer):
    bare = {"type": "function", "function": {"name": "lookup"}}
    example = talk(user("Find Ada."), said("", tool_calls=[bare]))
    tokenizer = templated(chat_tokenizer, "keeps last thought")
    with pytest.raises(UserError) as caught:
        encode(example, tokenizer, max_length=900)
    (problem,) = caught.value.problems
    assert problem.what == "the chat template takes no tool calls without arguments"
    assert problem.hint.startswith('write "arguments": {} where there are none')
    filled = talk(user("Find Ada."), said("", tool_calls=[call({})]))
    (shown,) = supervised(filled, tokenizer)
    assert shown == '<call>{"name": "lookup", "arguments": {}}</call><|stop|>'
