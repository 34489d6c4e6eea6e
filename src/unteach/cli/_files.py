"""What small files tell of a request that is known to be wrong: all is said at once."""

from pathlib import Path

from unteach.data import check_data, read
from unteach.errors import Problem
from unteach.files import check_out
from unteach.settings.request import Request
from unteach.types import ROLES

SMALL = 2**24
"""Bytes of a file that is read though nothing can come of it."""


def file_problems(request: Request) -> list[Problem]:
    """What is wrong with the files and the folder to make; loads no library, and asks no hub."""
    groups, problems = {}, []
    for role in ROLES:
        source = request.source(role)
        if source and _is_light(source):
            groups[role], found = read(source, role)
            problems += found
    problems += [*check_data(groups), *check_out(request.out, overwrite=request.overwrite)]
    return [problem for problem in problems if problem.kind != "note"]


def _is_light(source: str) -> bool:
    path = Path(source)
    if not path.is_file():
        return "/" not in source  # else it may be an id, of which the hub is asked
    return path.stat().st_size <= SMALL and path.suffix != ".parquet"
