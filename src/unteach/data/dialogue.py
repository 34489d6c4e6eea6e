"""What a record asks and answers, turn by turn: system text, history, question, answer."""

from collections.abc import Mapping
from typing import Any

from unteach.data.choices import answer_of
from unteach.data.columns import Columns
from unteach.data.names import CHOICES, KEYS, SYSTEMS, THOUGHTS
from unteach.data.parts import text_of
from unteach.data.toolcalls import tools_of
from unteach.data.turns import Talk
from unteach.data.values import decoded, is_blank, is_list, wrong_json, wrong_text
from unteach.nouns import Turn

JOIN = "\n"
"""Stands between an instruction and its input, and between a context and the question."""


def messages(columns: Columns, column: str, talk: Talk) -> None:
    """The turns of a list of messages; a system text that stands in two places must be one."""
    talk.notes.read("messages", column)
    before = list(talk.turns)
    talk.add(columns[column], column)
    if before and len(talk.turns) > 1 and talk.turns[1].role in ("system", "developer"):
        if talk.turns[1].text != before[0].text:
            talk.wrong("has two system texts", "keep one of them")
        del talk.turns[0]


def system(columns: Columns, talk: Talk) -> None:
    """The system text of a column of its own."""
    name = next((n for n in SYSTEMS if not is_blank(columns.seen(n))), None)
    if name is None:
        return
    talk.notes.read("system", name)
    text, wrong = text_of(columns[name])
    if text is None:
        talk.wrong(f"{name} is no text" if not wrong else f"{name} {wrong}", "write it as a string")
    elif text.strip():
        talk.say("system", text, name)


def history(columns: Columns, talk: Talk) -> None:
    """Earlier questions and answers."""
    value = decoded(columns.get("history"))
    if is_blank(value):
        return
    talk.notes.read("earlier turns", "history")
    if is_list(value) and all(isinstance(turn, Mapping) for turn in value):
        talk.add(value, "history")
    elif is_list(value) and all(is_list(pair) and len(pair) == 2 for pair in value):
        for question, answer in value:
            talk.say("user", question, "history: question")
            talk.say("assistant", answer, "history: answer")
    else:
        hint = "write [[question, answer], ...], or all turns as messages"
        talk.wrong("history is no list of questions and answers", hint)


def asked(columns: Columns, column: str, talk: Talk) -> None:
    """What is asked, with its input or context; it may be a list of messages."""
    value = columns[column]
    if is_list(value):
        talk.notes.read("question", column)
        talk.add(value, column)
        return
    before, after = [], [column]
    if column == "instruction":
        after += [name for name in ("input", "context") if not is_blank(columns.seen(name))]
    elif not is_blank(columns.seen("context")):
        before = ["context"]
    names = [*before, *after]
    talk.notes.read("question", *names)
    wrong = [p for name in names for p in wrong_text(columns[name], name, talk.where)]
    talk.problems += wrong
    talk.turns.append(Turn("user", "" if wrong else JOIN.join(columns[name] for name in names)))


def answered(columns: Columns, column: str, talk: Talk) -> tuple[str, ...]:
    """The answer, with its thought; gives the choices that are wrong."""
    value = columns[column]
    if is_list(value) and value and isinstance(value[0], Mapping) and "text" not in value[0]:
        talk.notes.read("answer", column)
        talk.add(value, column)
        return ()
    found = answer_of(columns, column, talk.where, talk.notes)
    if isinstance(found, list):
        talk.problems += found
        return ()
    for name in (*CHOICES, *KEYS) if found.wrong else ():
        columns.get(name)  # the same answer again
    talk.problems += wrong_text(found.text, column, talk.where)
    keys = {name: columns[name] for name in THOUGHTS if not is_blank(columns.seen(name))}
    for name, thought in keys.items():
        talk.notes.read("thought", name)
        talk.problems += wrong_text(thought, name, talk.where)
    talk.turns.append(Turn("assistant", found.text, template_keys=keys))
    return found.wrong


def tools(columns: Columns, talk: Talk) -> tuple[Any, ...]:
    """What describes the tools of a record; what is wrong with it goes to the talk's problems."""
    found = tools_of(columns.get("tools"), columns.get("functions"))
    if found is None:
        hint = "write a list of objects, each the description of a function"
        talk.wrong("tools is no list of objects", hint)
    elif found:
        talk.problems += wrong_json(found, "tools", talk.where)
    return found or ()
