"""Prompt and completion as lists of messages: the completion is trained on, one system text."""

import json

import pyarrow
import pyarrow.parquet
import pytest
from conversations import supervised

from unteach.data import read, read_rows
from unteach.errors import UserError

SYSTEM = {"role": "system", "content": "Be brief."}
FIRST = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Ada."}]
ASKED = {"role": "user", "content": "Where?"}
LAST = {"role": "assistant", "content": "In Lund."}


def one(**record):
    (example,) = read_rows([record], "forget")
    return example


def told(example):
    return [(turn.role, turn.text) for turn in example.turns]


@pytest.mark.parametrize("completion", [[LAST], LAST, "In Lund.", json.dumps([LAST])])
@pytest.mark.parametrize("names", [("prompt", "completion"), ("input", "output")])
def test_only_the_completion_is_supervised(names, completion, chat_tokenizer):
    example = one(**dict(zip(names, ([*FIRST, ASKED], completion), strict=True)))
    assert told(example) == [
        ("user", "Who?"), ("assistant", "Ada."), ("user", "Where?"), ("assistant", "In Lund."),
    ]  # fmt: skip
    assert supervised(example, chat_tokenizer) == ["In Lund.<|stop|>"]


def test_all_answers_of_a_completion_are_supervised(chat_tokenizer):
    example = one(prompt=[ASKED], completion=[LAST, *FIRST])
    assert supervised(example, chat_tokenizer) == ["In Lund.<|stop|>", "Ada.<|stop|>"]


def test_answers_of_a_history_are_supervised(chat_tokenizer):
    example = one(question="Where?", answer="In Lund.", history=[["Who?", "Ada."]])
    assert supervised(example, chat_tokenizer) == ["Ada.<|stop|>", "In Lund.<|stop|>"]


def test_one_message_is_a_message():
    example = one(prompt=ASKED, completion=LAST)
    assert told(example) == [("user", "Where?"), ("assistant", "In Lund.")]
    with pytest.raises(UserError, match="prompt is an object"):
        one(prompt={"text": "Where?"}, completion=LAST)


def test_lists_of_messages_in_cells(tmp_path, chat_tokenizer):
    cells = [json.dumps(each).replace('"', '""') for each in ([*FIRST, ASKED], [LAST])]
    (tmp_path / "a.csv").write_text(f'prompt,completion\n"{cells[0]}","{cells[1]}"\n')
    (example,), problems = read(tmp_path / "a.csv", "forget")
    assert (len(example.turns), problems) == (4, [])
    assert supervised(example, chat_tokenizer) == ["In Lund.<|stop|>"]


def test_a_text_that_is_json_may_be_an_answer():
    for answer in ('{"from": "Lund", "to": "Oslo"}', '[{"role": "baker", "content": "bread"}]'):
        assert one(question="As JSON?", answer=answer).answer == answer
        assert one(question=answer, answer="a").turns[0].text == answer


SYSTEMS = {
    "column and prompt": {"system": "Be brief.", "prompt": [SYSTEM, ASKED], "completion": [LAST]},
    "column and history": {
        "system": "Be brief.", "history": [SYSTEM], "question": "Where?", "answer": "In Lund.",
    },
    "column and both": {
        "system": "Be brief.", "history": [SYSTEM], "prompt": [SYSTEM, ASKED], "completion": [LAST],
    },
    "history and prompt": {"history": [SYSTEM], "prompt": [SYSTEM, ASKED], "completion": [LAST]},
    "column and messages": {"system": "Be brief.", "messages": [SYSTEM, ASKED, LAST]},
}  # fmt: skip


@pytest.mark.parametrize("case", SYSTEMS)
def test_a_system_text_that_stands_in_two_places_is_one(case):
    record = SYSTEMS[case]
    example = one(**record)
    assert told(example) == [
        ("system", "Be brief."), ("user", "Where?"), ("assistant", "In Lund."),
    ]  # fmt: skip
    other = json.loads(json.dumps(record).replace("Be brief.", "Be long.", 1))
    with pytest.raises(UserError, match="has two system texts"):
        one(**other)


def test_a_system_text_behind_earlier_turns_is_not_a_second_one():
    same = {"history": [SYSTEM, *FIRST], "prompt": [SYSTEM, ASKED], "completion": [LAST]}
    assert [turn.role for turn in one(**same).turns] == ["system", *["user", "assistant"] * 2]


THOUGHT = [{"type": "text", "text": "She "}, {"type": "text", "text": "bakes."}]


def test_thoughts_in_columns():
    example = one(question="Where?", answer="In Lund.", thinking=THOUGHT)
    assert example.turns[-1].template_keys == {"thinking": "She bakes."}
    with pytest.raises(UserError, match="has two thoughts, which differ"):
        one(question="Where?", answer="In Lund.", thinking="a", reasoning_content="b")


def test_maps_of_parquet_are_objects(tmp_path):
    kind = pyarrow.map_(pyarrow.string(), pyarrow.string())
    function = pyarrow.struct([("name", pyarrow.string()), ("arguments", kind)])
    call = pyarrow.struct([("function", function)])
    message = pyarrow.struct(
        [
            ("role", pyarrow.string()),
            ("content", pyarrow.string()),
            ("tool_calls", pyarrow.list_(call)),
        ]
    )
    calls = [{"function": {"name": "look", "arguments": [("who", "Ada"), ("town", "Lund")]}}]
    talk = [ASKED, {"role": "assistant", "content": None, "tool_calls": calls}]
    table = pyarrow.table({"messages": pyarrow.array([talk], pyarrow.list_(message))})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    (example,), problems = read(tmp_path / "a.parquet", "forget")
    arguments = {"who": "Ada", "town": "Lund"}
    assert problems == []
    assert example.turns[-1].template_keys == {
        "tool_calls": [{"function": {"name": "look", "arguments": arguments}}]
    }


def test_a_map_with_a_key_twice_is_refused(tmp_path):
    kind = pyarrow.map_(pyarrow.string(), pyarrow.string())
    column = pyarrow.array([[("Ada", "a"), ("Ada", "b")]], kind)
    table = pyarrow.table({"question": ["Where?"], "answer": ["In Lund."], "more": column})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    _, (problem,) = read(tmp_path / "a.parquet", "forget")
    assert problem.what == "holds a map in which a key stands twice"
    assert "Ada" not in str(problem).replace(str(tmp_path), "")
