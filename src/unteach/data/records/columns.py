"""Look up the columns of a record by normalised name, track which were read, find its form."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from unteach.data.records.names import (
    ANSWERS,
    CALLED,
    CONTENT,
    KEYS,
    LONGEST,
    MAKING,
    PROMPTS,
    ROLE,
    ROLE_WORDS,
    SPELLED,
    TALKS,
    Form,
    answers_in,
    form_of_names,
    is_harmless,
    prompts_in,
)
from unteach.data.records.values import decoded, is_blank, is_list, is_null, is_whole

SPOKEN = frozenset((*PROMPTS, *ANSWERS))
OPENING = ("[", "{")
CLASS = re.compile(r"\s*([+-]?\d+(\.\d*)?|true|false)\s*", re.IGNORECASE)


class Columns(Mapping[str, Any]):
    """A record with normalised column names, which tracks the columns that were read.

    `unread` leaves out null and blank columns.

    Example:
        >>> columns = Columns({"Question": "Who?", "answer": "Ada.", "score": 3, "id": 1})
        >>> columns["question"], columns["answer"], columns.unread()
        ('Who?', 'Ada.', ['score'])
    """

    def __init__(self, record: Mapping[str, Any]):
        normalised = {SPELLED.get(_plain(name), name): name for name in record}
        self._names = {**normalised, **{name: name for name in record}}
        self._record, self._read = record, set()

    def __getitem__(self, name: str) -> Any:
        """Return the value of a column, and mark it as read. Raises KeyError."""
        column = self._names[name]
        self._read.add(column)
        value = self._record[column]
        if name in SPOKEN and type(value) is str and value.lstrip()[:1] in OPENING:
            return value if self._is_instruction_input(name) else messages_in(value) or value
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        """Whether there is such a column; does not mark it as read."""
        return name in self._names

    def _is_instruction_input(self, name: str) -> bool:
        """Whether it is the input of an instruction, which may be JSON and not a conversation."""
        return name == "input" and "instruction" in self._names

    def seen(self, name: str) -> Any:
        """Return a column's value without marking it as read; None without such a column."""
        column = self._names.get(name)
        return None if column is None else self._record[column]

    def unread(self, told: tuple[str, ...] = ()) -> list[str]:
        """Return the columns that have content, were not read, and have no harmless name.

        Args:
            told: texts of the example; columns that repeat one of them are left out.
        """
        return [
            str(name)
            for name, value in self._record.items()
            if name not in self._read
            and not is_blank(value)
            and not is_harmless(str(name))
            and not (isinstance(value, str) and value in told)
        ]


def form_of(record: Any) -> Form | None:
    """Return the columns that make the record an example; blank ones only if no others do.

    Example:
        >>> form_of({"question": "Who?", "answer": "Ada.", "id": 3})
        ('question', 'answer')
        >>> form_of({"instruction": "Who?", "input": "", "output": "Ada.", "text": "Who? Ada."})
        ('instruction', 'output')
    """
    if not isinstance(record, Mapping):
        return None
    columns = record if isinstance(record, Columns) else Columns(record)
    value = columns.seen
    filled = frozenset(name for name in MAKING if name in columns and _fits_name(name, value))
    named = frozenset(name for name in MAKING if name in columns and name not in TALKS[1:])
    form = form_of_names(filled)
    empty = (isinstance(value(name), str) for name in answers_in(named))
    if form == ("text",) and prompts_in(filled) and any(empty):
        form = None  # a pair with an empty answer; the text repeats it, as in alpaca
    return form or form_of_names(named) or form_of_names(filled)


def is_record(value: Any) -> bool:
    """Whether the value is one example, and not an object that contains many."""
    form = form_of(value)
    if form is None:
        return False
    first = Columns(value).seen(form[0])
    turns = is_list(first) and bool(first) and all(map(_is_turn, first))
    return isinstance(first, str) or turns


def _plain(name: Any) -> Any:
    return name.strip().casefold() if isinstance(name, str) and len(name) <= LONGEST else name


def _fits_name(name: str, value: Any) -> bool:
    """Whether a column's value fits its name; an unrelated column may have the same name."""
    content = value(name)
    if is_null(content) or (isinstance(content, str) and not content.strip()):
        return False
    if name in TALKS[1:]:
        content = decoded(content)
        lists = isinstance(content, Mapping) and any(
            is_list(content.get(k)) for k in ("role", "from")
        )
        return is_list(content) or lists
    if name == "labels":  # a copy of the text is the training target of a language model
        text = value("text")
        return (
            not is_numeric(content) and content != text and (is_null(text) or not is_class(content))
        )
    if name in KEYS:
        return isinstance(content, str) or is_whole(content)
    return True


def messages_in(value: Any) -> list[Any] | None:
    """Return the messages that a value is: one, a list of them, or either as JSON text; else None.

    JSON text may also be a question or an answer: it is messages only if all roles are known.

    Example:
        >>> messages_in({"role": "user", "content": "Who?"}), messages_in({"text": "Who?"})
        ([{'role': 'user', 'content': 'Who?'}], None)
        >>> messages_in('{"from": "gpt", "value": "Ada."}')
        [{'from': 'gpt', 'value': 'Ada.'}]
        >>> messages_in('{"from": "Lund", "value": "5"}') is None
        True
    """
    found = decoded(value)
    messages = [found] if isinstance(found, Mapping) else found
    if not is_list(messages) or not messages or not all(map(_is_message, messages)):
        return None
    roles = [message.get("role", message.get("from")) for message in messages]
    known = all(isinstance(r, str) and r.strip().casefold() in ROLE_WORDS for r in roles)
    return list(messages) if known or not isinstance(value, str) else None


def _is_message(value: Any) -> bool:
    """Whether it has a role, and content or a call."""
    return isinstance(value, Mapping) and all(
        any(key in value for key in keys) for keys in (ROLE, (*CONTENT, *CALLED))
    )


def is_numeric(value: Any) -> bool:
    """Whether a value is a number or bool, or a list of these."""
    if is_list(value):
        return all(isinstance(item, (int, float)) for item in value)
    return isinstance(value, (int, float))


def is_class(value: Any) -> bool:
    """Whether a value is a class label: a number, a list of numbers, or either one as text.

    Example:
        >>> is_class(3), is_class("3"), is_class("[0, 1]"), is_class("Lund")
        (True, True, True, False)
    """
    return is_numeric(decoded(value)) or (isinstance(value, str) and bool(CLASS.fullmatch(value)))


def _is_turn(value: Any) -> bool:
    return isinstance(value, Mapping) and ("role" in value or "from" in value)
