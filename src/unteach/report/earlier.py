"""Earlier requests as terminal and report tell them: known or forgotten, before and after."""

from collections.abc import Sequence
from dataclasses import replace

from unteach.escaping import prose
from unteach.metrics.earlier import EarlierRequest, RecheckedRows, worst_earlier
from unteach.report.table import number

TITLE = "Earlier requests"


def earlier_sentence(earlier: Sequence[EarlierRequest]) -> str:
    """Return the first line of the section: how many are forgotten, and the worst.

    Example:
        >>> gone = RecheckedRows(asked=9, given=(), unjudged=(), probability=0.1, top=0.2, above=())
        >>> one = EarlierRequest(name="R-1", group="earlier-1", before=gone, after=gone)
        >>> earlier_sentence([one]).partition("; ")[0]
        '1 of 1 earlier requests asked is forgotten'
    """
    asked = [one for one in earlier if one.after is not None]
    worst = worst_earlier(earlier)
    if worst is None or worst.after is None:
        return f"None of {len(earlier)} earlier requests could be asked."
    held = sum(not one.after.found for one in asked if one.after)
    left = len(earlier) - len(asked)
    text = f"{held} of {len(asked)} earlier requests asked {'is' if held == 1 else 'are'} forgotten"
    text += f"; worst {worst.name}: {_state(worst.after)}, {_likely(worst.after)}."
    return text + (f" {left} could not be asked." if left else "")


def earlier_lines(earlier: Sequence[EarlierRequest]) -> list[str]:
    """Return a line for each request known after the run, resurfaced ones first."""
    known = [one for one in earlier if one.after is not None and one.after.found]
    lines = []
    for one in sorted(known, key=lambda one: not one.resurfaced):
        head = _head(one)
        assert one.after is not None
        lines.append(
            f"{head}: earlier request {one.name} ({_state(one.after)}, {_likely(one.after)})"
        )
    return lines


def _head(one: EarlierRequest) -> str:
    if one.resurfaced:
        return "comes back"
    if one.known_before:
        return "known before this run already"
    return "above never seen, by no more than chance since before"


def earlier_rows(earlier: Sequence[EarlierRequest]) -> list[list[str]]:
    """Return a table of all earlier requests, the header first."""
    rows = [["request", "records", "before", "after", "p before", "p after", "never seen at most"]]
    for one in earlier:
        count = str(one.records) if one.records else "?"
        if one.before is None or one.after is None:
            rows.append([one.name, count, "not asked", one.not_asked or "-", "", "", ""])
            continue
        top = one.after.top
        rows.append([
            one.name, str(one.after.asked), _state(one.before), _state(one.after),
            number(one.before.probability), number(one.after.probability),
            "not known" if top is None else number(top),
        ])  # fmt: skip
    return rows


def earlier_notes(earlier: Sequence[EarlierRequest]) -> list[str]:
    """Return notes on their data, and on what to do if one is known."""
    notes = [f"{one.name}: {one.note}." for one in earlier if one.note]
    if known := [one.name for one in earlier if one.known_before]:
        what = ", ".join(known)
        notes.append(
            f"Known when this run began, and so not held: {what}; a run with that forget file "
            "removes it."
        )
    if any(one.after is not None and one.after.top is None for one in earlier):
        notes.append("Without a holdout only what is given tells that something is known.")
    return notes


def shown(earlier: Sequence[EarlierRequest]) -> tuple[EarlierRequest, ...]:
    """Escape names and reasons for Markdown and HTML."""
    words = ("name", "not_asked", "note")
    return tuple(replace(one, **{w: prose(getattr(one, w)) for w in words}) for one in earlier)


def outcome(one: EarlierRequest) -> str:
    """Return the outcome: "forgotten", "resurfaced", "known" or "not asked".

    "known" is before and after, or after by no more than chance.
    """
    if one.after is None:
        return "not asked"
    if one.resurfaced:
        return "resurfaced"
    return "known" if one.after.found else "forgotten"


def _state(found: RecheckedRows) -> str:
    if found.given:
        return f"known: {len(found.given)} of {found.asked} given"
    return "known: likelier than never seen" if found.likelier else "forgotten"


def _likely(found: RecheckedRows) -> str:
    text = f"{number(found.probability)} per token"
    return text if found.top is None else f"{text} (never seen at most {number(found.top)})"
