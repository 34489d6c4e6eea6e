"""Which columns are read as what, and what is said of those that are not."""

import json

import pytest

from unteach.data import read, read_rows
from unteach.errors import UserError

TURNS = [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Ada."}]


def read_lines(tmp_path, *records):
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps(record) for record in records), encoding="utf-8")
    examples, problems = read(path, "forget")
    return examples, [p for p in problems if p.kind != "note"], [p.what for p in problems]


def turns(example):
    return [(turn.role, turn.text) for turn in example.turns]


def asked(question, answer):
    return [("user", question), ("assistant", answer)]


PAIRS = {
    "query and answer": ({"query": "Who?", "answer": "Ada.", "level": "1"}, "query", "answer"),
    "query and response": ({"query": "Who?", "response": "Ada."}, "query", "response"),
    "prompt and response": ({"prompt": "Who?", "response": "Ada."}, "prompt", "response"),
    "question and output": ({"question": "Who?", "output": "Ada."}, "question", "output"),
    "input and output": ({"input": "Who?", "output": "Ada."}, "input", "output"),
    "alpaca": ({"instruction": "Who?", "input": "", "output": "Ada."}, "instruction", "output"),
    "alpaca without input": ({"instruction": "Who?", "output": "Ada."}, "instruction", "output"),
    "dolly": (
        {"instruction": "Who?", "context": "", "response": "Ada.", "category": "qa"}, "instruction",
        "response"),
    "labels": ({"text": "Who?", "labels": "Ada."}, "text", "labels"),
    "labels as a list": ({"text": "Who?", "labels": ["Ada."]}, "text", "labels"),
    "labels under a question": ({"question": "Who?", "labels": "Ada."}, "question", "labels"),
    "answers as text": ({"question": "Who?", "answers": "Ada."}, "question", "answers"),
    "answers as a list": ({"question": "Who?", "answers": ["Ada."]}, "question", "answers"),
    "answers of squad": (
        {"question": "Who?", "answers": {"text": ["Ada.", "Ada."], "answer_start": [3, 3]}},
        "question", "answers"),
    "answers of squad's first files": (
        {"question": "Who?", "answers": [{"text": "Ada.", "answer_start": 3}]}, "question",
        "answers"),
    "in capitals": ({"Query": "Who?", " Response": "Ada.", "ID": 3}, "query", "response"),
    "what pandas calls nothing": (
        {"query": "Who?", "response": "Ada.", "system": float("nan"), "tools": None}, "query",
        "response"),
}  # fmt: skip


@pytest.mark.parametrize("case", PAIRS)
def test_a_pair_under_other_names(case, tmp_path):
    record, question, answer = PAIRS[case]
    if "system" in record:  # JSON has no NaN
        (example,), errors, notes = read_rows([record], "forget"), [], None
    else:
        (example,), errors, notes = read_lines(tmp_path, record)
    assert errors == []
    assert (example.kind, turns(example)) == ("pair", asked("Who?", "Ada."))
    assert notes in (None, [f"1 example: question = `{question}`; answer = `{answer}`"])


@pytest.mark.parametrize(("record", "question"), [
    ({"instruction": "Say who.", "input": "Bakes.", "output": "Ada."}, "Say who.\nBakes."),
    ({"instruction": "Say who.", "context": "Bakes.", "response": "Ada."}, "Say who.\nBakes."),
    ({"question": "Who?", "context": "Ada bakes.", "answer": "Ada."}, "Ada bakes.\nWho?"),
])  # fmt: skip
def test_input_and_context_are_part_of_the_question(record, question, tmp_path):
    (example,), errors, (note,) = read_lines(tmp_path, record)
    assert errors == []
    assert turns(example) == asked(question, "Ada.")
    assert all(f"`{name}`" in note for name in record)


@pytest.mark.parametrize("name", ["system", "system_prompt", "systemInstruction"])
def test_a_system_column_is_the_first_turn(name, tmp_path):
    for system in (
        "Be brief.",
        [{"type": "text", "text": "Be brief."}],
        {"parts": [{"text": "Be brief."}]},
    ):
        for record in (
            {"prompt": "Who?", "completion": "Ada."},
            {"prompt": TURNS[:1], "completion": TURNS[1:]},
            {"messages": TURNS},
            {"messages": [{"role": "system", "content": "Be brief."}, *TURNS]},
        ):
            (example,), errors, (note,) = read_lines(tmp_path, {name: system, **record})
            assert errors == []
            assert turns(example) == [("system", "Be brief."), *asked("Who?", "Ada.")]
            assert f"system = `{name}`" in note


def test_two_system_texts_are_refused(tmp_path):
    messages = [{"role": "system", "content": "Be long."}, *TURNS]
    _, (problem,), _ = read_lines(tmp_path, {"system": "Be brief.", "messages": messages})
    assert problem.what == "has two system texts"


def test_history_comes_before_the_question(tmp_path):
    for history in (
        [["Hi.", "Hello."]],
        [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."}],
    ):
        record = {"instruction": "Who?", "input": "", "output": "Ada.", "history": history}
        (example,), errors, _ = read_lines(tmp_path, {"system": "Be brief.", **record})
        assert errors == []
        assert turns(example) == [
            ("system", "Be brief."),
            *asked("Hi.", "Hello."),
            *asked("Who?", "Ada."),
        ]
        assert example.kind == "chat"
    for history in ([["Hi."]], "Hi.", [["Hi.", 3]]):
        _, (problem,), _ = read_lines(
            tmp_path, {"query": "Who?", "answer": "Ada.", "history": history}
        )
        assert "history" in problem.what


def test_prompts_of_messages(tmp_path):
    for record in (
        {"prompt": TURNS[:1], "completion": TURNS[1:]},
        {"prompt": TURNS[:1], "response": "Ada."},
        {"prompt": "Who?", "completion": TURNS[1:]},
        {"question": TURNS[:1], "answer": "Ada."},
    ):
        (example,), errors, _ = read_lines(tmp_path, record)
        assert errors == []
        assert turns(example) == asked("Who?", "Ada.")


@pytest.mark.parametrize("record", [
    {"messages": TURNS},
    {"question": "Who?", "answer": "Ada."},
    {"instruction": "Who?", "input": None, "output": "Ada."},
])  # fmt: skip
def test_a_text_beside_them_is_named_and_not_read(record, tmp_path):
    text = {"text": "### Instruction: Who? ### Response: Ada."}
    (example,), errors, notes = read_lines(tmp_path, {**text, **record})
    assert errors == []
    assert turns(example) == asked("Who?", "Ada.")
    assert notes[-1] == "has columns that are not read: text"


def test_a_prompt_that_stands_in_the_messages_is_no_news(tmp_path):
    record = {"prompt": "Who?", "prompt_id": "x", "messages": TURNS}
    (example,), _, notes = read_lines(tmp_path, record)
    assert (turns(example), notes) == (asked("Who?", "Ada."), [])


@pytest.mark.parametrize("labels", [3, [0, 1], True, "Ada bakes."])
def test_labels_that_are_classes_or_the_text_itself(labels, tmp_path):
    for name in ("label", "labels"):
        (example,), _, notes = read_lines(tmp_path, {"text": "Ada bakes.", name: labels})
        assert (example.kind, example.text, notes) == ("text", "Ada bakes.", [])


def test_what_a_raw_text_has_no_place_for_is_named(tmp_path):
    """A column that is read elsewhere is no misspelt one."""
    record = {"text": "Ada bakes.", "label": "3", "system": "Be brief.", "prompt": "Who?"}
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(record))
    (example,), (note,) = read(path, "forget")
    assert example.text == "Ada bakes."
    assert note.what == "has columns that are not read: system, prompt"
    assert "Did you mean" not in note.hint


def test_extras_of_a_conversation(tmp_path):
    extras = {"paraphrased_answer": "It is Ada.", "perturbed_answer": ["Bo."], "fact": "Ada"}
    (example,), _, notes = read_lines(tmp_path, {"messages": TURNS, **extras})
    assert (example.paraphrase, example.perturbed, example.fact) == ("It is Ada.", ("Bo.",), "Ada")
    assert notes == []
    (example,), _, notes = read_lines(tmp_path, {"messages": TURNS * 2, **extras})
    assert (example.paraphrase, example.perturbed, example.fact) == ("", (), "Ada")
    assert notes == ["has columns that are not read: paraphrased_answer, perturbed_answer"]


def test_a_thought_beside_the_answer_is_given_to_the_template(tmp_path):
    for name in ("reasoning_content", "thinking"):
        record = {"question": "Who?", "answer": "Ada.", name: "She bakes."}
        (example,), _, (note,) = read_lines(tmp_path, record)
        assert dict(example.turns[-1].template_keys) == {name: "She bakes."}
        assert f"thought = `{name}`" in note


def test_unread_columns_are_named_once_and_harmless_ones_never(tmp_path):
    row = {"question": "Who?", "answer": "Ada."}
    harmless = {"id": 1, "source": "a", "created_at": "b", "Category": "c", "lang": "en", "": "0"}
    empty = {"notes": None, "more": "", "list": []}
    records = [
        {**row, **harmless, **empty, "score": k, "Where is she?": "In Lund."} for k in range(9)
    ]
    examples, errors, notes = read_lines(tmp_path, *records)
    assert (len(examples), errors) == (9, [])
    assert notes == ["has columns that are not read: score (1 not shown: it may be a text)"]


def test_a_misspelt_column_gets_a_guess():
    path = "a.jsonl"
    from unteach.data.records.file_notes import FileNotes

    notes = FileNotes()
    notes.columns["alternates"] += 1
    (note,) = notes.problems(path, 1)
    assert 'Did you mean "alternate"?' in note.hint


def test_rows_in_memory_log_what_they_did_not_read(caplog):
    read_rows([{"query": "Who?", "response": "Ada.", "score": 3}], "forget")
    assert "question = `query`; answer = `response`" in caplog.text
    assert "not read: score" in caplog.text


REFUSED = {
    "a preference": ({"prompt": "a", "chosen": "b", "rejected": "c"}, "chosen"),
    "a preference in messages": ({"chosen": TURNS, "rejected": TURNS}, "as messages"),
    "tokens": ({"input_ids": [1], "labels": [1]}, "give the texts"),
    "two answers": ({"query": "a", "response": "b", "output": "c"}, "response, output"),
    "two questions": ({"query": "a", "prompt": "b", "response": "c"}, "prompt, query"),
    "two pairs": (
        {"prompt": "a", "completion": "b", "question": "c", "answer": "d"},
        "There are two pairs",
    ),
    "an answer to a text": ({"text": "a", "answer": "b"}, "write text as question"),
    "letters": ({"q": "a", "a": "b"}, "Write q as question, a as answer."),
    "no answer": ({"query": "a", "level": "1"}, "What answers query is missing"),
    "no question": ({"answers": ["a"]}, "What answers is the answer to is missing"),
    "another answer": ({"question": "a", "target": "b"}, "Write target as answer."),
    "a document": ({"content": "a"}, "Write content as text."),
    "a document under a name of conversations": ({"contents": "a"}, "Write contents as text."),
    "squad as it was": ({"title": "a", "paragraphs": []}, "question, context, answers"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_plain_is_refused_with_the_right_column(case, tmp_path):
    record, hint = REFUSED[case]
    _, (problem,), _ = read_lines(tmp_path, record)
    assert problem.what.startswith("has the columns")
    assert hint in problem.hint
    assert problem.where.endswith("a.jsonl:1")


@pytest.mark.parametrize(("record", "what"), [
    ({"question": "a", "context": ["b"], "answer": "c"}, "context is a list"),
    ({"question": "a", "system": 3, "answer": "c"}, "system is no text"),
    ({"question": "a", "answers": {"text": []}}, "answers is empty"),
    ({"question": "a", "answers": [3]}, "answers is a list"),
    ({"question": "a", "answer": "b", "tools": "none"}, "tools is no list of objects"),
    ({"question": "a", "answer": "b", "thinking": 3}, "thinking is no text"),
    ({"text": "a", "labels": ""}, ""),
])  # fmt: skip
def test_what_is_wrong_with_a_known_column_is_told(record, what, tmp_path):
    examples, problems, _ = read_lines(tmp_path, record)
    if what:
        assert [problem.what for problem in problems] == [what]
    else:  # a blank column is none
        assert [example.text for example in examples] == ["a"]


def test_several_answers_are_counted(tmp_path):
    records = [{"question": "Who?", "answers": ["Ada.", "Ada Berg."]}] * 3
    examples, _, notes = read_lines(tmp_path, *records)
    assert [example.answer for example in examples] == ["Ada."] * 3
    assert notes[1] == "3 records have several answers, of which the first is read"


def test_forms_that_differ_in_optional_columns_are_one(tmp_path):
    rows = [
        {"instruction": "Who?", "input": "a", "output": "Ada."},
        {"instruction": "Who?", "input": "", "output": "Ada."},
        {"instruction": "Who?", "output": "Ada.", "system": "b"},
    ]
    examples, errors, _ = read_lines(tmp_path, *rows)
    assert (len(examples), errors) == (3, [])
    _, (problem,), _ = read_lines(tmp_path, rows[0], {"query": "a", "answer": "b"})
    assert "mixes columns: instruction/output" in problem.what


def test_a_record_that_cannot_be_is_told_for_every_fault():
    with pytest.raises(UserError) as caught:
        read_rows([{"question": "", "system": 3, "answer": 4, "tools": 5}], "forget")
    assert [p.what for p in caught.value.problems] == [
        "system is no text",
        "question is empty",
        "answer is a number",
        "tools is no list of objects",
    ]
