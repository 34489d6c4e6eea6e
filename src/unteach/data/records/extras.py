"""Read the columns beside question and answer: other answers, subjects, what is left out."""

from typing import Any

from unteach.data.records.columns import Columns
from unteach.data.records.names import ROLE_WORDS, SINGLE, TRAINED, WANTED
from unteach.data.records.values import REPR, decoded, is_blank, is_list, is_repr, wrong_text
from unteach.errors import Problem

YES, NO = ("1", "1.0", "true"), ("0", "0.0", "false")
THREAD = ("parent_id", "message_id", "message_tree_id", "conversation_id", "turn")
JOIN = (
    "write one record for each conversation, with its messages in order (by their parents, where "
    'they name them): {"messages": [{"role": "user", "content": "..."}, ...]}'
)


def filled(columns: Columns, column: str) -> str:
    """Return the column's text; an empty string where it is blank."""
    value = columns.get(column)
    return "" if is_blank(value) else value  # type: ignore[return-value]


def perturbed(columns: Columns) -> Any:
    """Return the column `perturbed_answer`, with one text as a list of one."""
    wrong = columns.get("perturbed_answer")
    return [] if is_blank(wrong) else [wrong] if isinstance(wrong, str) else wrong


def subjects(columns: Columns, where: str) -> tuple[tuple[str, ...], list[Problem]]:
    """Read the names of the people or things that a record is about, and their problems.

    A number is the class label of a topic, not a name, and gives no names.

    Args:
        columns: of the record; `subject` is a name, a list of names, or one as JSON text.
        where: file and line, for messages.

    Example:
        >>> subjects(Columns({"subject": ["Ada Berg", "田中太郎"]}), "forget.jsonl:3")
        (('Ada Berg', '田中太郎'), [])
        >>> subjects(Columns({"subject": 7}), "forget.jsonl:3")
        ((), [])
    """
    value = columns.get("subject")
    if is_blank(value) or isinstance(value, (bool, int, float)):
        return (), []
    if is_repr(value):
        return (), [Problem(where, "subject is a list as Python writes it", REPR)]
    value = decoded(value)
    names = value if is_list(value) else [value]
    if not all(isinstance(name, str) for name in names):
        hint = "write a string, or a list of strings: the names as they stand in the texts"
        return (), [Problem(where, "subject is no name", hint)]
    problems = wrong_text("".join(f"{name}\n" for name in names), "subject", where, blank=True)
    return tuple(name.strip() for name in names if name.strip()), problems


def wrong_extras(columns: Columns, names: tuple[str, ...], where: str) -> list[Problem]:
    """Find the problems of the optional columns."""
    found = []
    for column in ("paraphrased_answer", "fact", "alternate"):
        if column in names and not is_blank(value := columns.get(column)):
            found += wrong_text(value, column, where)
    if "perturbed_answer" not in names:
        return found
    wrong = perturbed(columns)
    if is_repr(columns.seen("perturbed_answer")):
        what = "perturbed_answer is a list as Python writes it"
        return [*found, Problem(where, what, REPR)]
    if not isinstance(wrong, list) or not all(isinstance(answer, str) for answer in wrong):
        hint = "write a string, or a list of strings"
        return [*found, Problem(where, "perturbed_answer is no text", hint)]
    texts = "".join(f"{answer}\n" for answer in wrong)
    return found + wrong_text(texts, "perturbed_answer", where, blank=True)


def is_excluded(columns: Columns) -> bool:
    """Whether the record excludes itself from training by `weight` 0 or `train` false."""
    flags = {name: _as_bool(columns.seen(name)) for name in TRAINED if name in columns}
    for name, truth in flags.items():
        if truth is not None:
            columns[name]
    return False in flags.values()


def unwanted(columns: Columns, where: str) -> list[Problem]:
    """Find answers that are marked as bad, as in data for KTO."""
    found = []
    for name in WANTED:
        value = columns.seen(name)
        flag = value if not isinstance(value, str) else value.strip().casefold()
        if flag is True or flag == "true":
            columns[name]
        if flag is False or flag == "false":
            hint = "This is a preference: take out the lines with answers that were to be avoided."
            found.append(Problem(where, f"{name} is false, so the answer is no good one", hint))
    return found


def one_message(columns: Columns, where: str) -> list[Problem]:
    """Find records that are one message of a conversation whose others are in other records."""
    for name in SINGLE:
        value = columns.seen(name)
        if not isinstance(value, str):
            continue
        thread = any(key in columns for key in THREAD) and name != "author"
        if thread or value.strip().casefold() in ROLE_WORDS:
            what = f"is one message of a conversation: it has the columns text and {name}"
            return [Problem(where, what, JOIN)]
    return []


def _as_bool(value: Any) -> bool | None:
    """Parse a value as true or false; None if it is neither."""
    text = str(value).strip().casefold()
    return True if text in YES else False if text in NO else None
