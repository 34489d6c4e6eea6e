"""Read the turns of a record from its columns: system message, history, question, answer."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from unteach.data.records.choices import answer_of
from unteach.data.records.columns import Columns, messages_in
from unteach.data.records.content_parts import content_of, hint_of, thought_of
from unteach.data.records.names import ANSWERS, CHOICES, KEYS, SYSTEMS, THOUGHTS
from unteach.data.records.tool_calls import tools_of
from unteach.data.records.turns import Conversation
from unteach.data.records.values import decoded, is_blank, is_list, wrong_json, wrong_text
from unteach.types import Turn

JOIN = "\n"
"""Separator between an instruction and its input, and between a context and the question."""


def add_messages(columns: Columns, column: str, conversation: Conversation) -> None:
    """Add the turns of a list of messages."""
    conversation.notes.read("messages", column)
    answer_columns = (*ANSWERS, "chosen", *CHOICES)
    conversation.answers = [name for name in answer_columns if not is_blank(columns.seen(name))]
    conversation.add(columns[column], column)


def add_system(columns: Columns, conversation: Conversation) -> None:
    """Add the system message of a separate column."""
    name = next((n for n in SYSTEMS if not is_blank(columns.seen(n))), None)
    if name is None:
        return
    conversation.notes.read("system", name)
    found = content_of(columns[name])
    conversation.notes.keys.update(found.unread)
    if found.wrong or found.thought:
        wrong = found.wrong or "holds a thought"
        conversation.wrong(f"{name} {wrong}", hint_of(wrong))
    elif found.text is None:
        conversation.wrong(f"{name} is no text", "write it as a string")
    elif found.text.strip():
        conversation.say("system", found.text, name)


def add_history(columns: Columns, conversation: Conversation) -> None:
    """Add the earlier questions and answers of the column `history`."""
    value = decoded(columns.get("history"))
    if is_blank(value):
        return
    conversation.notes.read("earlier turns", "history")
    if is_list(value) and all(isinstance(turn, Mapping) for turn in value):
        conversation.add(value, "history")
    elif is_list(value) and all(is_list(pair) and len(pair) == 2 for pair in value):
        for question, answer in value:
            conversation.say("user", question, "history: question")
            conversation.say("assistant", answer, "history: answer")
    else:
        hint = "write [[question, answer], ...], or all turns as messages"
        conversation.wrong("history is no list of questions and answers", hint)


def add_question(columns: Columns, column: str, conversation: Conversation) -> None:
    """Add the question, with its input or context.

    It may be a list of messages: assistant turns in it are part of the prompt, not supervised.
    """
    value = columns[column]
    if is_list(value) or messages_in(value):
        conversation.notes.read("question", column)
        first = len(conversation.turns)
        conversation.add(value, column)
        for k, turn in enumerate(conversation.turns[first:], first):
            if turn.role == "assistant":
                conversation.turns[k] = replace(turn, supervised=False)
        return
    before, after = [], [column]
    if column == "instruction":
        after += [name for name in ("input", "context") if not is_blank(columns.seen(name))]
    elif not is_blank(columns.seen("context")):
        before = ["context"]
    names = [*before, *after]
    conversation.notes.read("question", *names)
    wrong = [p for name in names for p in wrong_text(columns[name], name, conversation.where)]
    conversation.problems += wrong
    conversation.turns.append(
        Turn("user", "" if wrong else JOIN.join(columns[name] for name in names))
    )


def add_answer(columns: Columns, column: str, conversation: Conversation) -> tuple[str, ...]:
    """Add the answer, with its thought; return the wrong choices."""
    value = columns[column]
    objects = is_list(value) and value and isinstance(value[0], Mapping)
    if messages_in(value) or (objects and "text" not in value[0]):
        conversation.notes.read("answer", column)
        conversation.add(value, column)
        return ()
    found = answer_of(columns, column, conversation.where, conversation.notes)
    if isinstance(found, list):
        conversation.problems += found
        return ()
    for name in (*CHOICES, *KEYS) if found.wrong else ():
        columns.get(name)  # marks as read: it is the same answer again
    conversation.problems += wrong_text(found.text, column, conversation.where)
    conversation.turns.append(
        Turn("assistant", found.text, template_keys=_thoughts(columns, conversation))
    )
    return found.wrong


def _thoughts(columns: Columns, conversation: Conversation) -> dict[str, str]:
    """Return the thought of the answer by the name of each column that has it."""
    found: dict[str, str] = {}
    for name in (name for name in THOUGHTS if not is_blank(columns.seen(name))):
        conversation.notes.read("thought", name)
        thought = thought_of(columns[name])
        if thought is None:
            conversation.wrong(f"{name} is no text", "write the thought as a string")
            continue
        conversation.problems += wrong_text(thought, name, conversation.where)
        if found and thought not in found.values():
            conversation.wrong(
                f"has two thoughts, which differ (one is {name})", "keep one of them"
            )
        found[name] = thought
    return found


def tools(columns: Columns, conversation: Conversation) -> tuple[Any, ...]:
    """Return the tool descriptions of a record; problems are added to the conversation."""
    found = tools_of(columns.get("tools"), columns.get("functions"))
    if isinstance(found, str):
        conversation.wrong(
            found, "write tools alone, as a list of objects, each describing a function"
        )
        return ()
    if found:
        conversation.problems += wrong_json(found, "tools", conversation.where)
    return found
