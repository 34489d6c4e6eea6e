"""Report single answers: those that are still given, and those that were harmed."""

from collections.abc import Sequence

from unteach.errors import listed
from unteach.metrics.given import GivenAnswers
from unteach.metrics.harm import Harm, ScoreDrop
from unteach.report.judge import staying
from unteach.report.record import Report
from unteach.report.table import number

FEW = 4  # maximum number of answers listed in a line
MANY = 50  # maximum number of answers listed in a report; scores.json has all
KINDS = {  # kinds of harm, in words
    "broken": "repetitive or noise",
    "silent": "empty answers",
    "lost": "their probability fell by more than a third",
    "changed": "said nearly word for word before, and less than half of it now",
    "endless": "much longer than before",
}
EVERYWHERE = ("broken", "silent")  # kinds of harm that count on forget groups too


def still(report: Report, model: str) -> str:
    """A line on the forget answers that a model still gives; empty if it gives none."""
    given = report.given.get(model)
    if given is None or not given.count:
        return ""
    if given.count < len(given.ids):
        return f"{still_short(given)}; the {len(given.ids)}: {listed(given.ids, FEW)}"
    return f"{still_short(given)}{_reference(given)}: {listed(given.ids, FEW)}"


def still_short(given: GivenAnswers) -> str:
    """The number of forget answers that are still given, in words; first the table's number.

    Example:
        >>> still_short(GivenAnswers(asked=20, words=("forget-1",), facts=("forget-2",), named=20))
        '2 of 20 forget answers (1 word for word, 1 by its fact)'
        >>> still_short(GivenAnswers(asked=20, words=("a", "b"), beside="holdout", expected=0.8))
        '1 of 20 forget answers beyond chance: 2 (word for word), less the 0.8 that a model that \
never saw them would give'
    """
    found = f"({_ways(given)})"
    if not 0 < given.count < len(given.ids):
        return f"{len(given.ids)} of {given.asked} forget answers {found}"
    less = f", less the {given.expected:.1f} that a model that never saw them would give"
    if given.beside == "retrained":
        less = f" that the retrained model does not give, less {given.retrained_alone} like them "
        less += "that it alone gives"
    beyond = f"{given.count} of {given.asked} forget answers beyond chance"
    return f"{beyond}: {len(given.ids)} {found}{less}"


def _ways(given: GivenAnswers) -> str:
    words, facts = len(given.words), len(given.facts)
    by = f"by {'its' if facts == 1 else 'their'} fact"
    if given.count < len(given.ids) and not (words and facts):  # the number stands before
        return "word for word" if words else by
    how = [f"{words} word for word"] if words else []
    return ", ".join(how + ([f"{facts} {by}"] if facts else []))


def _reference(given: GivenAnswers) -> str:
    if given.beside == "retrained":
        return ", which the retrained model does not give"
    if given.beside == "holdout" and given.expected:
        return f", where a model that never saw them would give about {given.expected:.1f}"
    return ""


def still_told(given: GivenAnswers) -> str:
    """The report's paragraph on answers still given, also if there are none."""
    ways = "word for word or by its fact" if given.named else "word for word"
    if given.count:
        text = f"**Still given: {still_short(given)}.** {listed(given.ids, MANY)}."
    else:
        none = f"None of the {given.asked} forget answers is" if given.asked > 1 else "It is not"
        text = f"**Still given.** {none} given {ways}"
        text += _unless_guessed(given)
    text += _guessed(given) if given.ids else ""
    if not given.named:
        text += " The data names no facts (a `fact` column), so answers in other words go unseen."
    return text


def _unless_guessed(given: GivenAnswers) -> str:
    if given.beside == "retrained" and not given.ids:
        both = f", but for {given.expected:.0f} that the retrained model gives too"
        return (both if given.expected else "") + "."
    return f" more often than can be guessed: {still_short(given)} are." if given.ids else "."


def _guessed(given: GivenAnswers) -> str:
    """How many of the given answers can be guesses, in words."""
    if given.beside == "retrained":
        more = f"; {given.expected:.0f} more are given by both" if given.expected else ""
        if given.retrained_alone and not given.count:
            more += f"; it alone gives {given.retrained_alone} like them, by chance"
        return f" The retrained model gives none of these{more}."
    if given.beside == "":
        return " With neither a retrained model nor a holdout nobody knows how many can be guessed."
    text = (
        " By the rate at which the original gives holdout answers, a model that never saw them "
        f"would give about {given.expected:.1f} of them."
    )
    if given.unjudged:
        text += (
            f" For {len(given.unjudged)} of them the holdout is no measure, since it has no such "
            "short answers, or no facts."
        )
    return text


def harmed(report: Report, model: str, few: int = FEW) -> list[str]:
    """Lines on harmed answers, one for each kind of harm, each listing the first few ids."""
    lines = []
    for kind, words in KINDS.items():
        parts = [
            f"{len(found)} of {harm.asked} {group} answers"
            + (f" ({_list(found, few)})" if few else "")
            for group, harm, found in _harm_of_kind(report, model, kind)
        ]
        if parts:
            lines.append(f"{words}: {', '.join(parts)}")
    return lines


def _harm_of_kind(report: Report, model: str, kind: str) -> list[tuple[str, Harm, Sequence]]:
    groups = report.harm.get(model, {})
    kept = staying(report)
    order = sorted(groups, key=lambda group: group not in kept)
    counted = [group for group in order if group in kept or kind in EVERYWHERE]
    return [(g, groups[g], getattr(groups[g], kind)) for g in counted if getattr(groups[g], kind)]


def stand_out(report: Report, model: str) -> list[list[str]]:
    """A table of given and harmed answers, up to a limit; only the header if there are none."""
    rows = [["group", "what", "how many", "which"]]
    given = report.given.get(model)
    if given and given.count:
        for ids, how in ((given.words, "word for word"), (given.facts, "by their fact")):
            many = f"{len(ids)} of {given.asked}"
            what = f"still given {how}{', chance included' if given.count < len(given.ids) else ''}"
            rows += [["forget", what, many, listed(ids, MANY)]] if ids else []
    for group, harm in report.harm.get(model, {}).items():
        for kind, words in KINDS.items():
            if found := getattr(harm, kind):
                rows.append([group, words, f"{len(found)} of {harm.asked}", _list(found, MANY)])
    return rows


def _list(found: Sequence[str | ScoreDrop], few: int = FEW) -> str:
    return listed([each if isinstance(each, str) else _drop(each) for each in found], few)


def _drop(fall: ScoreDrop) -> str:
    return f"{fall.id} {number(fall.before)} to {number(fall.after)}"
