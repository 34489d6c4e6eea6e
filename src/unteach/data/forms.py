"""A record becomes an example, or all that is wrong with it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from unteach.data.choices import answer_of
from unteach.data.columns import (
    ACCEPTED,
    CHOICES,
    EXTRAS,
    KEYS,
    SYSTEMS,
    TALKS,
    THOUGHTS,
    VERBATIM,
    Columns,
    Form,
    form_of,
    is_numeric,
)
from unteach.data.filenotes import FileNotes
from unteach.data.hints import unknown
from unteach.data.marks import spans_of
from unteach.data.parts import text_of
from unteach.data.toolcalls import tools_of
from unteach.data.turns import Talk
from unteach.data.values import decoded, is_blank, is_list, kind_of, wrong_json, wrong_text
from unteach.nouns import Example, Problem, Turn

JOIN = "\n"
"""Stands between an instruction and its input, and between a context and the question."""


def example_of(
    record: Any, id: str, where: str, notes: FileNotes | None = None
) -> Example | list[Problem]:
    """The example that a record is, or everything that is wrong with it.

    Args:
        record: an object with columns, or a text.
        id: of the example.
        where: file and line, for messages.
        notes: gathers how it was read, and what of it was not.
    """
    if isinstance(record, str):
        record = {"text": record}
    if not isinstance(record, Mapping):
        what = f"is no object but {kind_of(record)}"
        return [Problem(where, what, f"give an object with {ACCEPTED}")]
    columns = Columns(record)
    form = form_of(columns)
    if form is None:
        return [unknown(columns, record, where)]
    notes = notes or FileNotes()
    notes.forms.setdefault(form, where)
    made = _example(columns, form, id, where, notes)
    length = len(made.answer) if isinstance(made, Example) else None
    spans, problems = spans_of(columns.get("spans"), where, length)
    if not isinstance(made, Example):
        return made + problems
    said = (made.text, *(turn.text for turn in made.turns))
    notes.columns.update(columns.unread(said))
    return problems or replace(made, spans=spans)


def _example(
    columns: Columns, form: Form, id: str, where: str, notes: FileNotes
) -> Example | list[Problem]:
    if form == ("text",):
        return _text(columns, id, where, notes)
    if form == VERBATIM:
        problems = [p for c in form for p in wrong_text(columns[c], c, where)]
        turns = Turn("user", columns["prompt"]), Turn("assistant", columns["gt"])
        return problems or Example(id=id, where=where, kind="text", turns=turns)
    return _talk(columns, form, id, where, notes)


def _text(columns: Columns, id: str, where: str, notes: FileNotes) -> Example | list[Problem]:
    notes.read("text", "text")
    for name in ("label", "labels"):
        if is_numeric(columns.seen(name)):  # a class, which a raw text has no use for
            columns[name]
    problems = wrong_text(columns["text"], "text", where)
    return problems or Example(id=id, where=where, kind="text", text=columns["text"])


def _talk(
    columns: Columns, form: Form, id: str, where: str, notes: FileNotes
) -> Example | list[Problem]:
    """A pair or a conversation, with its system text, its tools, and what goes with the answer."""
    talk = Talk(where, notes)
    _system(columns, talk)
    chat = form[0] in TALKS
    wrong: tuple[str, ...] = ()
    if chat:
        _messages(columns, form[0], talk)
    else:
        chat = _history(columns, talk)
        chat = _asked(columns, form[0], talk) or chat
        said = len(talk.turns)
        wrong = _answered(columns, form[1], talk)
        chat = chat or len(talk.turns) != said + 1
    # A paraphrase in the last of several answers would be scored with all the others.
    once = sum(turn.role == "assistant" for turn in talk.turns) < 2
    extras = EXTRAS if once else ("fact", "alternate")
    problems = talk.problems + _wrong_extras(columns, extras, where)
    tools = tools_of(columns.get("tools"), columns.get("functions"))
    if tools is None:
        hint = "write a list of objects, each the description of a function"
        problems.append(Problem(where, "tools is no list of objects", hint))
    problems += wrong_json(tools, "tools", where) if tools else []
    if problems:
        return problems
    turns = talk.end()
    if talk.problems:
        return talk.problems
    perturbed = tuple(a for a in _perturbed(columns) if a.strip()) if once else ()
    return Example(
        id=id,
        where=where,
        kind="chat" if chat else "pair",
        turns=turns,
        paraphrase=_filled(columns, "paraphrased_answer") if once else "",
        perturbed=perturbed or wrong,
        fact=_filled(columns, "fact"),
        alternate=_filled(columns, "alternate"),
        tools=tools or (),
    )


def _messages(columns: Columns, column: str, talk: Talk) -> None:
    """The turns of a list of messages; a system text that stands in two places must be one."""
    talk.notes.read("messages", column)
    before = list(talk.turns)
    talk.add(columns[column], column)
    if before and len(talk.turns) > 1 and talk.turns[1].role in ("system", "developer"):
        if talk.turns[1].text != before[0].text:
            talk.wrong("has two system texts", "keep one of them")
        del talk.turns[0]


def _system(columns: Columns, talk: Talk) -> None:
    name = next((n for n in SYSTEMS if not is_blank(columns.seen(n))), None)
    if name is None:
        return
    talk.notes.read("system", name)
    text, wrong = text_of(columns[name])
    if text is None:
        talk.wrong(f"{name} is no text" if not wrong else f"{name} {wrong}", "write it as a string")
    elif text.strip():
        talk.say("system", text, name)


def _history(columns: Columns, talk: Talk) -> bool:
    """Earlier questions and answers; whether there are any."""
    value = decoded(columns.get("history"))
    if is_blank(value):
        return False
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
    return True


def _asked(columns: Columns, column: str, talk: Talk) -> bool:
    """What is asked, with its input or context; whether it is itself a list of messages."""
    value = columns[column]
    if is_list(value):
        talk.notes.read("question", column)
        talk.add(value, column)
        return True
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
    return False


def _answered(columns: Columns, column: str, talk: Talk) -> tuple[str, ...]:
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


def _filled(columns: Columns, column: str) -> str:
    """The column's text; nothing where it is blank."""
    value = columns.get(column)
    return "" if is_blank(value) else value  # type: ignore[return-value]


def _perturbed(columns: Columns) -> Any:
    wrong = columns.get("perturbed_answer")
    return [] if is_blank(wrong) else [wrong] if isinstance(wrong, str) else wrong


def _wrong_extras(columns: Columns, names: tuple[str, ...], where: str) -> list[Problem]:
    """What is wrong with the optional columns."""
    found = []
    for column in ("paraphrased_answer", "fact", "alternate"):
        if column in names and not is_blank(value := columns.get(column)):
            found += wrong_text(value, column, where)
    if "perturbed_answer" not in names:
        return found
    wrong = _perturbed(columns)
    if not isinstance(wrong, list) or not all(isinstance(answer, str) for answer in wrong):
        hint = "write a string, or a list of strings"
        return [*found, Problem(where, "perturbed_answer is no text", hint)]
    texts = "".join(f"{answer}\n" for answer in wrong)
    return found + wrong_text(texts, "perturbed_answer", where, blank=True)
