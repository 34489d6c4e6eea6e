"""Summarise a report in one sentence: what is wrong with the model, or that nothing was found."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from unteach.report.gates import outcome_of
from unteach.report.gatewords import gate_sentence
from unteach.report.judge import damaged, not_forgotten, over_forgotten, recognisable
from unteach.report.record import Report
from unteach.report.wrong import one_model, what_is_wrong

ASKED: tuple[tuple[Callable[[Report, str], bool | None], str, str], ...] = (
    (
        not_forgotten,
        "the forget answers are no likelier than had the model never seen them",
        "whether the forget answers are likelier than had the model never seen them",
    ),
    (
        lambda report, model: _either(recognisable(report, model), over_forgotten(report, model)),
        "they do not stand out from texts never seen",
        "whether they stand out from texts never seen",
    ),
    (damaged, "what should stay is kept", "whether what should stay is kept"),
)


class Headline(NamedTuple):
    """The summary sentence and its kind.

    Attributes:
        kind: "wrong", "unknown" if nothing is wrong but something was not measured, "fine", or
            "none" if no model is judged.
        text: the sentence.
        lines: the findings behind the sentence, one line each, as printed in the terminal.
    """

    kind: Literal["wrong", "unknown", "fine", "none"]
    text: str
    lines: list[str]


def headline(report: Report) -> Headline:
    """The headline: what is wrong, in the words of the terminal; else what was checked.

    Where gates were declared, what came of them stands first.

    Example:
        >>> from unteach.types import Score
        >>> models = {"original": {"retain": {"probability": Score(0.9)}},
        ...           "unlearned": {"retain": {"probability": Score(0.4)}}}
        >>> headline(Report(models=models)).text
        'Problems found: damaged.'
    """
    found = _judged(report)
    if not report.gates:
        return found
    outcome, text = outcome_of(report.gates), f"{gate_sentence(report.gates)} {found.text}"
    if outcome == "done" or found.kind == "wrong":
        return found._replace(text=text)
    return found._replace(kind="unknown" if outcome == "cannot tell" else "wrong", text=text)


def _judged(report: Report) -> Headline:
    model = one_model(report)
    if model is None:
        return Headline("none", "Several models side by side: none is judged alone.", [])
    if lines := what_is_wrong(report):
        heads = dict.fromkeys(line.partition(":")[0] for line in lines)
        return Headline("wrong", f"Problems found: {_and(list(heads))}.", lines)
    held = [(holds(report, model), fine, unknown) for holds, fine, unknown in ASKED]
    fine = [text for value, text, _ in held if value is False]
    unknown = [text for value, _, text in held if value is None]
    if not fine:
        return Headline("unknown", f"Nothing was judged: it is not known {_and(unknown)}.", [])
    text = f"Nothing wrong was found: {_and(fine)}"
    if unknown:
        return Headline("unknown", f"{text}; it is not known {_and(unknown)}.", [])
    return Headline("fine", f"{text}.", [])


def _either(one: bool | None, other: bool | None) -> bool | None:
    return None if one is None or other is None else one or other


def _and(parts: list[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last
