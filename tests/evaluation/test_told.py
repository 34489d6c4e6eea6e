"""What a chat template leaves out of conversations is told before a model is loaded."""

from types import SimpleNamespace

import pytest
from conversations import said, talk, templated, user

from unteach.errors import UserError
from unteach.evaluation.check import _notes
from unteach.suites._base import AskSettings, Group
from unteach.types import Turn

THINKS = talk(user("Where?"), said("In Lund.", reasoning_content="The file says Lund."))


def test_once_for_each_template(chat_tokenizer):
    names = ("plain", "plain", "keeps last thought")
    places = {
        str(k): SimpleNamespace(tokenizer=templated(chat_tokenizer, name))
        for k, name in enumerate(names)
    }
    group = Group(examples=[THINKS, THINKS])
    (note,) = _notes({"forget": group}, AskSettings(max_length=500), places)
    assert note.kind == "note"
    assert "leaves out the thoughts of 2 assistant turns" in note.what
    assert _notes({"forget": group}, AskSettings(max_length=500), {"2": places["2"]}) == []


def test_what_a_template_refuses(chat_tokenizer):
    place = SimpleNamespace(tokenizer=templated(chat_tokenizer, "alternates"))
    group = Group(examples=[talk(Turn("system", "Be brief."), *THINKS.turns)] * 7)
    with pytest.raises(UserError, match="and 2 more lines like this") as caught:
        _notes({"forget": group}, AskSettings(max_length=500), {"original": place})
    assert len(caught.value.problems) == 5
