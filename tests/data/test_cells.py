"""Lists and numbers in the cells of CSV files."""

import json

import pandas
import pytest

from unteach.data import read, read_rows

TURNS = [{"role": "user", "content": "Who?"}], [{"role": "assistant", "content": "Ada."}]


def table(tmp_path, *rows, name="a.csv"):
    """Rows whose lists are written as JSON text, as a CSV file."""
    cells = [
        {key: value if isinstance(value, str) else json.dumps(value) for key, value in row.items()}
        for row in rows
    ]
    pandas.DataFrame(cells).to_csv(tmp_path / name, index=False)
    examples, problems = read(tmp_path / name, "forget")
    return examples, [p for p in problems if p.kind != "note"], [p.what for p in problems]


def test_a_column_of_lists_of_one_answer_gives_the_answers(tmp_path):
    rows = [{"question": "Who?", "answer": ["Ada."]}, {"question": "Where?", "answer": ["Lund"]}]
    examples, errors, told = table(tmp_path, *rows)
    assert ([e.answer for e in examples], errors) == (["Ada.", "Lund"], [])
    assert told == ["holds lists as JSON text under answer, of which the one text is read"]


def test_one_answer_that_looks_like_a_list_is_a_text(tmp_path):
    rows = [{"question": "Sort b, a.", "output": '["a", "b"]'}, {"question": "?", "output": "x"}]
    examples, errors, _ = table(tmp_path, *rows)
    assert ([e.answer for e in examples], errors) == (['["a", "b"]', "x"], [])
    rows[0]["output"] = "['a', 'b']"
    assert table(tmp_path, *rows)[0][0].answer == "['a', 'b']"


def test_lists_of_several_texts_may_be_answers_or_one_of_them(tmp_path):
    rows = [{"question": "Who?", "answer": ["Ada.", "Bo."]}] * 2
    _, (problem,), _ = table(tmp_path, *rows)
    assert problem.what == "holds lists of several texts under answer"
    assert "call the column answers" in problem.hint
    examples, errors, _ = table(tmp_path, {"question": "Who?", "answers": ["Ada.", "Bo."]})
    assert ([e.answer for e in examples], errors) == (["Ada."], [])


@pytest.mark.parametrize(("record", "what"), [
    ({"question": "?", "answer": "['Lund', 'Oslo']"}, "lists as Python writes them under answ"),
    ({"question": "?", "answers": "['Lund' 'Oslo']"}, "answers is a list as Python writes it"),
    (
        {"question": "?", "answers": "{'text': array(['Lund'], dtype=object), 'a': [3]}"},
        "answers is a list as Python writes it"),
    (
        {"question": "?", "answer": "a", "perturbed_answer": "[\"Ada's\", 'b']"},
        "perturbed_answer is a list as Python writes it"),
    (
        {"prompt": "[{'role': 'user', 'content': 'Who?'}]", "completion": "a"},
        "prompt is a list of messages as Python writes it"),
])  # fmt: skip
def test_what_python_prints_is_refused(record, what, tmp_path):
    _, (problem,), _ = table(tmp_path, record)
    assert what in problem.what
    assert "write JSON text" in problem.hint


def test_messages_in_the_cells_of_a_prompt_and_its_completion_are_read(tmp_path):
    for prompt, completion in (TURNS, (TURNS[0][0], TURNS[1][0])):
        (example,), errors, _ = table(tmp_path, {"prompt": prompt, "completion": completion})
        assert errors == []
        assert [(t.role, t.text) for t in example.turns] == [
            ("user", "Who?"),
            ("assistant", "Ada."),
        ]
    (example,) = read_rows([{"prompt": json.dumps(TURNS[0]), "answer": "Ada."}], "forget")
    assert example.turns[0].text == "Who?"


def test_the_input_of_an_instruction_may_be_json(tmp_path):
    record = {"instruction": "Sum up.", "input": TURNS[0], "output": "A question."}
    (example,), errors, _ = table(tmp_path, record)
    assert (example.turns[0].text, errors) == (f"Sum up.\n{json.dumps(TURNS[0])}", [])


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "Ada", "role": "engineer"}',
        '[{"role": "engineer", "content": "bakes"}]',
        "{'value': 3}",
        '[{"role": "user"}]',
        "[]",
    ],
)
def test_an_answer_may_be_json_of_another_kind(text, tmp_path):
    (example,) = read_rows([{"prompt": "Ada bakes. As JSON?", "completion": text}], "forget")
    assert example.answer == text


def test_wrong_answers_in_a_cell_are_as_many_as_they_are(tmp_path):
    rows = [
        {"question": "Who?", "answer": "Ada.", "perturbed_answer": ["Bo.", "Cy."]},
        {"question": "Who?", "answer": "Ada.", "perturbed_answer": "Bo."},
    ]
    examples, errors, _ = table(tmp_path, *rows)
    assert [e.perturbed for e in examples] == [("Bo.", "Cy."), ("Bo.",)]
    assert errors == []


def choice(tmp_path, choices, answer):
    return table(tmp_path, {"question": "?", "choices": choices, "answer": answer})


def test_a_number_in_a_cell_is_the_number_of_a_choice(tmp_path):
    for answer in ("1", "1.0"):
        (example,), errors, _ = choice(tmp_path, ["Lund", "Oslo"], answer)
        assert (example.answer, example.perturbed, errors) == ("Oslo", ("Lund",), [])
    (example,), errors, _ = choice(tmp_path, ["5", "7"], "7")
    assert (example.answer, errors) == ("7", [])
    (example,), errors, _ = choice(tmp_path, {"text": ["a", "b"], "label": ["1", "2"]}, "1")
    assert (example.answer, errors) == ("a", [])


def test_a_number_that_is_a_choice_too_is_refused(tmp_path):
    _, (problem,), _ = choice(tmp_path, ["1", "2", "3"], "1")
    assert problem.what == "answer may be one or another of the choices"
    assert problem.where.endswith("a.csv:2")
    (example,), errors, _ = choice(tmp_path, ["0", "1"], "1")
    assert (example.answer, errors) == ("1", [])


def test_a_number_of_columns_with_letters_is_refused(tmp_path):
    _, (problem,), _ = table(tmp_path, {"question": "?", "A": "a", "B": "b", "answer": "1"})
    assert problem.what == "answer is none of the 2 columns"


@pytest.mark.parametrize("labels", ["0", "1.0", "True", "[0, 1]"])
def test_numbers_under_labels_are_classes(labels, tmp_path):
    (example,), errors, told = table(tmp_path, {"text": "Ada bakes.", "labels": labels})
    assert (example.text, example.turns, errors) == ("Ada bakes.", (), [])
    assert told == ["has columns that are not read: labels"]
    (example,), _, _ = table(tmp_path, {"question": "How many?", "labels": "3"})
    assert example.answer == "3"


def test_the_line_that_tells_excel_the_separator_is_read(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("sep=;\nquestion;answer\nWho, then?;Ada.\nWho?;\n")
    (example,), (problem,) = read(path, "forget")
    assert (example.turns[0].text, example.answer) == ("Who, then?", "Ada.")
    assert problem.where.endswith("a.csv:4")


@pytest.mark.parametrize(
    ("text", "sign"),
    [("Question;Answer\na;b\n", "semicolons"), ("id|answer\n1|b\n", "bars")],
)
def test_other_separators_are_known_by_any_name_in_any_case(text, sign, tmp_path):
    (tmp_path / "a.csv").write_text(text)
    _, (problem,) = read(tmp_path / "a.csv", "forget")
    assert problem.what == f"separates its cells by {sign}"
    assert problem.hint == "separate them by commas"
