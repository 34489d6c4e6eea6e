"""Read removed records and the key of a ledger, and compare records with requests."""

from pathlib import Path
from typing import Any

from unteach.errors import Problem, UserError

FEW = 10  # number of records to name


def covers(opened: Any, references: list[str], forget: str, file: Path, key: Path | None) -> bool:
    """Return whether the run's forget file exists. Raises UserError if it lacks records."""
    from unteach.ledger import prints_of
    from unteach.ledger.result import lacking

    if not Path(forget).is_file():
        return False
    removed = prints_of(records_of(Path(forget)), opened.require_key(key_of(file, key)))
    problems = []
    for reference, asked in opened.prints(references).items():
        if missing := lacking(asked, removed):
            some = ", ".join(f"forget-{k}" for k in missing[:FEW])
            what = f"the run's forget file lacks {len(missing)} of its records ({some})"
            hint = "run again with all of them, or give another --request"
            problems.append(Problem(reference, what, hint, "request"))
    if problems:
        raise UserError(*problems)
    return True


def records_of(file: Path) -> list[Any]:
    """Return the examples of a file. Raises UserError with all its problems."""
    from unteach.data import read

    examples, problems = read(file, "forget")
    if wrong := [p for p in problems if p.kind != "note"]:
        raise UserError(*wrong)
    return examples


def apart(name: str, flag: str, examples: list[Any]) -> None:
    """Raise UserError if a reference occurs in the records."""
    from unteach.ledger.prints import parts_of

    if len(name) > 2 and any(
        name.casefold() in text.casefold() for e in examples for _, text in parts_of(e)
    ):
        hint = "give a number or code that says nothing about a person"
        raise UserError(Problem(flag, "occurs in the records themselves", hint, "request"))


def key_of(file: Path, key: Path | None) -> bytes:
    """Read the key of a ledger from the given file, or from beside it. Raises UserError."""
    from unteach.ledger import read_key
    from unteach.ledger.key import key_file

    return read_key(key or key_file(file))
