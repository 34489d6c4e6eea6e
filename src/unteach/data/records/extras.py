"""Read the optional columns of an example: other answers, wrong answers, subjects, the fact."""

from typing import Any

from unteach.data.records.columns import Columns
from unteach.data.records.values import REPR, decoded, is_blank, is_list, is_repr, wrong_text
from unteach.errors import Problem


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
