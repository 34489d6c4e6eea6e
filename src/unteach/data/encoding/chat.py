"""A conversation in the model's own chat template, with the characters that are supervised."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from unteach.data.encoding.marked import MarkedMessage, marked, marks_for, region_of
from unteach.data.encoding.rendered import RenderedExample
from unteach.data.encoding.templates import ChatTemplate, Message, named_role
from unteach.errors import Problem, UserError
from unteach.types import Example, Span

SHORT = 12  # characters of a text that may stand elsewhere by chance


@dataclass(frozen=True)
class TurnPosition:
    """Where one assistant turn stands.

    Attributes:
        start: where the model begins to speak.
        said: the characters that the example gives: thought, content and calls.
        end: one past the marker that ends the turn.
        closed: whether there is such a marker.
    """

    start: int
    said: Span
    end: int
    closed: bool


def chat(example: Example, tokenizer: Any) -> RenderedExample:
    """The example in the tokenizer's chat template; each supervised turn with its end marker.

    What the template shows of a turn is found by rendering once more with marks in place of that
    turn's texts: where the two renderings differ, the turn is speaking. A turn of which nothing is
    shown is not supervised; the last one must be.

    What a template puts before an answer of its own accord, such as an empty thought, is part of
    the prompt. Where the example itself thinks or calls a tool first, the prompt is what the
    template asks with, and all that follows is the answer.

    Raises:
        UserError: there is no chat template, it refuses the conversation, or it shows nothing of
            the last supervised turn.
    """
    template = ChatTemplate(tokenizer, example)
    supervised = [n for n, t in enumerate(example.turns) if t.role == "assistant" and t.supervised]
    turns = [AssistantTurn(template, n) for n in supervised]
    left_out = [*_unseen_turns(template), *_unseen_tools(template)]
    places: list[TurnPosition] = []
    for turn in turns:
        place = turn.place
        if place and (not places or places[-1].end <= place.start):
            places.append(place)
            left_out += turn.left_out
        elif turn is turns[-1]:
            raise UserError(_nothing_shown(example, turn))
        else:
            left_out += ["turn"] if place else turn.left_out
    if turns[-1].opened:
        left_out.append("opened")
    # A blank line after the last end marker is no part of the answer, and nothing follows it.
    return RenderedExample(
        text=template.whole[: places[-1].end],
        spans=tuple((place.start, place.end) for place in places),
        said=tuple(place.said for place in places),
        content=turns[-1].content if example.spans else places[-1].said,
        closed=places[-1].closed,
        special=False,
        left_out=tuple(left_out),
    )


@dataclass(frozen=True)
class AssistantTurn:
    """One supervised turn of a conversation, and what a chat template makes of it."""

    template: ChatTemplate
    number: int

    @property
    def message(self) -> Message:
        """The turn as the template reads it."""
        return self.template.messages[self.number]

    @cached_property
    def marked(self) -> MarkedMessage:
        """The turn with marks in place of its texts."""
        return marked(self.message, marks_for(self.template.whole))

    @cached_property
    def frame(self) -> str:
        """The conversation with marks in this turn; empty where the template refuses that."""
        return self._with(self.marked.message)

    @cached_property
    def asked(self) -> str:
        """What the model is given when it is to speak; empty where it speaks first."""
        before = self.template.messages[: self.number]
        return self.template.attempt(before, asking=True) if before else ""

    @cached_property
    def place(self) -> TurnPosition | None:
        """Where the turn stands; None where the template shows nothing of it, or not plainly."""
        if not any(slot.mark in self.frame for slot in self.marked.slots) and self.frame:
            return None
        found = region_of(self.template.whole, self.frame, self._marks())
        if found and self._interrupted():
            return None
        place = self._of_region(*found) if found else self._of_prefixes()
        return place if place and self._text(place.said).strip() else None

    @cached_property
    def left_out(self) -> list[str]:
        """What of the turn is not shown, or not as it was written."""
        slots = self.marked.slots
        said = self._text(self.place.said) if self.place else ""
        shown = {
            slot
            for slot in slots
            if self.place
            and (not self.frame or slot.mark in self.frame)
            and (slot.kind == "call" or slot.text in said)
        }
        missing = {slot.kind for slot in slots if slot not in shown}
        if "thought" in missing and any(slot.kind == "thought" for slot in shown):
            missing = {"answer", *missing} - {"thought"}  # one of several: a part of what is said
        if not self.place and ("answer" in missing or not missing):
            return ["turn" if slots else "empty"]
        return sorted({"answer": "changed"}.get(kind, kind) for kind in missing)

    @cached_property
    def opened(self) -> bool:
        """Whether the template asks by opening a thought, and shows this turn without one."""
        return self.asked.rstrip().endswith("<think>") and not self.template.whole.startswith(
            self.asked.rstrip()
        )

    @cached_property
    def content(self) -> Span:
        """Where the content is, of a turn that is shown."""
        assert self.place
        bare = {"role": self.message["role"], "content": self.message["content"]}
        only = marked(bare, marks_for(self.template.whole))
        frame = self._with({**self.message, "content": only.message["content"]})
        marks = "".join(slot.mark for slot in only.slots)
        return region_of(self.template.whole, frame, marks) or self.place.said

    def _with(self, message: Message) -> str:
        messages = list(self.template.messages)
        messages[self.number] = message
        return self.template.attempt(messages)

    def _marks(self) -> str:
        return "".join(slot.mark for slot in self.marked.slots)

    def _text(self, span: Span) -> str:
        return self.template.whole[slice(*span)]

    def _interrupted(self) -> bool:
        """Whether the template shows what others say in the midst of this turn."""
        if sum(slot.mark in self.frame for slot in self.marked.slots) < 2:
            return False
        marks = marks_for(self.template.whole + self._marks())
        others = {n: next(marks, "") for n in range(len(self.template.messages))}
        messages = [_instead(m, others[n]) for n, m in enumerate(self.template.messages)]
        messages[self.number] = self.marked.message
        frame = self.template.attempt(messages)
        places = [frame.index(mark) for mark in self._marks() if mark in frame]
        within = frame[min(places) : max(places)] if places else ""
        return any(mark and mark in within for mark in others.values())

    def _of_region(self, first: int, last: int) -> TurnPosition:
        end = self._end()
        following = self.template.whole[last:]
        if not following.startswith(end):
            end = _shared(end, following, self.template.tokenizer)
        return TurnPosition(self._start(first, last), (first, last), last + len(end), bool(end))

    def _of_prefixes(self) -> TurnPosition | None:
        """What the template adds for the turn, where it shows its texts in a way of its own."""
        whole, upto = self.template.whole, self.template.messages[: self.number + 1]
        until = self.template.attempt(upto).rstrip()
        asked = self.asked
        if not (asked and until and whole.startswith(asked) and whole.startswith(until)):
            return None
        said = (len(asked), len(until))
        return TurnPosition(
            len(asked), said, len(until), not until.endswith(self.message["content"])
        )

    def _end(self) -> str:
        """What the template puts after the turn when it is the last, but for blanks at the end."""
        messages = [*self.template.messages[: self.number], self.marked.message]
        whole = len(messages) == len(self.template.messages)
        frame = self.frame if whole else self.template.attempt(messages)
        last = max(map(frame.rfind, self._marks()))
        return frame[last + 1 :].rstrip() if last >= 0 else ""

    def _start(self, first: int, last: int) -> int:
        """Where the model begins to speak: a blank that it was not given belongs to the answer."""
        whole, asked = self.template.whole, self.asked
        ways = (asked, self._lead(first))
        bare = last - len(whole[first:last].lstrip())  # a blank may be the template's and its own
        start = max((len(w) for w in ways if whole.startswith(w) and len(w) <= bare), default=0)
        start = start or first
        begins = bool(asked) and whole.startswith(asked) and len(asked) <= start
        return len(asked) if begins and not whole[len(asked) : start].strip() else start

    def _lead(self, first: int) -> str:
        """What the template puts before a bare answer in this place."""
        if all(slot.kind == "answer" for slot in self.marked.slots if slot.mark in self.frame):
            return self.template.whole[:first]
        bare = {"role": self.message["role"], "content": self.message["content"] or "-"}
        mark = next(marks_for(self.template.whole))
        lead, found, _ = self._with(_instead(bare, mark)).partition(mark)
        return lead if found else ""


def _instead(message: Message, mark: str) -> Message:
    """The message with a mark in place of each letter of its content."""
    return {**message, "content": mark * len(message["content"]) or message["content"]}


def _shared(end: str, following: str, tokenizer: Any) -> str:
    """The end markers that also stand where the conversation goes on; some close the last only."""
    length, known = 0, tokenizer.get_added_vocab()
    for token in tokenizer.tokenize(end):
        shared = end.startswith(token, length) and following.startswith(token, length)
        if not shared or token not in known:
            break
        length += len(token)
    return end[:length]


def _unseen_turns(template: ChatTemplate) -> list[str]:
    """The roles of unsupervised turns of which the template shows nothing."""
    whole = template.whole
    marks, messages, sought = marks_for(whole), list(template.messages), {}
    for n, (turn, message) in enumerate(zip(template.example.turns, messages, strict=False)):
        text = turn.text.strip()
        trained = turn.role == "assistant" and turn.supervised
        if not trained and text and (len(text) < SHORT or text not in whole):
            mark = next(marks, "")
            messages[n] = _instead(message, mark)
            sought[n] = mark
    frame = template.attempt(messages) if sought else ""
    return [
        f"{named_role(messages[n]['role'])} turn"
        for n, mark in sought.items()
        if frame and mark and mark not in frame
    ]


def _unseen_tools(template: ChatTemplate) -> list[str]:
    """Whether the template shows nothing of the example's tools."""
    if not template.example.tools:
        return []
    without = template.attempt(template.messages, tools=False)
    return ["tools"] if without == template.whole else []


def _nothing_shown(example: Example, turn: AssistantTurn) -> Problem:
    kinds = {slot.kind for slot in turn.marked.slots}
    if not kinds:
        what, hint = "the last answer has no text", "fill it, or take the line out"
    elif kinds == {"call"}:
        what = "the chat template shows no tool calls, and the last answer is nothing else"
        hint = "give the tokenizer a chat template that shows them, or take the line out"
    elif kinds == {"thought"}:
        what = "the chat template shows no thoughts, and the last answer is nothing else"
        hint = "give the tokenizer a chat template that shows them, or take the line out"
    else:
        what = "the chat template leaves out or changes what the last assistant turn says"
        hint = "use data.template=plain"
    return Problem(example.where, what, hint)
