"""Conversations: messages as people write them, and the turns that they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from unteach.data.filenotes import FileNotes
from unteach.data.hints import kept_from
from unteach.data.names import is_harmless
from unteach.data.parts import text_of
from unteach.data.toolcalls import calls_of, said_calls
from unteach.data.values import decoded, is_blank, is_list, is_null, wrong_json, wrong_text
from unteach.nouns import Problem, Turn

ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "chatgpt": "assistant",
    "ai": "assistant",
    "assistant": "assistant",
    "system": "system",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "tool_response": "tool",
}
CALLS = ("function_call", "tool_call")
"""Roles of ShareGPT's kind under which the assistant calls a tool."""

ROLE, CONTENT = ("role", "from"), ("content", "value", "parts")
TRAINED = ("train", "training", "trainable", "loss", "weight", "loss_weight")
"""Keys by which a file says whether a turn is trained on."""

FOR_TEMPLATE = ("reasoning_content", "thinking", "reasoning", "name", "tool_call_id")
"""Further keys that a chat template may show."""

WRITE = 'write {"role": "user", "content": "..."}'


@dataclass
class Talk:
    """The turns of a record, and all that is wrong with them."""

    where: str
    notes: FileNotes
    turns: list[Turn] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def add(self, value: Any, column: str) -> None:
        """The messages of a column; a text under the name of a completion is an answer.

        Args:
            value: a list of messages, or the same as JSON text.
            column: its name, for messages.
        """
        messages = decoded(value)
        if isinstance(messages, Mapping):
            messages = [messages]
        if not is_list(messages):
            hint = f"write a list of messages: [{WRITE.removeprefix('write ')}, ...]"
            self.wrong(f"{column} is no list of messages", hint)
            return
        for message in messages:
            self._message(message, len(self.turns) + 1)

    def say(self, role: str, text: Any, name: str) -> None:
        """One turn of this role, from a column of this name."""
        self.problems += wrong_text(text, name, self.where)
        self.turns.append(Turn(role, text))

    def wrong(self, what: str, hint: str) -> None:
        """One more problem."""
        self.problems.append(Problem(self.where, what, hint))

    def end(self) -> tuple[Turn, ...]:
        """All turns; none where something is wrong, which is in `problems` then."""
        if self.problems:
            return ()
        if not self.turns or self.turns[-1].role != "assistant":
            what = "has no messages"
            if self.turns:
                role = kept_from(self.turns[-1].role)
                what = f"does not end with the assistant but with a turn of the role {role}"
            self.wrong(what, "the assistant's turns are what is supervised")
            return ()
        return tuple(self.turns)

    def _message(self, message: Any, number: int) -> None:
        name = f"message {number}"
        role, content, calls = _key(message, ROLE), _key(message, CONTENT), None
        if isinstance(message, Mapping):
            calls = calls_of(message)
        if role is None or (content is None and not calls):
            self.wrong(f"{name} has no role and content", WRITE)
            self.turns.append(Turn("", ""))  # the ones behind it keep their numbers
            return
        before = len(self.problems)
        turn = self._turn(message, message[role], message.get(content), calls, name)
        self.turns.append(turn if len(self.problems) == before else Turn("", ""))

    def _turn(self, message: Mapping, role: Any, content: Any, calls: Any, name: str) -> Turn:
        role = ROLES.get(role.strip().casefold(), role) if isinstance(role, str) else role
        text, wrong = text_of(content)
        if role in CALLS and not calls:
            calls = said_calls(content)
            text, wrong = "", "" if calls else "is a call, but no JSON object with a name"
            role = "assistant"
        elif calls and is_null(content):
            text, wrong = "", ""
        if calls and not (is_list(calls) and all(isinstance(call, Mapping) for call in calls)):
            wrong = "has tool_calls that are no list of objects"
        if not isinstance(role, str) or (text is None and not wrong):
            self.wrong(f"{name}: role or content is no string", "write both as strings")
            return Turn("", "")
        if wrong:
            hint = "only text and calls of tools are read: take the line out, or mend it"
            self.wrong(f"{name} {wrong}", hint)
            return Turn("", "")
        text = text or ""
        if role == "assistant" and not text.strip() and not calls:
            self.wrong(f"{name}: the assistant says nothing", "fill it, or take the line out")
        self.problems += wrong_text(role, f"{name}: role", self.where)
        self.problems += wrong_text(text, f"{name}: content", self.where, blank=True)
        keys = {} if not calls else {"tool_calls": calls}
        keys |= {k: message[k] for k in FOR_TEMPLATE if not is_blank(message.get(k))}
        for key, value in keys.items():
            self.problems += wrong_json(value, f"{name}: {key}", self.where)
        self._unread(message)
        return Turn(role, text, self._trained(message, role, name), keys)

    def _trained(self, message: Mapping, role: str, name: str) -> bool:
        """Whether the file trains on this turn; what says neither yes nor no is a problem."""
        trained = True
        for key in TRAINED:
            value = message.get(key)
            if is_null(value):
                continue
            if value not in (0, 1) or isinstance(value, str):
                hint = "a turn is trained on or not: write 1 or 0, or take the key out"
                self.wrong(f"{name}: {key} is neither 0 nor 1", hint)
            elif value and isinstance(value, bool) and role != "assistant":
                hint = "only the assistant's turns are: take the key out"
                self.wrong(f"{name}: {key} says that a turn of the user is trained on", hint)
            trained = trained and bool(value)
        return trained

    def _unread(self, message: Mapping) -> None:
        read = (*ROLE, *CONTENT, *TRAINED, *FOR_TEMPLATE, "tool_calls", "function_call")
        for key, value in message.items():
            if key not in read and not is_blank(value) and not is_harmless(str(key)):
                self.notes.keys[str(key)] += 1


def _key(message: Any, names: tuple[str, ...]) -> str | None:
    """Which of these keys a message has."""
    if not isinstance(message, Mapping):
        return None
    return next((n for n in names if not is_null(message.get(n))), None) or next(
        (n for n in names if n in message), None
    )
