"""Output folders that appear whole or not at all."""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from unteach.errors import Problem, UserError
from unteach.files.atomic import in_words
from unteach.files.locks import turn
from unteach.files.work_folders import (
    ALL,
    RESULT,
    busy,
    filled,
    in_order,
    leave,
    made,
    not_empty,
    place,
    placed,
    real,
    recover,
    siblings,
)

NAME = 255  # bytes of a name, on all file systems that we know


def check_out(out: Path, *, overwrite: bool) -> list[Problem]:
    """What keeps a result from being written to `out`; what was left there is put in order."""
    there = real(out)
    try:
        what = _unfit(there)
    except OSError as error:  # a path too long to be one, say
        what = f"cannot be made ({os.strerror(error.errno or 0).lower()})"
    if what:
        return [Problem(f"--out {out}", what, "give another folder", "request")]
    parent = next(p for p in there.parents if p.exists())
    if not parent.is_dir() or not os.access(parent, ALL):
        return [Problem(f"--out {out}", f"cannot be made in {parent}", "", "request")]
    if recover(there):  # and what a killed process set aside would be replaced unseen
        return [busy(out)]
    if filled(there) and not overwrite and not placed(there):
        return [not_empty(out)]
    return []


def check_room(out: Path, needed: int) -> list[Problem]:
    """That the disk has room for so many bytes, where nothing was begun that holds them already.

    Example:
        >>> check_room(Path("out"), 0)
        []
    """
    there = real(out)
    if any(siblings(there)):
        return []
    free = shutil.disk_usage(next(p for p in there.parents if p.exists())).free
    if free >= needed:
        return []
    what = f"the disk has {free:,} bytes free, and the model alone takes {needed:,}"
    return [Problem(f"--out {out}", what, "make room, or give a folder on another disk")]


def _unfit(there: Path) -> str:
    """Why another folder cannot take its place; nothing when one can."""
    if any(path.is_symlink() for path in (there, *there.parents)):  # what leads on was followed
        return "is a link, or lies behind one, that leads round in a circle"
    if there.exists() and not there.is_dir():
        return "is a file"
    if len(os.fsencode(there.name)) > NAME - len(".partial-123456."):
        return (
            f"has a name of {len(os.fsencode(there.name))} bytes, too long for one made beside it"
        )
    if real(Path.cwd()).is_relative_to(there):
        return "is the folder that you are in, or above it, and would be replaced"
    if there.is_mount():  # found out when a run is over, it would be late
        return "is where a disk is mounted, and a folder is made beside and renamed"
    if there.exists() and not os.access(there, ALL):
        return "cannot be replaced (permission denied)"
    return ""


def overlap(
    out: Path,
    inputs: Iterable[tuple[str, str | Path | None]],
    beside: Iterable[tuple[str, str | Path | None]] = (),
) -> list[Problem]:
    """Inputs that a result in `out` would change or replace.

    Args:
        out: the folder to be made.
        inputs: flags and the files and folders that they give; ids of the hub are passed over.
        beside: likewise; a result may lie in a folder of these, as in one of many data files.

    Example:
        >>> (problem,) = overlap(Path("docs/.."), [("--model", ".")])
        >>> problem.what
        '--model . is in it, and would be replaced'
    """
    found, there = [], real(out)
    inputs, beside = list(inputs), list(beside)
    for flag, given in (*inputs, *beside):
        if not given or not Path(given).exists():
            continue
        source = real(Path(given))
        if there == source or there in source.parents:
            what = f"{flag} {given} is in it, and would be replaced"
        elif (flag, given) in inputs and source.is_dir() and source in there.parents:
            what = f"is within {flag} {given}, which is only read"
        else:
            continue
        found.append(Problem(f"--out {out}", what, "give a folder of its own", "request"))
    return found


@contextmanager
def staged(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """A folder beside `out` to write into; it takes `out`'s place when all went well.

    On any error, and on Ctrl-C, the staged folder is removed and `out` is as it was. What stood in
    `out` is set aside until the new folder is in place. What a process that was killed left behind
    is removed by the next one.

    Args:
        out: the folder to be made.
        overwrite: what stands there may be replaced, also if it came there meanwhile.

    Raises:
        UserError: something stands there, or the disk refuses what is written.

    Example:
        >>> import tempfile
        >>> out = Path(tempfile.mkdtemp()) / "result"
        >>> with staged(out, overwrite=False) as folder:
        ...     _ = (folder / "a.txt").write_text("whole")
        >>> (out / "a.txt").read_text()
        'whole'
    """
    out = real(out)
    with in_words(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        with turn(out.parent):
            if in_order(out):
                raise UserError(busy(out))
            folder, lock = made(out)
        try:
            (folder / RESULT).mkdir()
            yield folder / RESULT
            place(folder, out, overwrite=overwrite)
        finally:
            leave(folder, lock, out)
