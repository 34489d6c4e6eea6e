"""Write an output folder atomically, and check beforehand that it can be written."""

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

NAME = 255  # most bytes of a file name on common file systems


def check_out(out: Path, *, overwrite: bool) -> list[Problem]:
    """Find why a result cannot be written to `out`; cleans up after killed runs."""
    target = real(out)
    try:
        what = _why_not_replaceable(target)
    except OSError as error:  # for example a path that is too long
        what = f"cannot be made ({os.strerror(error.errno or 0).lower()})"
    if what:
        return [Problem(f"--out {out}", what, "give another folder", "request")]
    parent = next(p for p in target.parents if p.exists())
    if not parent.is_dir() or not os.access(parent, ALL):
        return [Problem(f"--out {out}", f"cannot be made in {parent}", "", "request")]
    if recover(target):  # also restores what a killed process had moved away from `out`
        return [busy(out)]
    if filled(target) and not overwrite and not placed(target):
        return [not_empty(out)]
    return []


def check_room(out: Path, needed: int) -> list[Problem]:
    """Find whether the disk lacks room for so many bytes; not checked for an unfinished run.

    Example:
        >>> check_room(Path("out"), 0)
        []
    """
    target = real(out)
    if any(siblings(target)):
        return []
    free = shutil.disk_usage(next(p for p in target.parents if p.exists())).free
    if free >= needed:
        return []
    what = f"the disk has {free:,} bytes free, and the model alone takes {needed:,}"
    return [Problem(f"--out {out}", what, "make room, or give a folder on another disk")]


def _why_not_replaceable(there: Path) -> str:
    """Describe why `there` cannot be replaced by another folder; empty if it can."""
    if any(path.is_symlink() for path in (there, *there.parents)):  # valid links were resolved
        return "is a link, or lies behind one, that leads round in a circle"
    if there.exists() and not there.is_dir():
        return "is a file"
    if len(os.fsencode(there.name)) > NAME - len(".partial-123456."):
        return (
            f"has a name of {len(os.fsencode(there.name))} bytes, too long for one made beside it"
        )
    if real(Path.cwd()).is_relative_to(there):
        return "is the folder that you are in, or above it, and would be replaced"
    if there.is_mount():  # the rename at the end of the run would fail
        return "is where a disk is mounted, and a folder is made beside and renamed"
    if there.exists() and not os.access(there, ALL):
        return "cannot be replaced (permission denied)"
    return ""


def overlap(
    out: Path,
    inputs: Iterable[tuple[str, str | Path | None]],
    beside: Iterable[tuple[str, str | Path | None]] = (),
) -> list[Problem]:
    """Find inputs that a result in `out` would change or replace.

    Args:
        out: the folder to be made.
        inputs: flags with their files and folders; hub ids are skipped.
        beside: likewise; a result may lie within these folders, as in a folder of data files.

    Example:
        >>> (problem,) = overlap(Path("docs/.."), [("--model", ".")])
        >>> problem.what
        '--model . is in it, and would be replaced'
    """
    found, target = [], real(out)
    inputs, beside = list(inputs), list(beside)
    for flag, path in (*inputs, *beside):
        if not path or not Path(path).exists():
            continue
        source = real(Path(path))
        if target == source or target in source.parents:
            what = f"{flag} {path} is in it, and would be replaced"
        elif (flag, path) in inputs and source.is_dir() and source in target.parents:
            what = f"is within {flag} {path}, which is only read"
        else:
            continue
        found.append(Problem(f"--out {out}", what, "give a folder of its own", "request"))
    return found


@contextmanager
def staged(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield a folder beside `out` to write into; on success it replaces `out`.

    On any error, and on Ctrl-C, the staged folder is removed and `out` is unchanged. The old
    content of `out` is moved away until the new folder is in place. What a killed process left
    behind is removed by the next one.

    Args:
        out: the folder to be made.
        overwrite: replace the content of `out`, even if it appears meanwhile.

    Raises:
        UserError: `out` is not empty, or writing to the disk fails.

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
