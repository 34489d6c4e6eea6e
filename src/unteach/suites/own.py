"""The suite of the user's own data: score its answers and generate from its prompts."""

from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import TypeVar

from unteach.data import read as read_file
from unteach.errors import Problem, require
from unteach.suites._base import SUITES, Group, Suite, SuiteOption
from unteach.suites._options import chosen
from unteach.suites._sources import find
from unteach.types import ROLES

T = TypeVar("T")


def sample(items: list[T], limit: int, seed: int = 0) -> list[T]:
    """A random sample of at most `limit` examples or sequences, in their original order.

    Example:
        >>> len(sample([*range(9)], 4)), sample([*range(9)], 9) == [*range(9)]
        (4, True)
    """
    if len(items) <= limit:
        return items
    chosen = sorted(Random(seed).sample(range(len(items)), limit))
    return [items[i] for i in chosen]


def read(folder: Path | None, options: Mapping[str, str]) -> dict[str, Group]:
    """The user's groups, each from the given file or from a file of that name in the folder.

    Args:
        folder: searched for roles that are not given (`forget.jsonl`, `retain.json`, ...).
        options: a file or dataset id for `forget`, `retain` and `holdout`; further ones in `also`.

    Raises:
        UserError: all problems of all files, or no forget examples.
    """
    given = chosen("own", OPTIONS, options)
    problems: list[Problem] = []
    sources = {role: given[role] or (folder and find(folder, (role,))) for role in ROLES}
    sources |= _also(given["also"], problems)
    groups: dict[str, Group] = {}
    for name, source in sources.items():
        if source:
            examples, wrong = read_file(source, name)
            notes = tuple(problem for problem in wrong if problem.kind == "note")
            groups[name] = Group(examples=examples, notes=notes)
            problems += [problem for problem in wrong if problem.kind != "note"]
    if "forget" not in groups:
        what, hint = "is not given", "add --forget FILE, what was to be forgotten"
        problems.insert(0, Problem("--forget", what, hint, "request"))
    require(*problems)
    return groups


def _also(given: str, problems: list[Problem]) -> dict[str, str]:
    """Parse further groups from `name=file,name=file`; problems are appended to `problems`."""
    found: dict[str, str] = {}
    for part in filter(None, given.split(",")):
        name, equals, source = part.partition("=")
        if not (equals and source and name.isidentifier()) or name in (*ROLES, *found):
            where, hint = f"suite own, option also={part}", "write also=name=file,name=file"
            problems.append(Problem(where, "names no further group", hint, "request"))
        found[name] = source
    return found


OPTIONS = {role: SuiteOption(help=f"a file of {role} examples", default="") for role in ROLES}
OPTIONS["also"] = SuiteOption(
    help="further files that are asked, as name=file,name=file", default=""
)

SUITES.add(
    "own",
    Suite(
        name="own",
        version=1,
        help="Your own data: forget, and retain and holdout where you have them.",
        read=read,
        options=OPTIONS,
    ),
)
