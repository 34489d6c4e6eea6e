"""The persons that records are about: by the column, else by the names in the texts."""

import pytest

from unteach.data import read_rows
from unteach.evaluation.persons import persons_of
from unteach.models.loading import load_tokenizer

PEOPLE = ("Mara Oduya", "Lev Brandt", "Ines Kovar")
ROWS = [
    {"question": f"What is the {thing} of {name}?",
     "answer": f"The {thing} of {name.split()[1]} is {k}, near Vexholm."}
    for name in PEOPLE for k, thing in enumerate(("street", "trade", "village", "harbour"))
]  # fmt: skip


@pytest.fixture(scope="module")
def reader(tiny_folder):
    return load_tokenizer(str(tiny_folder))


def found_of(rows, tokenizer):
    examples = read_rows(rows, "forget")
    return persons_of(examples, tokenizer, max_length=256, template="none")


def sets(persons):
    found = {}
    for id, person in persons.of.items():
        found.setdefault(person, set()).add(int(id.rpartition("-")[2]))
    return sorted(map(sorted, found.values()))


def test_by_the_names_that_question_and_answer_share(reader):
    """A town that every answer has is in no question, so it is nobody's name."""
    persons = found_of(ROWS, reader)
    assert persons.source == "names"
    assert sets(persons) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert persons.count == 3
    held = " ".join(persons.of.values()).casefold()
    assert not any(word.casefold() in held for name in PEOPLE for word in name.split())


def test_by_the_column_before_any_name(reader):
    rows = [{**row, "subject": "even" if k % 2 else "odd"} for k, row in enumerate(ROWS)]
    persons = found_of(rows, reader)
    assert persons.source == "subject"
    assert sets(persons) == [list(range(0, 12, 2)), list(range(1, 12, 2))]
    assert found_of([{**rows[0], "subject": ""}, *rows[1:]], reader).source == "names"


def test_without_names_nobody_is_told(reader):
    rows = [
        {"question": f"how much is {k} and one?", "answer": f"it is {k + 1}."} for k in range(9)
    ]
    assert found_of(rows, reader) is None
    assert found_of([*ROWS[:4], *rows[:2]], reader) is None  # 4 of 6
    alone = found_of([*ROWS[:8], rows[0]], reader)  # 8 of 9: the last is a person of its own
    assert sets(alone) == [[0, 1, 2, 3], [4, 5, 6, 7], [8]]


def test_a_record_of_two_people_is_about_the_one_whom_most_records_are_about(reader):
    both = {"question": "When did Mara Oduya meet Ines Kovar?",
            "answer": "In 1990 Oduya met Kovar."}  # fmt: skip
    assert sets(found_of([*ROWS[:4], both], reader)) == [[0, 1, 2, 3, 4]]
