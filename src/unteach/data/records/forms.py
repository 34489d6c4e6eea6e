"""Convert a record into an example, or collect its problems."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from unteach.data.encoding.marks import spans_of
from unteach.data.records.columns import Columns, form_of, is_class, is_numeric
from unteach.data.records.dialogue import (
    add_answer,
    add_history,
    add_messages,
    add_question,
    add_system,
    tools,
)
from unteach.data.records.extras import (
    filled,
    is_excluded,
    one_message,
    perturbed,
    subjects,
    unwanted,
    wrong_extras,
)
from unteach.data.records.file_notes import FileNotes
from unteach.data.records.hints import unknown
from unteach.data.records.names import ACCEPTED, EXTRAS, TALKS, VERBATIM, Form
from unteach.data.records.turns import Conversation
from unteach.data.records.values import REPR, is_repr, kind_of, wrong_text
from unteach.errors import Problem
from unteach.types import Example, Turn

NAMED = "'(role|from|content|value)': "
TURNS = re.compile(rf"[\s\[]*\{{{NAMED}.*{NAMED}", re.DOTALL)


def example_of(record: Any, id: str, where: str, notes: FileNotes) -> Example | list[Problem]:
    """Convert a record into an example, or return all its problems.

    Args:
        record: an object with columns, or a text.
        id: of the example.
        where: file and line, for messages.
        notes: collects how it was read, and what was not read.

    Returns:
        The example, or its problems; an empty list where the record excludes itself from training.
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
    if is_excluded(columns):
        notes.excluded += 1
        return []
    notes.forms.setdefault(form, where)
    made = _example(columns, form, id, where, notes)
    length = len(made.answer) if isinstance(made, Example) else None
    spans, problems = spans_of(columns.get("spans"), where, length)
    subject, wrong = subjects(columns, where)
    problems += wrong
    if not isinstance(made, Example):
        return made + problems
    texts = (made.text, *(turn.text for turn in made.turns))
    notes.columns.update(columns.unread(texts))
    return problems or replace(made, spans=spans, subject=subject)


def _example(
    columns: Columns, form: Form, id: str, where: str, notes: FileNotes
) -> Example | list[Problem]:
    if form == ("text",):
        return _text(columns, id, where, notes)
    if form == VERBATIM:
        problems = [p for c in form for p in wrong_text(columns[c], c, where)]
        turns = Turn("user", columns["prompt"]), Turn("assistant", columns["gt"])
        return problems or Example(id=id, where=where, kind="text", turns=turns)
    return _dialogue(columns, form, id, where, notes)


def _text(columns: Columns, id: str, where: str, notes: FileNotes) -> Example | list[Problem]:
    notes.read("text", "text")
    for name in ("label", "labels"):
        value = columns.seen(name)
        if is_numeric(value) or (name == "label" and is_class(value)):
            columns[name]  # marks as read: a class label, which a raw text does not need
    problems = wrong_text(columns["text"], "text", where) or one_message(columns, where)
    return problems or Example(id=id, where=where, kind="text", text=columns["text"])


def _dialogue(
    columns: Columns, form: Form, id: str, where: str, notes: FileNotes
) -> Example | list[Problem]:
    """Convert a record into a pair or a conversation, with system message, tools and extras."""
    conversation, wrong = Conversation(where, notes), ()
    for name in form:
        value = columns.seen(name)
        if isinstance(value, str) and TURNS.match(value) and is_repr(value):
            conversation.wrong(f"{name} is a list of messages as Python writes it", REPR)
    conversation.problems += unwanted(columns, where)
    if conversation.problems:
        return conversation.problems
    add_system(columns, conversation)
    before = len(conversation.turns)
    if form[0] in TALKS:
        add_messages(columns, form[0], conversation)
    else:
        add_history(columns, conversation)
        add_question(columns, form[0], conversation)
        wrong = add_answer(columns, form[1], conversation)
    # With several answers, a paraphrase of the last would be scored together with the others.
    once = sum(turn.role == "assistant" for turn in conversation.turns) < 2
    extras = EXTRAS if once else ("fact", "alternate")
    conversation.problems += wrong_extras(columns, extras, where)
    usable = tools(columns, conversation)
    turns = conversation.end()
    if conversation.problems:
        return conversation.problems
    others = [answer for answer in perturbed(columns) if answer.strip()] if once else []
    chat = form[0] in TALKS or len(turns) != before + 2
    return Example(
        id=id,
        where=where,
        kind="chat" if chat else "pair",
        turns=turns,
        paraphrase=filled(columns, "paraphrased_answer") if once else "",
        perturbed=tuple(others or (wrong if once else ())),
        fact=filled(columns, "fact"),
        alternate=filled(columns, "alternate"),
        tools=usable,
    )
