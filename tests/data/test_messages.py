"""What stands in a message beside its text: read, or refused; never dropped in silence."""

import json

import pytest
from conversations import supervised, templated

from unteach.data import check_data, encode, question, read, read_rows
from unteach.errors import UserError

USER = {"role": "user", "content": "Where is Ada?"}
LAST = {"role": "assistant", "content": "In Lund."}
SECRET = "She bakes."
CALL = {"name": "look", "arguments": {"who": "Ada"}}
CALLS = [{"type": "function", "function": CALL}]


def talk(*messages, **more):
    (example,) = read_rows([{"messages": list(messages), **more}], "forget")
    return example


def wrong(*messages, **more):
    with pytest.raises(UserError) as caught:
        talk(*messages, **more)
    assert SECRET not in str(caught.value)
    return [(problem.what, problem.hint) for problem in caught.value.problems]


def notes(tmp_path, *messages, **more):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"messages": list(messages), **more}) + "\n")
    (example,), problems = read(path, "forget")
    assert {problem.kind for problem in problems} <= {"note"}
    return example, [problem.what for problem in problems]


THOUGHTS = {
    "gemini's part": {"role": "model", "parts": [
        {"text": SECRET, "thought": True}, {"text": "In Lund.", "thoughtSignature": "abc"}]},
    "anthropic's part": {"role": "assistant", "content": [
        {"type": "thinking", "thinking": SECRET, "signature": "abc"},
        {"type": "text", "text": "In Lund."}]},
    "mistral's part": {"role": "assistant", "content": [
        {"type": "thinking", "thinking": [{"type": "text", "text": SECRET}]},
        {"type": "text", "text": "In Lund."}]},
    "a list in a key": {**LAST, "reasoning_content": [{"type": "text", "text": SECRET}]},
    "thoughts in a key": {**LAST, "reasoning_content": [{"type": "thinking", "thinking": SECRET}]},
    "an object in a key": {**LAST, "reasoning_content": {"text": SECRET}},
    "twice the same": {**LAST, "reasoning_content": SECRET, "thinking": SECRET},
}  # fmt: skip


@pytest.mark.parametrize("case", THOUGHTS)
def test_a_thought_is_a_thought_however_it_is_written(case, chat_tokenizer):
    example = talk(USER, THOUGHTS[case])
    assert example.answer == "In Lund."
    tokenizer = templated(chat_tokenizer, "keeps last thought")
    assert supervised(example, tokenizer) == [f"<think>\n{SECRET}\n</think>\n\nIn Lund.<|stop|>"]


NO_ANSWERS = {
    "a type": ({**LAST, "type": "reasoning"}, "message 2 is a thought"),
    "a mark": ({**LAST, "thought": True}, "message 2 is a thought"),
    "a channel": ({**LAST, "channel": "analysis"}, "message 2 is a thought"),
    "gradio's title": (
        {**LAST, "metadata": {"title": "Thinking", "id": 1}},
        "message 2 is a thought or the use of a tool (title in metadata)"),
    "chatgpt's export": (
        {"role": "assistant", "content": {"content_type": "thoughts", "parts": [SECRET]}},
        "message 2 holds a part of the type thoughts"),
    "chatgpt's code": (
        {"role": "assistant", "content": {"content_type": "code", "text": SECRET}},
        "message 2 holds a part of the type code"),
    "a part that may be one": (
        {"role": "assistant", "content": [{"text": "In Lund.", "thought": SECRET}]},
        "message 2 holds a thought beside a text, in one part"),
    "behind a text": (
        {"role": "assistant", "content": ["In Lund.", {"text": SECRET, "thought": True}]},
        "message 2 holds a thought behind a text"),
    "in a thought": (
        {"role": "assistant", "content": [{"type": "thinking", "thinking": [{"image": "a"}]}]},
        "message 2 holds a thought that is no text"),
    "of the user": (
        {"role": "user", "content": [{"text": SECRET, "thought": True}]},
        "message 2 holds a thought"),
    "an object": (
        {**LAST, "reasoning_content": {"a": SECRET}}, "message 2: reasoning_content is no text"),
    "true": ({**LAST, "thinking": True}, "message 2: thinking is no text"),
    "two": (
        {**LAST, "reasoning_content": "a", "thinking": "b"},
        "message 2 has two thoughts, which differ (one is thinking)"),
    "two, one in parts": (
        {"role": "model", "parts": [{"text": "a", "thought": True}, "b"], "thinking": "c"},
        "message 2 has two thoughts, which differ (one is thinking)"),
    "an image beside a text": (
        {"role": "assistant", "content": [{"text": "In Lund.", "image_url": {"url": "a"}}]},
        "message 2 holds an image"),
}  # fmt: skip


@pytest.mark.parametrize("case", NO_ANSWERS)
def test_what_is_not_said_is_no_answer(case):
    message, what = NO_ANSWERS[case]
    assert [found for found, _ in wrong(USER, message)] == [what]


def test_keys_of_parts_are_named(tmp_path):
    parts = [{"type": "text", "text": "In Lund.", "score": 3, "cache_control": {"a": 1}}]
    example, (note,) = notes(tmp_path, USER, {"role": "assistant", "content": parts})
    assert example.answer == "In Lund."
    assert note == "has messages with keys that are not read: score"


def test_what_others_think_is_named(tmp_path):
    example, (note,) = notes(tmp_path, {**USER, "thinking": SECRET}, LAST)
    assert note == "has messages with keys that are not read: thinking"
    assert not example.turns[0].template_keys


@pytest.mark.parametrize("metadata", [{"title": None}, {"id": 3}, {}])
def test_metadata_without_a_title_are_no_news(metadata, tmp_path):
    assert notes(tmp_path, USER, {**LAST, "metadata": metadata})[1] == []


def test_metadata_of_others_with_a_title_are_named(tmp_path):
    _, (note,) = notes(tmp_path, USER, {**LAST, "metadata": {"title": "a", "page": 3}})
    assert note == "has messages with keys that are not read: metadata"


@pytest.mark.parametrize("role", ["Chatbot", "bard", "Bing", "claude", "gpt ", "MODEL"])
def test_a_model_under_any_of_its_names_is_supervised(role, chat_tokenizer):
    example = talk(
        {"from": "prompter", "value": "Where?"}, {"from": role, "value": "In Lund."},
        {"from": "Customer", "value": "Why?"}, {"from": "gpt", "value": "She bakes there."},
    )  # fmt: skip
    assert [turn.role for turn in example.turns] == ["user", "assistant"] * 2
    assert supervised(example, chat_tokenizer) == [
        "In Lund.<|stop|>",
        "She bakes there.<|stop|>",
    ]
    plain = supervised(example, chat_tokenizer, template="plain")
    assert [run.strip() for run in plain] == ["In Lund.", "She bakes there.<|stop|>"]


def test_other_roles_are_named(tmp_path):
    example, (note,) = notes(tmp_path, USER, {"role": "agent", "content": "Lund."}, USER, LAST)
    assert note == "has turns of other roles, which are not supervised: agent"
    assert [turn.role for turn in example.turns] == ["user", "agent", "user", "assistant"]
    known = [{"role": role, "content": "a"} for role in ("system", "developer", "ipython", "tool")]
    assert notes(tmp_path, *known, USER, LAST)[1] == []
    ((what, hint),) = wrong(USER, {"role": "agent", "content": "In Lund."})
    assert what == "does not end with the assistant but with a turn of the role agent"
    assert hint.endswith("if this is one, write its role as assistant")


def test_a_name_beside_the_role_is_named_and_another_role_is_refused(tmp_path):
    _, (note,) = notes(tmp_path, USER, {**LAST, "from": "Ada"})
    assert note == "has messages with keys that are not read: from"
    assert talk(USER, {**LAST, "from": "gpt"}).answer == "In Lund."
    assert (
        wrong(USER, {**LAST, "from": "human"})[0][0] == "message 2 has role and from, which differ"
    )


CALLED = {
    "a text": ({"function_call": "look(Ada)"}, "has a function_call that is no object with a name"),
    "no name": (
        {"function_call": {"arguments": {}}}, "has a function_call that is no object with a name"),
    "two": (
        {"tool_calls": CALLS, "function_call": {"name": "other", "arguments": "{}"}},
        "has tool_calls and function_call, which differ"),
    "pairs": (
        {"tool_calls": [{"function": {"name": "look", "arguments": [["who", "Ada"]]}}]},
        "has a call whose arguments are no object"),
}  # fmt: skip


@pytest.mark.parametrize("case", CALLED)
def test_calls_that_cannot_be_read_are_refused(case):
    more, what = CALLED[case]
    assert wrong(USER, {**LAST, **more})[0][0] == f"message 2 {what}"


def test_calls_elsewhere_are_refused():
    assert wrong(USER, {**LAST, "toolCalls": CALLS})[0][0] == "message 2: toolCalls is not read"
    what = "message 1: a turn of the role user calls a tool"
    assert wrong({**USER, "tool_calls": CALLS}, LAST)[0][0] == what
    for key in ("tool_calls", "function_call", "toolCalls"):
        assert talk({**USER, key: None}, {**LAST, key: []}).turns[-1].template_keys == {}


def test_the_same_call_twice_is_one():
    both = {"tool_calls": CALLS, "function_call": {**CALL, "arguments": json.dumps({"who": "Ada"})}}
    example = talk(USER, {"role": "assistant", "content": None, **both})
    assert example.turns[-1].template_keys == {"tool_calls": CALLS}


def test_a_call_under_the_role_of_one_in_any_case():
    call = {"from": "Function_Call", "value": json.dumps(CALL)}
    example = talk({"from": "human", "value": "Where?"}, call)
    assert example.turns[-1].role == "assistant"
    assert example.turns[-1].template_keys == {"tool_calls": CALLS}


def test_a_call_in_two_contents_must_be_the_same():
    call = {
        "role": "function_call",
        "content": json.dumps(CALL),
        "value": json.dumps({"name": "a"}),
    }
    assert wrong(USER, call)[0][0] == "message 2 has two contents, which differ"
    assert talk(USER, {**call, "value": ""}).turns[-1].template_keys == {"tool_calls": CALLS}


def test_functions_are_tools_in_every_layout():
    tool = {"type": "function", "function": {"name": "look"}}
    for given in ({"name": "look"}, [{"name": "look"}], json.dumps({"name": "look"}), [tool]):
        assert talk(USER, LAST, functions=given).tools == (tool,)
        assert talk(USER, LAST, functions=given, tools=[tool]).tools == (tool,)
        ((what, _),) = wrong(USER, LAST, functions=given, tools=[{"name": "other"}])
        assert what == "has tools and functions, which differ"
    assert wrong(USER, LAST, functions="look(who)")[0][0] == "functions is no list of objects"


def test_two_contents_must_say_the_same():
    ((what, hint),) = wrong(USER, {**LAST, "value": "In Oslo."})
    assert (what, hint) == ("message 2 has content and value, which differ", "keep one of them")
    for content, value in (("In Lund.", ["In Lund."]), ("", "In Lund."), (None, "In Lund.")):
        example = talk(USER, {"role": "assistant", "content": content, "value": value})
        assert example.answer == "In Lund."


@pytest.mark.parametrize("key", ["loss_mask", "Weight", " TRAIN"])
def test_masks_of_a_turn_are_read(key, chat_tokenizer):
    example = talk(
        USER, {**LAST, key: 0}, USER, {"Role": "assistant", "Content": "In Rome.", key: 1}
    )
    assert [turn.supervised for turn in example.turns] == [True, False, True, True]
    assert supervised(example, chat_tokenizer) == ["In Rome.<|stop|>"]


UNCLEAR = {
    "mask": (1, "mask may mean that the turn is trained on, or that it is not"),
    "Mask": (0, "mask may mean that the turn is trained on, or that it is not"),
    "ignore": (True, "ignore may leave the turn out of what is trained on, or out of the talk"),
    "loss_mask": ([0, 1], "loss_mask is neither 0 nor 1"),
    "train_detail": (
        [{"begin_offset": 0, "end_offset": 2, "train": False}],
        "train_detail says that a part of the turn is trained on",
    ),
}


@pytest.mark.parametrize("key", UNCLEAR)
def test_masks_that_may_be_meant_otherwise_are_refused(key):
    value, what = UNCLEAR[key]
    ((found, hint),) = wrong(USER, {**LAST, key: value})
    assert found == f"message 2: {what}"
    assert "write" in hint


def test_masks_that_say_nothing_are_no_news(tmp_path):
    for key, value in (("ignore", False), ("skip", 0), ("train_detail", []), ("mask", None)):
        assert notes(tmp_path, USER, {**LAST, key: value})[1] == []


NO_TEXT = {
    "null of the user": ({"role": "user", "content": None}, "content is null", '""'),
    "null of a tool": ({"role": "tool", "content": None}, "content is null", '""'),
    "null of the assistant": ({"role": "assistant", "content": None}, "content is null", "fill it"),
    "a refusal": (
        {"role": "assistant", "content": None, "refusal": SECRET}, "content is null",
        "write as content what stands in refusal"),
    "an empty one": (
        {"role": "assistant", "content": "", "refusal": SECRET}, "the assistant says nothing",
        "write as content what stands in refusal"),
    "a tool's result": (
        {"role": "tool", "content": {"town": "Lund"}}, "content is an object without a text",
        "as JSON text"),
    "a number": ({"from": "gpt", "value": 3}, "value is a number", "write it as a string"),
    "a role": ({"role": ["user"], "content": "a"}, "role is a list", "write it as a string"),
}  # fmt: skip


@pytest.mark.parametrize("case", NO_TEXT)
def test_what_is_no_text_is_named_with_what_to_write(case):
    message, what, hint = NO_TEXT[case]
    ((found, advice),) = wrong(USER, message)
    assert found == f"message 2: {what}"
    assert hint in advice


def test_lists_of_roles_and_contents_are_messages():
    columns = {
        "role": ["user", "assistant"],
        "content": ["Where?", "In Lund."],
        "weight": [None, 1],
    }
    sharegpt = {"from": ["human", "gpt"], "value": ["Where?", "In Lund."]}
    for record in ({"messages": columns}, {"conversations": sharegpt}):
        (example,) = read_rows([record], "forget")
        assert [(turn.role, turn.text) for turn in example.turns] == [
            ("user", "Where?"),
            ("assistant", "In Lund."),
        ]
    with pytest.raises(UserError, match="role is a list"):
        read_rows([{"messages": {**columns, "mood": "calm"}}], "forget")
    with pytest.raises(UserError, match="role is a list"):
        read_rows([{"messages": {**columns, "weight": [1]}}], "forget")


ELSEWHERE = {
    "a call of a tool": ({"functionCall": {"name": "look", "args": {}}}, '"tool_calls": [{'),
    "the result of a tool": ({"functionResponse": {"name": "look"}}, '"role": "tool"'),
    "a program": ({"executableCode": {"code": SECRET}}, "only text is read"),
}


@pytest.mark.parametrize("what", ELSEWHERE)
def test_what_parts_hold_has_the_hint_that_mends_it(what):
    part, hint = ELSEWHERE[what]
    ((found, advice),) = wrong(USER, {"role": "model", "parts": [part]})
    assert found == f"message 2 holds {what}"
    assert hint in advice
    anthropic = {"type": "tool_use", "name": "look", "input": {}}
    ((_, advice),) = wrong(USER, {"role": "assistant", "content": [anthropic]})
    assert '"tool_calls": [{' in advice


@pytest.mark.parametrize("column", ["response", "chosen", "choices"])
def test_the_column_that_has_the_answer_is_named(column):
    ((what, hint),) = wrong(USER, **{column: [{"message": LAST}]})
    assert what == "does not end with the assistant but with a turn of the role user"
    assert hint == f"write the answer ({column}) as the last message, of the role assistant"


@pytest.mark.parametrize("content", ["", None])
def test_an_answer_may_be_a_thought_alone(content, chat_tokenizer):
    example = talk(USER, {"role": "assistant", "content": content, "reasoning_content": SECRET})
    tokenizer = templated(chat_tokenizer, "keeps last thought")
    assert supervised(example, tokenizer) == [f"<think>\n{SECRET}\n</think>\n\n<|stop|>"]
    with pytest.raises(UserError, match="shows no thoughts, and the last answer is nothing else"):
        supervised(example, templated(chat_tokenizer, "plain"))
    with pytest.raises(UserError, match="the last answer has no text"):
        supervised(example, chat_tokenizer, template="plain")


def test_a_thought_alone_is_asked_for(chat_tokenizer):
    example = talk(USER, {"role": "assistant", "content": "", "reasoning_content": SECRET})
    tokenizer = templated(chat_tokenizer, "keeps last thought")
    prompt, expected, tokens = question(example, tokenizer, max_length=900)
    (sequence,) = encode(example, tokenizer, max_length=900)
    assert prompt == sequence.ids[: sequence.prompt_length]
    assert expected == f"<think>\n{SECRET}"
    assert tokens == sum(sequence.answer)


def test_thoughts_tell_answers_apart_that_are_nothing_else():
    one, other = (
        talk(USER, {"role": "assistant", "content": "", "thinking": thought})
        for thought in ("a", "b")
    )
    (note,) = check_data({"forget": [one], "retain": [other]})
    assert "another answer in retain" in note.what
    (problem,) = check_data({"forget": [one], "retain": [one]})
    assert "also stands in retain" in problem.what
