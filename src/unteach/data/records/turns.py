"""Collect the turns of a conversation from lists of messages and from single columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from unteach.data.records.file_notes import FileNotes
from unteach.data.records.hints import kept_from
from unteach.data.records.message import WRITE, read_message
from unteach.data.records.names import ROLE, ROLES, SYSTEM_ROLES
from unteach.data.records.values import decoded, is_blank, is_list, wrong_text
from unteach.errors import Problem
from unteach.types import Turn

SPEAKS = "the assistant's turns are what is supervised"


@dataclass
class Conversation:
    """The turns of a record, and their problems.

    Attributes:
        answers: columns beside a list of messages that may hold the answer to it.
    """

    where: str
    notes: FileNotes
    turns: list[Turn] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    def add(self, value: Any, column: str) -> None:
        """Add the messages of a column.

        Args:
            value: a list of messages, one message, or either as JSON text; or an object with the
                lists of roles and contents, as `datasets` stores them.
            column: its name, for messages.
        """
        messages = _as_list(decoded(value))
        if not is_list(messages):
            hint = f"write a list of messages: [{WRITE.removeprefix('write ')}, ...]"
            self.wrong(f"{column} is no list of messages", hint)
            return
        first = len(self.turns)
        for message in messages:
            found = read_message(message, f"message {len(self.turns) + 1}", self.where)
            self.problems += found.problems
            self.notes.keys.update(found.unread)
            if found.turn.role and found.turn.role not in ROLES:
                self.notes.roles[found.turn.role] += 1
            self.turns.append(found.turn)  # an empty one too, so that later ones keep their number
        self._one_system(first)

    def say(self, role: str, text: Any, name: str) -> None:
        """Add one turn with this role, from the column with this name."""
        self.problems += wrong_text(text, name, self.where)
        self.turns.append(Turn(role, text))

    def wrong(self, what: str, hint: str) -> None:
        """Add a problem."""
        self.problems.append(Problem(self.where, what, hint))

    def end(self) -> tuple[Turn, ...]:
        """Return all turns; an empty tuple where there are problems."""
        if self.problems:
            return ()
        if not self.turns:
            self.wrong("has no messages", SPEAKS)
        elif self.turns[-1].role != "assistant":
            role = kept_from(self.turns[-1].role)
            what = f"does not end with the assistant but with a turn of the role {role}"
            self.wrong(what, self._missing())
        return () if self.problems else tuple(self.turns)

    def _missing(self) -> str:
        """Return a hint for a conversation that does not end with the assistant."""
        if self.answers:
            names = " or ".join(self.answers)
            return f"write the answer ({names}) as the last message, of the role assistant"
        if self.turns[-1].role in ROLES:
            return SPEAKS
        return f"{SPEAKS}: if this is one, write its role as assistant"

    def _one_system(self, first: int) -> None:
        """Merge a system message at the start of a list with one before it; they must be equal.

        Args:
            first: index of the first turn of the list.
        """
        before = [k for k in range(first) if self.turns[k].role in SYSTEM_ROLES]
        if not before or first == len(self.turns) or self.turns[first].role not in SYSTEM_ROLES:
            return
        if self.turns[before[-1]].text != self.turns[first].text:
            self.wrong("has two system texts", "keep one of them")
        del self.turns[first - 1 if before[-1] == first - 1 else first]


def _as_list(messages: Any) -> Any:
    """Convert an object with lists of roles, contents and other keys to a list of messages."""
    if not isinstance(messages, Mapping):
        return messages
    lists = {key: value for key, value in messages.items() if not is_blank(value)}
    lengths = {len(value) if is_list(value) else None for value in lists.values()}
    if len(lengths) != 1 or None in lengths or not any(key in lists for key in ROLE):
        return [messages]
    return [{key: each[k] for key, each in lists.items()} for k in range(lengths.pop() or 0)]
