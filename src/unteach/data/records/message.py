"""Read one message in any of the common formats into a turn."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from unteach.data.encoding.templates import THOUGHT_KEYS
from unteach.data.records.content_parts import MessageContent, content_of, hint_of, thought_of
from unteach.data.records.message_keys import TRAIN_KEYS, has_title, is_trained, not_spoken
from unteach.data.records.names import (
    CALLED,
    CALLS,
    CONTENT,
    LONGEST,
    ROLE,
    ROLES,
    is_harmless,
    role_of,
)
from unteach.data.records.tool_calls import calls_of, said_calls
from unteach.data.records.values import is_blank, is_null, kind_of, wrong_json, wrong_text
from unteach.errors import Problem
from unteach.types import Turn

FOR_TEMPLATE = ("name", "tool_call_id")
"""Further keys that a chat template may show."""

READ = (*ROLE, *CONTENT, *THOUGHT_KEYS, *FOR_TEMPLATE, *CALLED, *TRAIN_KEYS)
WRITE = 'write {"role": "user", "content": "..."}'
ANYTHING = 'write its text, or "" where it has none'


class ParsedMessage(NamedTuple):
    """A message that was read.

    Attributes:
        turn: the turn; an empty one where there are problems.
        problems: the problems found.
        unread: names of its keys that have a value and were not read.
    """

    turn: Turn
    problems: list[Problem]
    unread: list[str]


def read_message(value: Any, name: str, where: str) -> ParsedMessage:
    """Read a message into a turn, or collect its problems.

    Args:
        value: an object with role and content, under any of their common names.
        name: of the message in problems, such as `message 2`.
        where: file and line, for problems.

    Example:
        >>> read_message({"from": "gpt", "value": "In Lund."}, "message 2", "a:1").turn.role
        'assistant'
    """
    reader = _Reader(_plain(value) if isinstance(value, Mapping) else {}, name, where)
    turn = reader.turn()
    return ParsedMessage(Turn("", "") if reader.problems else turn, reader.problems, reader.unread)


class _Reader:
    """Reads one message, and collects its problems."""

    def __init__(self, message: Mapping[str, Any], name: str, where: str):
        self.message, self.name, self.where = message, name, where
        self.problems: list[Problem] = []
        self.unread = [
            key
            for key, value in message.items()
            if key not in READ and not is_blank(value)
            if not is_harmless(key) or (key == "metadata" and has_title(value))
        ]

    def wrong(self, what: str, hint: str) -> None:
        self.problems.append(Problem(self.where, f"{self.name}{what}", hint))

    def turn(self) -> Turn:
        calls, role = self._calls(), self._role()
        spoken = [key for key in CONTENT if key in self.message]
        if not self.problems and (role is None or not (spoken or calls or self._thinks())):
            self.wrong(" has no role and content", WRITE)
        if role is None or self.problems:
            return Turn("", "")
        for what, hint in not_spoken(self.message, "assistant" if role in CALLS else role):
            self.wrong(what, hint)
        if role in CALLS and not calls:
            calls, content = self._said_calls(), MessageContent("")
        else:
            content = self._content(spoken, role, silent=bool(calls))
        return self._of("assistant" if role in CALLS else role, content, calls)

    def _of(self, role: str, content: MessageContent, calls: list[dict]) -> Turn:
        """Make the turn with this role, content and tool calls."""
        if calls and role in ROLES and role != "assistant":
            what = f": a turn of the role {role} calls a tool"
            self.wrong(what, "a call of a tool is the assistant's: mend the role, or take it out")
        thoughts, text = self._thoughts(role, content), content.text or ""
        if role == "assistant" and not (text.strip() or calls or thoughts or self.problems):
            self.wrong(": the assistant says nothing", self._elsewhere())
        keys: dict[str, Any] = {"tool_calls": calls} if calls else {}
        keys |= thoughts
        keys |= {k: self.message[k] for k in FOR_TEMPLATE if not is_blank(self.message.get(k))}
        self._check(role, text, keys)
        trained, unclear = is_trained(self.message, role)
        for what, hint in unclear:
            self.wrong(f": {what}", hint)
        self.unread += content.unread
        return Turn(role, text, trained, keys)

    def _calls(self) -> list[dict]:
        calls = calls_of(self.message)
        if isinstance(calls, str):
            self.wrong(f" {calls}", "write a list of objects, each with name and arguments")
            return []
        return calls

    def _role(self) -> Any:
        """Return the role; `from` beside `role` must agree with it, or be a person's name."""
        keys = [key for key in ROLE if not is_null(self.message.get(key))]
        if not keys:
            return None
        role = self.message[keys[0]]
        if not isinstance(role, str):
            self.wrong(f": {keys[0]} is {kind_of(role)}", "write it as a string")
            return None
        for key in keys[1:]:
            other = role_of(self.message[key])
            if isinstance(other, str) and other in ROLES and other != role_of(role):
                self.wrong(f" has {keys[0]} and {key}, which differ", "keep one of them")
            elif other != role_of(role):
                self.unread.append(key)
        return role_of(role)

    def _said_calls(self) -> list[dict]:
        """Return the tool calls in the content of a turn with the role function_call."""
        contents = [self.message[key] for key in CONTENT if not is_blank(self.message.get(key))]
        if any(value != contents[0] for value in contents):
            self.wrong(" has two contents, which differ", "keep one of them")
        calls = said_calls(contents[0] if contents else None)
        if isinstance(calls, str):
            self.wrong(f" {calls}", 'write {"name": "...", "arguments": {...}}')
            return []
        return calls

    def _content(self, spoken: list[str], role: str, *, silent: bool) -> MessageContent:
        """Return the content under any of its common names; two of them must be equal."""
        found = {key: content_of(self.message[key]) for key in spoken}
        for content in found.values():
            if content.wrong:
                self.wrong(f" {content.wrong}", hint_of(content.wrong))
                return content
        saying = [key for key in spoken if (found[key].text or "").strip()]
        if len({(found[key].text or "").strip() for key in saying}) > 1:
            self.wrong(f" has {_joined(saying)}, which differ", "keep one of them")
        silent = silent or self._thinks()
        for key in spoken:
            value = self.message[key]
            empty = is_blank(value) and (saying or (role == "assistant" and silent))
            if found[key].text is None and not empty:
                self.wrong(f": {key} is {_kind(value)}", self._instead(value, role))
                return MessageContent(None)
        whole = [found[key] for key in spoken if found[key].thought]
        first = found[(saying or spoken)[0]] if spoken else MessageContent("")
        return first._replace(
            thought=whole[0].thought if whole else "",
            unread=tuple(name for content in found.values() for name in content.unread),
        )

    def _instead(self, value: Any, role: str) -> str:
        """Return a hint for a content that is no text."""
        if is_null(value):
            return self._elsewhere() if role == "assistant" else ANYTHING
        if role == "tool" and isinstance(value, Mapping):
            return "write it as a string: as JSON text"
        return "write it as a string"

    def _elsewhere(self) -> str:
        """Return a hint for an answer without text; another key may have it."""
        if not is_blank(self.message.get("refusal")):
            return "write as content what stands in refusal, or take the line out"
        return "fill it, or take the line out"

    def _thinks(self) -> bool:
        return any(not is_blank(self.message.get(key)) for key in THOUGHT_KEYS)

    def _thoughts(self, role: str, content: MessageContent) -> dict[str, str]:
        """Return the thought of an answer by each key that has it in the message."""
        found = {"reasoning_content": content.thought} if content.thought.strip() else {}
        keys = [key for key in THOUGHT_KEYS if not is_blank(self.message.get(key))]
        if role != "assistant":
            self.unread += keys
            if found:
                self.wrong(" holds a thought", hint_of("thought"))
            return {}
        for key in keys:
            thought = thought_of(self.message[key])
            if thought is None:
                self.wrong(f": {key} is no text", "write the thought as a string")
            elif found and thought.strip() not in {text.strip() for text in found.values()}:
                what = f" has two thoughts, which differ (one is {key})"
                self.wrong(what, "keep one of them")
            else:
                found[key] = thought
        return {key: text for key, text in found.items() if text.strip()}

    def _check(self, role: str, text: str, keys: dict[str, Any]) -> None:
        if self.problems:
            return
        self.problems += wrong_text(role, f"{self.name}: role", self.where)
        self.problems += wrong_text(text, f"{self.name}: content", self.where, blank=True)
        for key, value in keys.items():
            self.problems += wrong_json(value, f"{self.name}: {key}", self.where)


def _plain(message: Mapping) -> dict[str, Any]:
    """Convert the message's known keys to lower case."""
    found = {str(key): value for key, value in message.items()}
    for key in [key for key in found if key not in READ and len(key) <= LONGEST]:
        small = key.strip().casefold()
        if small in READ and small not in found:
            found[small] = found.pop(key)
    return found


def _kind(value: Any) -> str:
    """Describe a content that is no text."""
    kind = kind_of(value)
    return f"{kind} without a text" if kind in ("a list", "an object") else kind


def _joined(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
