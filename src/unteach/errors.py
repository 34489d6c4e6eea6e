"""Define `Problem`, an error that the user can fix, and the exception that carries them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from unteach.escaping import visible


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with the request or the data: where, what, and what to do.

    Attributes:
        where: a file and line (`forget.jsonl:12`), a flag (`--method`) or a folder.
        what: what was found there; never a text of the forget data.
        hint: what to do about it.
        kind: "request" when the request itself is wrong (exit code 2), "data" when an input is
            (exit code 1), "note" when the run may continue.
    """

    where: str
    what: str
    hint: str = ""
    kind: Literal["request", "data", "note"] = "data"

    def __str__(self) -> str:
        where, what, hint = map(visible, (self.where, self.what, self.hint))
        return f"{where}: {what}" + (f"\n    hint: {hint}" if hint else "")


def listed(names: Iterable[str], few: int) -> str:
    """List the first few names, and the number of the others.

    Example:
        >>> listed(["a", "b", "c"], 2)
        'a, b and 1 more'
    """
    every = list(names)
    more = f" and {len(every) - few} more" if len(every) > few else ""
    return ", ".join(every[:few]) + more


def in_one_line(problems: Iterable[Problem]) -> str:
    """Return where and what of some problems, without notes, in one line."""
    return "; ".join(f"{p.where}: {p.what}" for p in problems if p.kind != "note")


class UserError(Exception):
    """Errors that the user can fix: all problems at once, shown without a stack trace."""

    def __init__(self, *problems: Problem):
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))

    def __reduce__(self):
        """Pickle with the problems, so that another process gets more than their text."""
        return UserError, self.problems

    @property
    def exit_code(self) -> int:
        """2 when the request was wrong, 1 when an input or the run failed."""
        return 2 if any(p.kind == "request" for p in self.problems) else 1


def require(*problems: Problem | None) -> None:
    """Raise UserError with these problems, unless all of them are None."""
    if found := [problem for problem in problems if problem]:
        raise UserError(*found)
