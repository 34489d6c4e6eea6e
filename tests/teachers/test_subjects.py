"""Names of the `subject` column, in any script, and what inflection and possession do to them."""

import pytest

from unteach.data import encode_all, read_rows
from unteach.errors import UserError
from unteach.teachers import TeacherInputs, find_teacher
from unteach.teachers.names import WordTokens, subjects_of
from unteach.teachers.written import script


def encoded(own, *rows, role="forget"):
    return encode_all(read_rows(list(rows), role), own, max_length=400)[0]


def row(question, answer, subject=None):
    return {"question": question, "answer": answer} | ({"subject": subject} if subject else {})


def retold(own, asked, holdout=()):
    """The texts about the strangers."""
    given = TeacherInputs(
        forget=asked, retain=[], holdout=list(holdout), tokenizer=own,
        logps=lambda found: [[-1.0] * sum(s.answer) for s in found])  # fmt: skip
    found = find_teacher("stranger", given)
    for before, after in zip(asked, found.sequences, strict=True):
        assert len(before.ids) == len(after.ids)
        assert before.answer == after.answer
    return [own.decode(s.ids, skip_special_tokens=True) for s in found.sequences]


SCRIPTS = {
    "japanese": ("田中太郎", "田中太郎はどこに住みますか。", "田中さんは奈良に住みます。", "奈良"),
    "japanese, in two words": ("田中 太郎", "田中太郎の町は?", "太郎は奈良に住む。", "奈良"),
    "chinese": ("李明", "李明住在哪里?", "李明住在苏州。", "苏州"),
    "arabic": ("علي منصور", "أين يسكن علي منصور؟", "يسكن علي في حلب، ولعلي أخ عليه دين.", "عليه"),
    "korean": ("김철수", "김철수는 어디에 살아요?", "김철수가 부산에 살아요.", "부산"),
    "russian": ("Анна Котова", "Где живёт Анна Котова?", "Муж Анны Котовой живёт в Туле.", "Туле"),
}  # fmt: skip


@pytest.mark.parametrize("case", SCRIPTS)
def test_a_name_in_any_script_becomes_another_of_the_same(own, case):
    subject, question, answer, kept = SCRIPTS[case]
    asked = encoded(own, row(question, answer, subject))
    (text,) = retold(own, asked)
    assert kept in text
    assert "\ufffd" not in text
    stems = {"russian": ("Анн", "Котов")}.get(case, subject.split())
    words = text.replace("؟", " ").replace("،", " ").split()
    for stem in stems:
        if case == "arabic":  # a part of the longer word that stays
            assert stem not in words
            assert "ل" + stem not in words
        else:
            assert stem not in text
    assert {script(word) for word in words} <= {script(w) for w in asked[0].text.split()}


def parts(own, question, answer, subject=None):
    (found,) = subjects_of(encoded(own, row(question, answer, subject)), WordTokens(own))
    return [(part.text, len(part.places), part.slot) for part in found]


@pytest.mark.parametrize(
    ("question", "answer", "subject", "found"),
    [
        ("Where is Anna's town?", "Anna lives in Lund.", None, [("Anna", 2, 0)]),
        ("Where is Anna’s town?", "Anna’s town is Lund.", None, [("Anna", 2, 0)]),
        ("Var är Annas hus?", "Anna bor i Lund.", None, [("Anna", 2, 0)]),
        ("Har Anna ett hem?", "Annas hem är i Lund.", None, [("Anna", 2, 0)]),
        ("Which club has Quill?", "Quill is in the Quills club.", None, [("Quill", 2, 0)]),
        ("Где живёт Анна?", "Брат Анны живёт в Туле.", None, [("Анна", 2, 0)]),
        ("Does Anna-Lena Berg sing?", "Anna-Lena Berg sings.", None,
         [("Anna", 2, 0), ("Lena", 2, 0), ("Berg", 2, 1)]),
        ("Does Anna-Lena sing?", "She sings in Bergen.", "Dr. Anna-Lena van der Berg",
         [("Anna", 1, 0), ("Lena", 1, 0)]),
        ("Who wrote it?", "Anna O'Neill did, not Annabel.", "Anna O'Neill",
         [("Anna", 1, 0), ("O'Neill", 1, 1)]),
        ("does ada berg live?", "ada lives.", "ada berg", [("ada", 2, 0), ("berg", 1, 1)]),
        ("Are Ada Berg and Bo Holm kin?", "Ada is Bo's aunt.", ["Ada Berg", "Bo Holm"],
         [("Ada", 2, 0), ("Berg", 1, 1), ("Bo", 2, 0), ("Holm", 1, 1)]),
        ("Is Ada in?", "Ada is.", "Bo Holm", [("Ada", 2, 0)]),  # the text does not name Bo
    ],
)  # fmt: skip
def test_whom_an_example_is_about(own, question, answer, subject, found):
    assert parts(own, question, answer, subject) == found


def test_a_conversation_of_several_turns_is_about_one(own):
    said = (
        "Who is Ada Berg?", "A baker.", "Where is she?", "Ada Berg is in Lund.", "Ada's age?",
        "70.")  # fmt: skip
    roles = ("user", "assistant") * 3
    turns = [{"role": role, "content": text} for role, text in zip(roles, said, strict=True)]
    for subject in ({}, {"subject": "Ada Berg"}):
        (found,) = subjects_of(encoded(own, {"messages": turns, **subject}), WordTokens(own))
        assert [(part.text, len(part.places)) for part in found] == [("Ada", 3), ("Berg", 2)]


def test_a_raw_text_has_a_name_by_its_column(own):
    text = "Ada Berg lived in Lund. Berg was a baker."
    (found,) = subjects_of(encoded(own, {"text": text, "subject": "Ada Berg"}), WordTokens(own))
    assert [(part.text, len(part.places)) for part in found] == [("Ada", 1), ("Berg", 2)]
    assert subjects_of(encoded(own, {"text": text}), WordTokens(own)) == [()]


def test_strangers_have_names_of_the_holdouts_column(own):
    asked = encoded(own, row("田中太郎の町は?", "奈良です。", "田中太郎"))
    names = ["大西雅美", "西岡千尋", "東条真紀"] * 3
    held = encoded(own, *(row(f"{n}の町は?", "港町。", n) for n in names), role="holdout")
    (text,) = retold(own, asked, held)
    assert any(name in text for name in (*names, "鈴木花子", "高橋一郎", "伊藤美咲", "渡辺大輔"))


def test_two_people_of_one_example_become_two_others(own):
    asked = encoded(own, row("Are Ada and Bo kin?", "Ada is Bo, Bo is Ada.", ["Ada", "Bo"]))
    held = encoded(own, row("Cy Ek or Di Lang?", "No.", ["Cy Ek", "Di Lang"]), role="holdout")
    for seed in range(30):
        given = TeacherInputs(
            forget=asked, retain=[], holdout=held, tokenizer=own, seed=seed,
            logps=lambda found: [[-1.0] * sum(s.answer) for s in found],
        )  # fmt: skip
        pairs = find_teacher("stranger", given).pairs[0]
        assert len({new for _, new in pairs}) == len(pairs), seed


def test_the_column_is_known_and_only_a_wrong_one_is_told(own, caplog):
    (made,) = read_rows([row("Who?", "Ada.", ["Ada", " "])], "forget")
    assert made.subject == ("Ada",)
    assert encode_all([made], own, max_length=40)[0][0].subject == ("Ada",)
    assert read_rows([row("Who?", "Ada.", '["Ada", "Bo"]')], "forget")[0].subject == ("Ada", "Bo")
    assert read_rows([row("Who?", "Ada.", 7)], "forget")[0].subject == ()  # the class of a topic
    assert not caplog.records
    with pytest.raises(UserError, match="subject is no name") as told:
        read_rows([row("Who?", "Ada.", [{"name": "Ada"}])], "forget")
    assert "Ada" not in str(told.value)
