"""Explain which columns a record lacks, and show column names without showing data."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

from unteach.data.records.columns import Columns, is_class
from unteach.data.records.names import (
    ACCEPTED,
    ANSWERS,
    EXTRAS,
    KNOWN,
    LONGEST,
    MAKING,
    PAIRS,
    PROMPTS,
    ROLE_WORDS,
    SPELLED,
    answers_in,
    is_harmless,
    prompts_in,
)
from unteach.data.records.other_tools import ELSEWHERE, MEANT, USUAL
from unteach.data.records.values import is_blank
from unteach.errors import Problem
from unteach.registry import did_you_mean

# In a CSV file without header, the names come from the first line and may be forget data.
NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_.-]{0,39}")
LOWER = re.compile(r"[a-z][a-z0-9_.-]{0,39}")
TABLE = re.compile(r"\.[ct]sv(\.gz|\.zst)?:\d+$", re.IGNORECASE)
# One of several numbered columns, or an id: not a misspelt name.
COUNTED = re.compile(r"\d$|_id$|^(option|choice|answer|opt|op)[ _-]?[a-z]$")
MANY = 20  # most columns named in a message
AGREED = 3  # a key counts as a column name if at least this many records have it
CLOSE = 0.8  # similarity from which a name is taken as misspelt
ALIKE = 0.7  # similarity from which a name is shown; others may be names of people

PARTS = frozenset(
    str.split(
        "text image image_url audio video file document thinking redacted_thinking reasoning "
        "refusal thoughts code tool_use tool_result input_text output_text input_image input_audio"
    )
)
WORDS = sorted({*ROLE_WORDS, *PARTS})


def shown(names: list[str]) -> str:
    """List names for a message; names that may be data, such as people's, are only counted.

    Only names that are similar to known column names are shown: the first line of a CSV file
    without a header, and the keys of an object, may be anything.

    Example:
        >>> shown(["id", "qestion", "Where was Ada born?", "ada"])
        'id, qestion (2 not shown: they may be texts)'
    """
    return _list_shown(names, [name for name in names if not name.strip() or _is_usual(name)])


def listed(counts: Mapping[str, int], records: int) -> str:
    """List unread columns or keys for a message, at most `MANY`.

    A name is shown if enough records have it, since an object may have people's names as keys. A
    lower-case name must be in half of the records, or have an underscore; a name with capitals
    must be in at least three records and in half of them.

    Args:
        counts: number of records that have each column or key.
        records: number of records of the file.

    Example:
        >>> listed({"Complex_CoT": 9, "basil": 1, "Where was Ada born?": 9}, 9)
        'Complex_CoT (2 not shown: they may be texts)'
        >>> listed({"score": 1, "rationale": 1, "Basil": 1}, 1)
        'score, rationale (1 not shown: it may be a text)'
    """
    names = [name for name in counts if name.strip()]
    more, first = len(names) - MANY, names[:MANY]
    agreed = {name for name, count in counts.items() if count >= max(AGREED, records / 2)}
    half = {name for name, count in counts.items() if "_" in name or 2 * count >= records}
    small = {name for name in half if LOWER.fullmatch(name)}
    plain = [n for n in first if _is_usual(n) or n in small or (n in agreed and NAME.fullmatch(n))]
    return _list_shown(first, plain) + (f" and {more} more" if more > 0 else "")


def roles_shown(roles: Iterable[str]) -> str:
    """List roles of turns for a message; unknown roles may be names of people and are counted.

    Example:
        >>> roles_shown(["narrator", "Basil"])
        'narrator (1 not shown: it may be a text)'
    """
    names = [*roles]
    return _list_shown(names[:MANY], [name for name in names[:MANY] if kept_from(name) == name])


def _list_shown(names: list[str], plain: list[str]) -> str:
    hidden = len(names) - len(plain)
    why = "it may be a text" if hidden == 1 else "they may be texts"
    labels = [name if name.strip() else "one without a name" for name in plain]
    parts = [", ".join(labels)] if labels else []
    return " ".join([*parts, f"({hidden} not shown: {why})"] if hidden else parts) or "none"


@lru_cache(maxsize=10_000)
def _is_usual(name: str) -> bool:
    """Whether the name is a common name of a column, role or split, or similar to one."""
    small = name.casefold()
    if small in SPELLED or small in MEANT or small in USUAL or is_harmless(name):
        return True
    return bool(LOWER.fullmatch(name) and did_you_mean(name, KNOWN, ALIKE))


def unknown(columns: Columns, record: Mapping, where: str) -> Problem:
    """Make the problem of columns that make no example, with a guess at what they are."""
    names = [str(column) for column in islice(record, MANY)]
    filled = tuple(n for n in MAKING if n in columns and not is_blank(columns.seen(n)))
    classes = tuple(
        n for n in names if MEANT.get(_plain(n)) == "answer" and is_class(record.get(n))
    )
    guess = _guess(tuple(names), filled, classes)
    hint = f"needed: {ACCEPTED}; rename the columns that hold them.{guess}"
    if "not shown" in shown(names) and TABLE.search(where):
        hint += " The first line of a CSV file names the columns."
    more = len(record) - len(names)
    what = f"has the columns {shown(names)}" + (f" and {more} more" if more else "")
    return Problem(where, what, hint)


@lru_cache  # a file may have the same wrong columns in every line
def _guess(columns: tuple[str, ...], filled: tuple[str, ...], classes: tuple[str, ...]) -> str:
    """Guess what the columns are; columns of class labels are no answers."""
    plain = [_plain(c) for c in columns if len(c) <= LONGEST]
    for foreign, suggestion in ELSEWHERE.items():
        if {*foreign} <= {*plain}:
            return f" {suggestion}"
    known = frozenset(filled)
    if guess := _too_many(known):
        return guess
    prompts, answers = prompts_in(known), answers_in(known)
    missing = [name for name in _missing(prompts, answers) if name not in known]
    meant = [c for c in plain if c not in map(_plain, classes)]
    renamed = {MEANT[c]: c for c in reversed(meant) if MEANT.get(c) in missing}
    if renamed:
        renames = ", ".join(f"{c} as {n}" for n, c in sorted(renamed.items(), reverse=True))
        return f" Write {renames}."
    if classes and "answer" in missing:
        return f" Write the text that {classes[0]} stands for as answer: a class is none."
    others = [c for c in plain if c not in SPELLED and c not in MEANT and not COUNTED.search(c)]
    guesses = (did_you_mean(name, KNOWN, CLOSE) for name in others)
    return next(filter(None, guesses), "") or _half_pair(prompts, answers)


def _plain(name: str) -> str:
    return name.strip().casefold()


def _missing(asked: list[str], answers: list[str]) -> list[str]:
    if asked and not answers:
        return ["answer"]
    return ["question"] if answers and not asked else ["question", "answer", "text", "messages"]


def _too_many(known: frozenset[str]) -> str:
    """Return what to choose where several columns may be the question or the answer."""
    prompts, answers = prompts_in(known), answers_in(known)
    if all({*pair} <= known for pair in PAIRS):
        return " There are two pairs: keep prompt and completion, or question and answer."
    if len(prompts) > 1 and answers:
        return f" Several columns may be what is asked ({', '.join(prompts)}): keep one of them."
    if len(answers) > 1 and prompts:
        return f" Several columns may be the answer ({', '.join(answers)}): keep one of them."
    if answers and "text" in known:
        return f" If {answers[0]} answers the text, write text as question; else take it out."
    return ""


def _half_pair(asked: list[str], answers: list[str]) -> str:
    if asked and not answers:
        return f" What answers {asked[0]} is missing: name that column answer."
    if answers and not asked:
        return f" What {answers[0]} is the answer to is missing: name that column question."
    return ""


@lru_cache(maxsize=1000)
def meant(name: str) -> str:
    """Return ` Did you mean "alternate"?` where an unread column's name is close to a known one."""
    if name.casefold() in SPELLED or COUNTED.search(name.casefold()):
        return ""
    close = [*EXTRAS, *PROMPTS, *ANSWERS, "system", "context", "tools"]
    return did_you_mean(name.casefold(), close, 0.8) if len(name) <= LONGEST else ""


def kept_from(value: Any) -> str:
    """Return the name of a role or a part for a message; an unknown one is not shown."""
    if not isinstance(value, str):
        return "of another name"
    small = value.casefold()
    known = small in ROLE_WORDS or small in PARTS or bool(did_you_mean(small, WORDS, CLOSE))
    return value if known else "of another name"
