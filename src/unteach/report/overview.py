"""Write the opening of a report on several models: which of them fail which check."""

from collections.abc import Callable

from unteach.report.answers import harmed, still, still_short
from unteach.report.judge import (
    KEPT,
    NEAR,
    damaged,
    not_forgotten,
    others,
    over_forgotten,
    recognisable,
)
from unteach.report.record import Report
from unteach.report.table import number

FAR = 0.005  # a closeness below this is shown as 0.00
NOT_KNOWN = "not known (see what was not measurable)"
LISTED: tuple[tuple[str, Callable[[Report, str], bool | None]], ...] = (
    (f"Not forgotten (probability more than {NEAR} above {{yardstick}})", not_forgotten),
    ("Still recognisable (the forget answers stand out from texts never seen)", recognisable),
    ("Over-forgotten (they stand out by being less likely than texts never seen)", over_forgotten),
    (
        f"Damaged (less than {KEPT:.0%} kept of the probability or wording of what should stay)",
        damaged,
    ),
)


def overview(report: Report) -> list[str]:
    """Paragraphs that explain the table and list the models that fail each check."""
    names = others(report)
    if not names:
        return []
    found = [(what, {name: holds(report, name) for name in names}) for what, holds in LISTED]
    by = (
        "the retrained model's"
        if "retrained" in report.models
        else "what it would be if they were unseen"
    )
    giving, harming = _giving(report), _harming(report)
    lines = (
        [f"- Still give forget answers that a model which never saw them would not: {giving}"]
        if giving
        else []
    )
    lines += [f"- {what.format(yardstick=by)}: {_named(held)}" for what, held in found]
    lines += [f"- Single answers were harmed: {harming}"] if harming else []
    if not any(None in held.values() for _, held in found):
        fine = {n for n in names if not (still(report, n) or harmed(report, n))}
        rest = [n for n in names if n in fine and not any(held[n] for _, held in found)]
        lines.append(f"- None of these: {_listed(rest) or 'no method'}")
    return [_opening(report), "\n".join(lines)]


def _opening(report: Report) -> str:
    text = "Each line of the table is a model."
    if "original" in report.models:
        text += " `original` was trained on the forget set."
    if "retrained" in report.models:
        text += (
            " `retrained` never saw it: a method worked if its numbers are near "
            "those of `retrained`, in every column at once."
        )
    return text + _nearest(report)


def _nearest(report: Report) -> str:
    found = {name: report.compared(name, "closeness").value for name in others(report)}
    known = {name: value for name, value in found.items() if value is not None}
    if not known:
        return ""
    best = max(known, key=lambda name: known[name])
    if known[best] < FAR:
        return " By closeness none is near."
    but = f", but still given: {given}" if (given := still(report, best)) else ""
    return f" The nearest by closeness is `{best}` with {number(known[best])}{but}."


def _giving(report: Report) -> str:
    found = {name: report.given[name] for name in others(report) if name in report.given}
    giving = [f"`{name}` {still_short(g)}" for name, g in found.items() if g.count]
    return ", ".join(giving) or ("none" if found else "")


def _named(held: dict[str, bool | None]) -> str:
    if all(it is None for it in held.values()):
        return NOT_KNOWN
    unknown = [name for name, it in held.items() if it is None]
    text = _listed([name for name, it in held.items() if it]) or "none"
    return text + (f"; not known of {_listed(unknown)}" if unknown else "")


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _harming(report: Report) -> str:
    found = {name: "; ".join(harmed(report, name, few=0)) for name in others(report)}
    return ". ".join(f"`{name}` {said}" for name, said in found.items() if said)
