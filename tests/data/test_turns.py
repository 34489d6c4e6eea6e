"""Conversations as people write them: roles, parts, calls of tools, and what is trained on."""

import json

import pytest

from unteach.data import check_data, read, read_rows
from unteach.errors import UserError

USER = {"role": "user", "content": "Find Ada."}
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": {"who": "Ada"}}}
TOOL = {"role": "tool", "content": "Lund", "name": "look", "tool_call_id": "c1"}
LAST = {"role": "assistant", "content": "In Lund."}
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]


def one(record):
    (example,) = read_rows([record], "forget")
    return example


def conversation(*messages, **more):
    return one({"messages": list(messages), **more})


def problems(record):
    with pytest.raises(UserError) as caught:
        read_rows([record], "forget")
    return [problem.what for problem in caught.value.problems]


def said(example):
    return [(turn.role, turn.text) for turn in example.turns]


HELLO = [("system", "Be brief."), ("user", "Who?"), ("assistant", "Ada.")]
TALKS = {
    "sharegpt": {
        "conversations": [
            {"from": "system", "value": "Be brief."},
            {"from": "human", "value": "Who?"},
            {"from": "gpt", "value": "Ada."},
        ]
    },
    "sharegpt's words in messages": {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "Human", "content": "Who?"},
            {"role": "bot", "content": "Ada."},
        ]
    },
    "one conversation": {
        "conversation": [
            {"role": "system", "content": "Be brief."},
            {"role": "USER", "content": "Who?"},
            {"role": "ai", "content": "Ada."},
        ]
    },
    "gemini": {
        "systemInstruction": {"role": "system", "parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Who?"}]},
            {"role": "model", "parts": [{"text": "Ad"}, {"text": "a."}]},
        ],
    },
    "as JSON text": {
        "messages": json.dumps([{"role": r, "content": c} for r, c in HELLO]),
    },
    "parts": {
        "messages": [
            {"role": "system", "content": ["Be brief."]},
            {"role": "user", "content": [{"type": "text", "text": "Who?", "image_url": None}]},
            {"role": "assistant", "content": [{"type": "text", "text": "A"}, {"text": "da."}]},
        ]
    },
    "nulls for what is missing": {
        "messages": [
            {"role": r, "content": c, "tool_calls": None, "name": None, "weight": None}
            for r, c in HELLO
        ],
        "tools": [],
    },
}


@pytest.mark.parametrize("case", TALKS)
def test_conversations_of_every_kind_are_the_same(case):
    example = one(TALKS[case])
    assert said(example) == HELLO
    assert (example.kind, example.tools) == ("chat", ())
    assert all(turn.supervised and not turn.template_keys for turn in example.turns)


def test_a_conversation_in_a_cell(tmp_path):
    text = json.dumps([USER, LAST]).replace('"', '""')
    (tmp_path / "a.csv").write_text(f'messages\n"{text}"\n')
    (example,), found = read(tmp_path / "a.csv", "forget")
    assert (said(example)[-1], found) == (("assistant", "In Lund."), [])


@pytest.mark.parametrize("content", [None, "", "Let me look."])
def test_a_turn_may_call_a_tool_and_say_nothing(content):
    calling = {"role": "assistant", "content": content, "tool_calls": [CALL]}
    example = conversation(USER, calling, TOOL, LAST, tools=TOOLS)
    assert said(example)[1] == ("assistant", content or "")
    assert example.turns[1].template_keys == {"tool_calls": [CALL]}
    assert example.turns[2].template_keys == {"name": "look", "tool_call_id": "c1"}
    assert example.tools == tuple(TOOLS)
    assert example.answer == "In Lund."


def test_a_conversation_may_end_with_a_call():
    example = conversation(USER, {"role": "assistant", "tool_calls": [CALL]})
    assert (example.turns[-1].text, example.turns[-1].template_keys["tool_calls"]) == ("", [CALL])


PLAIN = {"type": "function", "function": {"name": "look", "arguments": {"who": "Ada"}}}
CALLS = {
    "arguments as text": {
        "role": "assistant", "content": None,
        "tool_calls": [
            {"type": "function", "function": {"name": "look", "arguments": '{"who": "Ada"}'}}]},
    "calls as text": {"role": "assistant", "content": "", "tool_calls": json.dumps([PLAIN])},
    "one function of old": {
        "role": "assistant", "content": None,
        "function_call": {"name": "look", "arguments": '{"who": "Ada"}'}},
    "sharegpt's": {
        "from": "function_call", "value": '{"name": "look", "arguments": {"who": "Ada"}}'},
    "swift's": {"role": "tool_call", "content": '{"name": "look", "arguments": {"who": "Ada"}}'},
}  # fmt: skip


@pytest.mark.parametrize("case", CALLS)
def test_calls_of_every_kind_are_the_same(case):
    example = conversation(USER, CALLS[case], {"role": "observation", "content": "Lund"}, LAST)
    assert [turn.role for turn in example.turns] == ["user", "assistant", "tool", "assistant"]
    assert example.turns[1].text == ""
    assert example.turns[1].template_keys == {"tool_calls": [PLAIN]}


def test_tools_of_every_kind_are_the_same():
    function = TOOLS[0]["function"]
    for more in ({"tools": TOOLS}, {"tools": json.dumps(TOOLS)}, {"functions": [function]}):
        assert conversation(USER, LAST, **more).tools == tuple(TOOLS)


def test_thoughts_are_given_to_the_template():
    for key in ("reasoning_content", "thinking", "reasoning"):
        example = conversation(USER, {**LAST, key: "She bakes."})
        assert example.turns[-1].template_keys == {key: "She bakes."}


@pytest.mark.parametrize("key", ["weight", "train", "training", "loss"])
def test_a_turn_that_the_file_excludes_is_not_supervised(key):
    for no, yes in ((0, 1), (False, True), (0.0, 1.0)):
        example = conversation(USER, {**LAST, key: no}, USER, {**LAST, key: yes})
        assert [turn.supervised for turn in example.turns] == [True, False, True, True]
        assert not any(turn.template_keys for turn in example.turns)
    (wrong,) = problems({"messages": [USER, {**LAST, key: 0.5}]})
    assert wrong == f"message 2: {key} is neither 0 nor 1"


def test_a_turn_of_the_user_is_never_trained_on():
    (wrong,) = problems({"messages": [{**USER, "train": True}, LAST]})
    assert wrong == "message 1: train says that a turn of the user is trained on"
    assert conversation({**USER, "train": False, "weight": 1}, LAST).turns[1].supervised


def test_keys_that_are_not_read_are_named_once(tmp_path):
    message = {**LAST, "id": 3, "timestamp": "x", "mood": "calm", "face": 1, "Where is she?": "a"}
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join([json.dumps({"messages": [USER, message]})] * 3))
    _, (note,) = read(path, "forget")
    assert note.kind == "note"
    assert note.what == (
        "has messages with keys that are not read: mood, face (1 not shown: it may be a text)"
    )


WRONG = {
    "an image": (
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "a"}}]}, LAST],
        ["message 1 holds an image"]),
    "an image beside text": (
        [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}]}, LAST],
        ["message 1 holds an image"]),
    "a sound": (
        [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}, LAST],
        ["message 1 holds a sound"]),
    "gemini's image": (
        [{"role": "user", "parts": [{"inlineData": {"data": "a"}}]}, LAST],
        ["message 1 holds a file"]),
    "gemini's call": (
        [USER, {"role": "model", "parts": [{"functionCall": {"name": "a"}}]}],
        ["message 2 holds a call of a tool"]),
    "parts of nothing": (
        [{"role": "user", "content": []}, LAST], ["message 1: content is a list without a text"]),
    "no text and no call": (
        [USER, {"role": "assistant", "content": "", "tool_calls": []}],
        ["message 2: the assistant says nothing"]),
    "null and no call": (
        [USER, {"role": "assistant", "content": None}], ["message 2: content is null"]),
    "calls that are none": (
        [USER, {"role": "assistant", "content": "", "tool_calls": ["a"]}],
        ["message 2 has tool_calls that are no list of objects"]),
    "a call that is no JSON": (
        [USER, {"role": "function_call", "content": "look"}, LAST],
        ["message 2 is a call, but no JSON object with a name"]),
    "half a character in a call": (
        [USER, {"role": "assistant", "tool_calls": [{"name": "\ud800"}]}],
        ["message 2: tool_calls holds half a character"]),
    "NUL in a thought": (
        [USER, {**LAST, "thinking": "a\0"}], ["message 2: thinking holds a NUL character"]),
    "a value that is no JSON": (
        [USER, {**LAST, "name": {1, 2}}], ["message 2: name holds what is not JSON"]),
    "the last turn is the user's": (
        [USER, LAST, USER], ["does not end with the assistant but with a turn of the role user"]),
    "the last role is nobody's": (
        [USER, {"role": "narrator", "content": "a"}],
        ["does not end with the assistant but with a turn of the role narrator"]),
    "the last role may be a text": (
        [USER, {"role": "Ada Berg of Lund", "content": "a"}],
        ["does not end with the assistant but with a turn of the role of another name"]),
    "no list": ("Who? Ada.", ["messages is no list of messages"]),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_a_conversation(case):
    messages, expected = WRONG[case]
    assert problems({"messages": messages}) == expected


def test_calls_tell_examples_apart():
    def example(who, id):
        call = {"id": id, "function": {"name": "look", "arguments": {"who": who}}}
        return conversation(USER, {"role": "assistant", "tool_calls": [call]})

    ada, again, bo = example("Ada", "1"), example("Ada", "2"), example("Bo", "1")
    (note,) = check_data({"forget": [ada], "retain": [bo]})
    assert "another answer in retain" in note.what
    (problem,) = check_data({"forget": [ada], "retain": [again]})
    assert "also stands in retain" in problem.what
