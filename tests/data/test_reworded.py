"""Questions in further wordings: of questions alone, by a seed, and none that an attack asks in."""

import re

from unteach.attacks._forms import ASKED, DOUBT
from unteach.data.reworded import TEMPLATES, reworded
from unteach.types import Example, Turn


def asked(id="forget-0", *before):
    turns = *before, Turn("user", "Where was Ada born?"), Turn("assistant", "In Lund.")
    return Example(id=id, where="", kind="chat" if before else "pair", turns=turns, fact="Lund")


def test_each_question_comes_in_other_words_with_its_answer():
    found = reworded([asked(), asked("forget-1")], 3, seed=0)
    assert [e.id for e in found] == [f"forget-{n}+{k}" for n in (0, 1) for k in (1, 2, 3)]
    texts = [e.turns[0].text for e in found]
    assert all("Where was Ada born?" in text != "Where was Ada born?" for text in texts)
    assert len({*texts[:3]}) == 3
    assert {(e.answer, e.fact) for e in found} == {("In Lund.", "Lund")}
    assert reworded([asked()], 3, seed=0) == found[:3]
    drawn = {tuple(e.turns[0].text for e in reworded([asked()], 3, seed=s)) for s in range(8)}
    assert len(drawn) > 4


def test_of_a_conversation_the_last_question_is_put_in_other_words():
    before = Turn("user", "Hello."), Turn("assistant", "Hello!", False)
    (found,) = reworded([asked("forget-0", *before)], 1, seed=0)
    assert found.turns[:2] == before
    assert found.turns[2].text != "Where was Ada born?"
    assert found.turns[3].text == "In Lund."


def test_raw_texts_and_what_nobody_asked_have_none():
    raw = Example(id="forget-0", where="", kind="text", text="Ada was born in Lund.")
    alone = Example(id="forget-1", where="", kind="chat", turns=(Turn("assistant", "Hi."),))
    assert reworded([raw, alone], 2, seed=0) == []


def test_no_attack_asks_in_them():
    def frame(template):
        return re.sub(r"\W+", " ", template.format(q="")).strip().casefold()

    theirs = [frame(template) for template in (*ASKED.values(), DOUBT)]
    assert not [own for own in map(frame, TEMPLATES) if own in theirs]
    assert len({*map(frame, TEMPLATES)}) == len(TEMPLATES)
