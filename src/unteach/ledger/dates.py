"""Check names and dates of a request, and compute deadlines; the system clock is not used."""

import calendar
import re
from datetime import date

from unteach.errors import Problem, UserError

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")


def plain_name(name: str, flag: str) -> str:
    """Check that a reference or a ground is one plain word, and return it. Raises UserError."""
    if not PLAIN.fullmatch(name):
        what = "is no plain name: letters, digits and . _ / -, at most 64"
        hint = "give a number or code that says nothing about a person, such as DSR-2026-014"
        raise UserError(Problem(flag, what, hint, "request"))
    return name


def read_date(text: str, flag: str) -> date:
    """Parse a date such as 2026-11-30.

    Raises:
        UserError: the text is no such date.

    Example:
        >>> read_date("2026-11-30", "--received")
        datetime.date(2026, 11, 30)
    """
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.isoformat() != text:
        what = "is no date"
        raise UserError(Problem(flag, what, "write it as 2026-11-30", "request"))
    return found


def month_after(day: date) -> date:
    """Return the same day of the next month, or its last day if it has no such day.

    One month is the time that article 12(3) of the GDPR gives for an answer. Extensions over
    holidays (Regulation 1182/71) are left to the user.

    Example:
        >>> month_after(date(2026, 1, 31)).isoformat(), month_after(date(2026, 12, 5)).isoformat()
        ('2026-02-28', '2027-01-05')
    """
    if (day.year, day.month) == (date.max.year, 12):
        return date.max
    year, month = (day.year + 1, 1) if day.month == 12 else (day.year, day.month + 1)
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))
