"""Collect notes on how the records of a file were read and what was not read, once per file."""

from collections import Counter

from unteach.data.records.hints import listed, meant, roles_shown
from unteach.data.records.names import OWN, Form
from unteach.errors import Problem

PLAIN = {name for form in OWN for name in form} | {"tools"}


class FileNotes:
    """Counts that are collected while the records of one file are read.

    Attributes:
        forms: each combination of columns that made examples, with file and line of the first.
        parts: the columns that each part of an example (`question`, `answer`, ...) was read from.
        columns: names of unread columns, with the number of records that have them.
        keys: names of unread message keys, with the number of messages that have them.
        excluded: number of records that exclude themselves from training by `weight` or `train`.
        roles: unknown roles, with the number of their turns.
        several: number of records with several answers, of which the first is read.
    """

    def __init__(self):
        self.forms: dict[Form, str] = {}
        self.parts: dict[str, dict[str, None]] = {}
        self.columns: Counter[str] = Counter()
        self.keys: Counter[str] = Counter()
        self.roles: Counter[str] = Counter()
        self.several = 0
        self.excluded = 0

    def read(self, part: str, *columns: str) -> None:
        """Record that a part of an example was read from these columns."""
        self.parts.setdefault(part, {}).update(dict.fromkeys(columns))

    def mixed(self, source: str) -> list[Problem]:
        """Make the problem of a file whose records have several forms."""
        if len(self.forms) < 2:
            return []
        listed = ", ".join(f"{'/'.join(form)} ({where})" for form, where in self.forms.items())
        return [Problem(source, f"mixes columns: {listed}", "use one form in a file")]

    def problems(self, source: str, examples: int) -> list[Problem]:
        """Make the notes on a file; none where all columns are those that the README names."""
        reading = self._reading(examples) if examples else ""
        notes = [(reading, self._context())] if reading else []
        if self.excluded and not examples:
            what = "no record is to be trained on: weight or train says so of each"
            return [Problem(source, what, "take that column out, or give other records")]
        if self.excluded:
            many = "1 record is" if self.excluded == 1 else f"{self.excluded} records are"
            notes.append((f"{many} left out, since weight or train says so", ""))
        if self.several:
            many = "1 record has" if self.several == 1 else f"{self.several} records have"
            what = f"{many} several answers, of which the first is read"
            notes.append((what, "to read another one, write it as answer"))
        if self.columns:
            what = f"has columns that are not read: {listed(self.columns, examples)}"
            guess = next(filter(None, map(meant, self.columns)), "")
            notes.append((what, f"put what belongs to an example into a column that is.{guess}"))
        if self.keys:
            what = f"has messages with keys that are not read: {listed(self.keys, examples)}"
            notes.append((what, "put what belongs to a turn into its content"))
        if self.roles:
            what = f"has turns of other roles, which are not supervised: {roles_shown(self.roles)}"
            notes.append((what, "write the role as assistant where it is the model that speaks"))
        return [Problem(source, what, hint, "note") for what, hint in notes]

    def _reading(self, examples: int) -> str:
        if {name for columns in self.parts.values() for name in columns} <= PLAIN:
            return ""
        listing = "; ".join(f"{part} = {_joined([*names])}" for part, names in self.parts.items())
        return f"{examples} example{'s' * (examples != 1)}: {listing}"

    def _context(self) -> str:
        with_context = any("context" in names for names in self.parts.values())
        return "take the column context out to ask without it" if with_context else ""


def _joined(names: list[str]) -> str:
    *before, last = [f"`{name}`" for name in names]
    return f"{', '.join(before)} and {last}" if before else last
