"""Which columns mean what: a record becomes an example, or all that is wrong with it."""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import Any

from unteach.data.marks import spans_of
from unteach.nouns import Example, Problem, Turn
from unteach.registry import did_you_mean

Form = tuple[str, ...]

FORMS: dict[Form, str] = {
    ("prompt", "completion"): "pair",
    ("question", "answer"): "pair",
    ("messages",): "chat",
    ("text",): "text",
    ("prompt", "gt"): "text",  # MUSE's verbatim-memorisation files: the text goes on
}
KNOWN = sorted({column for form in FORMS for column in form})
ACCEPTED = "prompt and completion, question and answer, messages, or text"
ELSEWHERE: dict[Form, str] = {  # columns of other tools, and what to make of them
    ("instruction", "input", "output"): "instruction and input as prompt, output as completion",
    ("instruction", "output"): "instruction as prompt, output as completion",
    ("input", "output"): "input as prompt, output as completion",
    ("conversations",): 'messages, each {"role": "user", "content": "..."}',
}

# Without a header, the first line of a CSV file gives the names: they may be texts to forget.
NAME = re.compile(r"[a-z][a-z0-9_.-]{0,39}")
HALF_CHARACTER = re.compile("[\ud800-\udfff]")
LONGEST = 40  # characters of a name
MANY = 20  # columns that a message has room for
WORDS = {
    "bool": "true or false",
    "int": "a number",
    "float": "a number",
    "list": "a list",
    "dict": "an object",
    "NoneType": "null",
}


def form_of(record: Any) -> Form | None:
    """The columns that make an example of the record; those that are null only as a last resort.

    Example:
        >>> form_of({"question": "Who?", "answer": "Ada.", "id": 3})
        ('question', 'answer')
    """
    if not isinstance(record, Mapping):
        return None
    filled = (form for form in FORMS if all(record.get(c) is not None for c in form))
    named = (form for form in FORMS if all(c in record for c in form))
    return next(filled, None) or next(named, None)


def is_record(value: Any) -> bool:
    """Whether the value is itself an example, rather than an object that holds a list of them."""
    form = form_of(value)
    return form is not None and all(
        isinstance(value[c], str) or (isinstance(value[c], list) and all(map(_is_turn, value[c])))
        for c in form
    )


def example_of(record: Any, id: str, where: str) -> Example | list[Problem]:
    """The example that a record is, or everything that is wrong with it."""
    if isinstance(record, str):
        record = {"text": record}
    if not isinstance(record, Mapping):
        what = f"is no object but {kind_of(record)}"
        return [Problem(where, what, f"give an object with {ACCEPTED}")]
    form = form_of(record)
    if form is None:
        return [_unknown(record, where)]
    made = _example(record, form, id, where)
    length = len(made.answer) if isinstance(made, Example) else None
    spans, problems = spans_of(record.get("spans"), where, length)
    if isinstance(made, Example):
        return problems or replace(made, spans=spans)
    return made + problems


def _example(record: Mapping, form: Form, id: str, where: str) -> Example | list[Problem]:
    if form == ("messages",) or isinstance(record[form[0]], list):
        messages = [m for column in form for m in _messages(record[column])]
        made, wrong = _chat(messages, id, where), _wrong_text(record, "alternate", where)
        if isinstance(made, Example):
            return wrong or replace(made, alternate=_filled(record, "alternate"))
        return made + wrong
    problems = [p for column in form for p in _wrong(record[column], column, where)]
    if form == ("text",):
        return problems or Example(id=id, where=where, kind="text", text=record["text"])
    if FORMS[form] == "text":
        return problems or Example(id=id, where=where, kind="text", turns=_turns(record, form))
    return problems + _wrong_extras(record, where) or _pair(record, form, id, where)


def shown(names: list[str]) -> str:
    """Names of columns for a message; what may be a text is counted, not shown.

    Example:
        >>> shown(["id", "Where was Ada born?"])
        'id (1 not shown: it may be a text)'
    """
    plain = [name for name in names if NAME.fullmatch(name) or name.casefold() in KNOWN]
    hidden = len(names) - len(plain)
    why = "it may be a text" if hidden == 1 else "they may be texts"
    listed = [", ".join(plain)] if plain else []
    return " ".join([*listed, f"({hidden} not shown: {why})"] if hidden else listed) or "none"


def kind_of(value: Any) -> str:
    """What a value is, in the words of JSON.

    Example:
        >>> kind_of(3), kind_of(None)
        ('a number', 'null')
    """
    name = type(value).__name__
    return WORDS.get(name, f"a value of type {name}")


def _is_turn(value: Any) -> bool:
    return isinstance(value, Mapping) and "role" in value


def _turns(record: Mapping, form: Form) -> tuple[Turn, ...]:
    return Turn("user", record[form[0]]), Turn("assistant", record[form[1]])


def _pair(record: Mapping, form: Form, id: str, where: str) -> Example:
    return Example(
        id=id,
        where=where,
        kind="pair",
        turns=_turns(record, form),
        paraphrase=_filled(record, "paraphrased_answer"),
        perturbed=tuple(answer for answer in _perturbed(record) if answer.strip()),
        fact=_filled(record, "fact"),
        alternate=_filled(record, "alternate"),
    )


def _filled(record: Mapping, column: str) -> str:
    """The column's text; nothing where it is blank."""
    text = record.get(column) or ""
    return text if text.strip() else ""


def _perturbed(record: Mapping) -> Any:
    wrong = record.get("perturbed_answer")
    return [wrong] if isinstance(wrong, str) else wrong or []


def _wrong_extras(record: Mapping, where: str) -> list[Problem]:
    """What is wrong with the optional columns of a pair."""
    found = []
    for column in ("paraphrased_answer", "fact", "alternate"):
        found += _wrong_text(record, column, where)
    wrong = _perturbed(record)
    if not isinstance(wrong, list) or not all(isinstance(answer, str) for answer in wrong):
        hint = "write a string, or a list of strings"
        found.append(Problem(where, "perturbed_answer is no text", hint))
    else:
        texts = "".join(f"{answer}\n" for answer in wrong)
        found += _wrong(texts, "perturbed_answer", where, blank=True)
    return found


def _wrong_text(record: Mapping, column: str, where: str) -> list[Problem]:
    value = record.get(column)
    return [] if value is None else _wrong(value, column, where, blank=True)


def _wrong(value: Any, name: str, where: str, *, blank: bool = False) -> list[Problem]:
    """What keeps a value from being a text."""
    if not isinstance(value, str):
        return [Problem(where, f"{name} is {kind_of(value)}", "write it as a string")]
    if not blank and not value.strip():
        return [Problem(where, f"{name} is empty", "fill it, or take the line out")]
    if HALF_CHARACTER.search(value):
        hint = "an escape such as \\ud83d needs its second half: write the file anew as UTF-8"
        return [Problem(where, f"{name} holds half a character", hint)]
    if "\0" in value:
        return [Problem(where, f"{name} holds a NUL character", "take it out")]
    return []


def _messages(value: Any) -> list:
    if isinstance(value, str):
        return [{"role": "assistant", "content": value}]
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _chat(messages: list, id: str, where: str) -> Example | list[Problem]:
    problems: list[Problem] = []
    for number, message in enumerate(messages, 1):
        problems += _wrong_message(message, number, where)
    if problems:
        return problems
    turns = tuple(Turn(message["role"], message["content"]) for message in messages)
    if not turns or turns[-1].role != "assistant":
        what = "does not end with the assistant" if turns else "has no messages"
        return [Problem(where, what, "the assistant's turns are what is supervised")]
    return Example(id=id, where=where, kind="chat", turns=turns)


def _wrong_message(message: Any, number: int, where: str) -> list[Problem]:
    if not isinstance(message, Mapping) or not {"role", "content"} <= set(message):
        what = f"message {number} has no role and content"
        return [Problem(where, what, 'write {"role": "user", "content": "..."}')]
    role, text = message["role"], message["content"]
    if not isinstance(role, str) or not isinstance(text, str):
        what = f"message {number}: role or content is no string"
        return [Problem(where, what, "write both as strings")]
    if role == "assistant" and not text.strip():
        what = f"message {number}: the assistant says nothing"
        return [Problem(where, what, "fill it, or take the line out")]
    wrong = _wrong(role, f"message {number}: role", where)
    return wrong + _wrong(text, f"message {number}: content", where, blank=True)


def _unknown(record: Mapping, where: str) -> Problem:
    columns = [str(column) for column in islice(record, MANY)]
    listed = shown(columns)
    hint = f"needed: {ACCEPTED}.{_guess(tuple(columns))}"
    if "not shown" in listed:
        hint += " The first line of a CSV file names the columns."
    if more := len(record) - len(columns):
        listed += f" and {more} more"
    return Problem(where, f"has the columns {listed}", hint)


@lru_cache  # a file may have the same wrong columns in every line
def _guess(columns: tuple[str, ...]) -> str:
    """What one of the columns may have been meant to be."""
    for theirs, ours in ELSEWHERE.items():
        if set(theirs) <= set(columns):
            return f" Write {ours}."
    short = (c.casefold() for c in columns if c not in KNOWN and len(c) <= LONGEST)
    return next((guess for name in short if (guess := did_you_mean(name, KNOWN))), "")
