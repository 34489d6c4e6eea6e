"""The optional columns of an example: other answers, wrong ones, and its fact."""

from typing import Any

from unteach.data.columns import Columns
from unteach.data.values import REPR, is_blank, is_repr, wrong_text
from unteach.nouns import Problem


def filled(columns: Columns, column: str) -> str:
    """The column's text; nothing where it is blank."""
    value = columns.get(column)
    return "" if is_blank(value) else value  # type: ignore[return-value]


def perturbed(columns: Columns) -> Any:
    """The wrong answers of the file, as a list where they are as they should be."""
    wrong = columns.get("perturbed_answer")
    return [] if is_blank(wrong) else [wrong] if isinstance(wrong, str) else wrong


def wrong_extras(columns: Columns, names: tuple[str, ...], where: str) -> list[Problem]:
    """What is wrong with the optional columns."""
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
