"""Render a conversation with the model's chat template, and find the supervised characters."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from unteach.data.encoding.marked import MarkedMessage, marked, marks_for, region_of
from unteach.data.encoding.templates import ChatTemplate, Message, named_role
from unteach.data.encoding.tokens import RenderedExample
from unteach.errors import Problem, UserError
from unteach.types import Example, Span

SHORT = 12  # a text with fewer characters may occur elsewhere by chance


@dataclass(frozen=True)
class TurnPosition:
    """Position of one assistant turn in the rendered text.

    Attributes:
        start: first character that the model generates.
        said: character range of the example's own text: thought, content and calls.
        end: end of the marker that ends the turn (exclusive).
        closed: whether there is such a marker.
    """

    start: int
    said: Span
    end: int
    closed: bool


def chat(example: Example, tokenizer: Any) -> RenderedExample:
    """Render the example with the chat template; supervised turns include their end marker.

    To find a turn, the conversation is rendered a second time with marks in place of the turn's
    texts: the turn is where the two renderings differ. A turn that the template does not show is
    not supervised; the last one must be shown.

    Text that the template adds before an answer, such as an empty thought, is part of the prompt.
    Where the example itself has a thought or a tool call first, the prompt ends with the
    generation prompt, and all that follows is the answer.

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
            raise UserError(_nothing_shown_problem(example, turn))
        else:
            left_out += ["turn"] if place else turn.left_out
    if turns[-1].opened:
        left_out.append("opened")
    # Text after the last end marker, such as a blank line, is not part of the answer.
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
    """One supervised turn of a conversation, and its place in the rendered text."""

    template: ChatTemplate
    number: int

    @property
    def message(self) -> Message:
        """The turn as a message for the template."""
        return self.template.messages[self.number]

    @cached_property
    def marked(self) -> MarkedMessage:
        """The turn with marks in place of its texts."""
        return marked(self.message, marks_for(self.template.whole))

    @cached_property
    def frame(self) -> str:
        """The rendered conversation with marks in this turn; empty if the template refuses it."""
        return self._with(self.marked.message)

    @cached_property
    def asked(self) -> str:
        """The rendered prompt of this turn; empty where it is the first message."""
        before = self.template.messages[: self.number]
        return self.template.attempt(before, asking=True) if before else ""

    @cached_property
    def place(self) -> TurnPosition | None:
        """Position of the turn; None where the template does not show it, or not in one piece."""
        if not any(slot.mark in self.frame for slot in self.marked.slots) and self.frame:
            return None
        found = region_of(self.template.whole, self.frame, self._marks())
        if found and self._interrupted():
            return None
        place = self._of_region(*found) if found else self._of_prefixes()
        return place if place and self._text(place.said).strip() else None

    @cached_property
    def left_out(self) -> list[str]:
        """The parts of the turn that the template leaves out or changes, as keys of `TOLD`."""
        slots = self.marked.slots
        rendered = self._text(self.place.said) if self.place else ""
        shown = {
            slot
            for slot in slots
            if self.place
            and (not self.frame or slot.mark in self.frame)
            and (slot.kind == "call" or slot.text in rendered)
        }
        missing = {slot.kind for slot in slots if slot not in shown}
        if "thought" in missing and any(slot.kind == "thought" for slot in shown):
            missing = {"answer", *missing} - {"thought"}  # some thoughts shown: a partial answer
        if not self.place and ("answer" in missing or not missing):
            return ["turn" if slots else "empty"]
        return sorted({"answer": "changed"}.get(kind, kind) for kind in missing)

    @cached_property
    def opened(self) -> bool:
        """Whether the generation prompt ends with `<think>`, but this turn has no thought."""
        return self.asked.rstrip().endswith("<think>") and not self.template.whole.startswith(
            self.asked.rstrip()
        )

    @cached_property
    def content(self) -> Span:
        """Character range of the content of a turn that is shown."""
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
        """Whether the template puts text of other messages inside this turn."""
        if sum(slot.mark in self.frame for slot in self.marked.slots) < 2:
            return False
        marks = marks_for(self.template.whole + self._marks())
        others = {n: next(marks, "") for n in range(len(self.template.messages))}
        messages = [
            _with_marked_content(m, others[n]) for n, m in enumerate(self.template.messages)
        ]
        messages[self.number] = self.marked.message
        frame = self.template.attempt(messages)
        places = [frame.index(mark) for mark in self._marks() if mark in frame]
        within = frame[min(places) : max(places)] if places else ""
        return any(mark and mark in within for mark in others.values())

    def _of_region(self, first: int, last: int) -> TurnPosition:
        end = self._end()
        following = self.template.whole[last:]
        if not following.startswith(end):
            end = _shared_end_markers(end, following, self.template.tokenizer)
        return TurnPosition(self._start(first, last), (first, last), last + len(end), bool(end))

    def _of_prefixes(self) -> TurnPosition | None:
        """Find the turn by comparing prefixes, where the template changes the turn's texts."""
        whole, upto = self.template.whole, self.template.messages[: self.number + 1]
        until = self.template.attempt(upto).rstrip()
        prompt = self.asked
        if not (prompt and until and whole.startswith(prompt) and whole.startswith(until)):
            return None
        span = (len(prompt), len(until))
        return TurnPosition(
            len(prompt), span, len(until), not until.endswith(self.message["content"])
        )

    def _end(self) -> str:
        """Text that the template adds after the turn when it is the last, right-stripped."""
        messages = [*self.template.messages[: self.number], self.marked.message]
        whole = len(messages) == len(self.template.messages)
        frame = self.frame if whole else self.template.attempt(messages)
        last = max(map(frame.rfind, self._marks()))
        return frame[last + 1 :].rstrip() if last >= 0 else ""

    def _start(self, first: int, last: int) -> int:
        """First character that the model generates; a blank outside the prompt is generated too."""
        whole, prompt = self.template.whole, self.asked
        ways = (prompt, self._lead(first))
        bare = last - len(whole[first:last].lstrip())  # a blank may also be the template's
        start = max((len(w) for w in ways if whole.startswith(w) and len(w) <= bare), default=0)
        start = start or first
        begins = bool(prompt) and whole.startswith(prompt) and len(prompt) <= start
        return len(prompt) if begins and not whole[len(prompt) : start].strip() else start

    def _lead(self, first: int) -> str:
        """Text that the template puts before an answer without thought or call in this place."""
        if all(slot.kind == "answer" for slot in self.marked.slots if slot.mark in self.frame):
            return self.template.whole[:first]
        bare = {"role": self.message["role"], "content": self.message["content"] or "-"}
        mark = next(marks_for(self.template.whole))
        lead, found, _ = self._with(_with_marked_content(bare, mark)).partition(mark)
        return lead if found else ""


def _with_marked_content(message: Message, mark: str) -> Message:
    """Replace each character of the message's content by a mark."""
    return {**message, "content": mark * len(message["content"]) or message["content"]}


def _shared_end_markers(end: str, following: str, tokenizer: Any) -> str:
    """Return the end markers that also follow the turn when it is not the last.

    Some templates write an end marker only after the last turn.
    """
    length, known = 0, tokenizer.get_added_vocab()
    for token in tokenizer.tokenize(end):
        shared = end.startswith(token, length) and following.startswith(token, length)
        if not shared or token not in known:
            break
        length += len(token)
    return end[:length]


def _unseen_turns(template: ChatTemplate) -> list[str]:
    """Return the roles of the unsupervised turns that the template does not show."""
    whole = template.whole
    marks, messages, sought = marks_for(whole), list(template.messages), {}
    for n, (turn, message) in enumerate(zip(template.example.turns, messages, strict=False)):
        text = turn.text.strip()
        trained = turn.role == "assistant" and turn.supervised
        if not trained and text and (len(text) < SHORT or text not in whole):
            mark = next(marks, "")
            messages[n] = _with_marked_content(message, mark)
            sought[n] = mark
    frame = template.attempt(messages) if sought else ""
    return [
        f"{named_role(messages[n]['role'])} turn"
        for n, mark in sought.items()
        if frame and mark and mark not in frame
    ]


def _unseen_tools(template: ChatTemplate) -> list[str]:
    """Return ["tools"] if the template shows nothing of the example's tools, else nothing."""
    if not template.example.tools:
        return []
    without = template.attempt(template.messages, tools=False)
    return ["tools"] if without == template.whole else []


def _nothing_shown_problem(example: Example, turn: AssistantTurn) -> Problem:
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
