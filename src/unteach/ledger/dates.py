"""Dates as they are given: no clock is asked what day it is."""

import calendar
from datetime import date

from unteach.errors import Problem, UserError


def read_date(text: str, flag: str) -> date:
    """A day, written as 2026-11-30.

    Raises:
        UserError: it is none.

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
    """The same day of the next month, or its last day where it has no such day.

    One month is the time that article 12(3) of the GDPR leaves for an answer. That a period does
    not end on a holiday (Regulation 1182/71) is left to who signs.

    Example:
        >>> month_after(date(2026, 1, 31)).isoformat(), month_after(date(2026, 12, 5)).isoformat()
        ('2026-02-28', '2027-01-05')
    """
    if (day.year, day.month) == (date.max.year, 12):
        return date.max
    year, month = (day.year + 1, 1) if day.month == 12 else (day.year, day.month + 1)
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))
