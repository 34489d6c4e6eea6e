"""Check small data files of a request that is wrong already, to report all problems at once."""

from pathlib import Path

from unteach.data import check_data, read
from unteach.errors import Problem
from unteach.files import check_out
from unteach.settings.request import Request
from unteach.types import ROLES

SMALL = 2**24
"""Largest size in bytes of a file that is read although the request is refused anyway."""


def file_problems(request: Request) -> list[Problem]:
    """Return the problems of data files and output folder; needs no library and no network."""
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
        return "/" not in source  # otherwise it may be a dataset id on the hub
    return path.stat().st_size <= SMALL and path.suffix != ".parquet"
