"""Read the `spans` that a user marks in an answer, and find them in the rendered text."""

import json
from typing import Any

from unteach.errors import Problem, UserError
from unteach.types import Example, Span

FARTHEST = 2**63
HINT = "write [[start, end], ...]: characters of the answer, counted from 0, end not included"


def spans_of(value: Any, where: str, length: int | None) -> tuple[tuple[Span, ...], list[Problem]]:
    """Read the pairs of a `spans` column, and collect their problems.

    Args:
        value: a list of pairs, or the same as JSON text (as a CSV file has it).
        where: file and line, for messages.
        length: number of characters of the answer; None without an answer.

    Example:
        >>> spans_of([[0, 4], (9, 7)], "forget.jsonl:3", 20)[1][0].what
        'spans: pair 2 starts at 9 and ends at 7'
    """
    if isinstance(value, str):
        value = _from_json(value)
    if value is None:
        return (), []
    if not isinstance(value, (list, tuple)):
        return (), [Problem(where, "spans is no list of pairs", HINT)]
    found, problems = [], []
    for number, pair in enumerate(value, 1):
        what = _pair_error(pair, length)
        if what:
            problems.append(Problem(where, f"spans: pair {number} {what}", HINT))
        else:
            found.append((pair[0], pair[1]))
    return tuple(found), problems


def placed(example: Example, text: str, first: int, last: int) -> tuple[Span, ...]:
    """Convert the example's spans from positions in its answer to positions in the rendered text.

    Args:
        example: its spans count from the first character of the answer.
        text: the rendered text, which contains the answer, perhaps stripped.
        first: start of the part of the text that contains the answer.
        last: end of that part.

    Raises:
        UserError: the template changed the answer.
    """
    if not example.spans:
        return ()
    found: list[Span] = []
    for start, end in example.spans:
        for place, piece in _thought_and_answer(example.answer):
            a, b = max(start, place), min(end, place + len(piece))
            if a < b:
                thought = place + len(piece) < len(example.answer.rstrip())
                position = (text.find if thought else text.rfind)(piece, first, last)
                if position < 0:
                    what = "spans cannot be placed: the template changes what the answer says, or "
                    what += "leaves it out"
                    raise UserError(Problem(example.where, what, "use data.template=plain"))
                found.append((a - place + position, b - place + position))
    return tuple(found)


def _thought_and_answer(answer: str) -> list[tuple[int, str]]:
    """Split into thought and answer, which a template may separate; stripped, with positions."""
    head, tag, rest = answer.rpartition("</think>")
    thought = head.partition("<think>")[2] if "<think>" in head else head
    pieces = [(len(head) - len(thought), thought), (len(head + tag), rest)]
    return [
        (start + len(piece) - len(piece.lstrip()), piece.strip())
        for start, piece in pieces
        if piece.strip()
    ]


def _from_json(text: str) -> Any:
    try:
        return json.loads(text) if text.strip() else None
    except (ValueError, RecursionError):
        return text


def _pair_error(pair: Any, length: int | None) -> str:
    whole = isinstance(pair, (list, tuple)) and len(pair) == 2
    if not whole or not all(isinstance(x, int) and not isinstance(x, bool) for x in pair):
        return "is no pair of whole numbers"
    start, end = pair
    if max(abs(start), abs(end)) > FARTHEST:
        return "counts more characters than there are"
    if start < 0 or end <= start:
        return f"starts at {start} and ends at {end}"
    if length is not None and end > length:
        return f"ends at {end}, and the answer has {length} characters"
    return ""
