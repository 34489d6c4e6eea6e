"""Output folders that appear whole or not at all."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from unteach.nouns import Problem
from unteach.rundir.folders import RESULT, leave, made, place, placed, recover


def check_out(out: Path, *, overwrite: bool) -> list[Problem]:
    """What keeps a result from being written to `out`."""
    if out.exists() and not out.is_dir():
        return [Problem(f"--out {out}", "is a file", "give another folder", "request")]
    if out.is_dir() and any(out.iterdir()) and not overwrite and not placed(out):
        hint = "give another folder, or --overwrite to replace what is there"
        return [Problem(f"--out {out}", "is not empty", hint, "request")]
    parent = next(p for p in out.absolute().parents if p.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        return [Problem(f"--out {out}", f"cannot be made in {parent}", "", "request")]
    return []


def overlap(out: Path, inputs: Iterable[tuple[str, str | Path | None]]) -> list[Problem]:
    """Inputs that a result in `out` would change or replace.

    Args:
        out: the folder to be made.
        inputs: flags and the files and folders that they give; ids of the hub are passed over.

    Example:
        >>> (problem,) = overlap(Path("docs/.."), [("--model", ".")])
        >>> problem.what
        '--model . is in it, and would be replaced'
    """
    found, there = [], out.resolve()
    for flag, given in inputs:
        if not given or not Path(given).exists():
            continue
        source = Path(given).resolve()
        if there == source or there in source.parents:
            what = f"{flag} {given} is in it, and would be replaced"
        elif source.is_dir() and source in there.parents:
            what = f"is within {flag} {given}, which is only read"
        else:
            continue
        found.append(Problem(f"--out {out}", what, "give a folder of its own", "request"))
    return found


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A folder beside `out` to write into; it takes `out`'s place when all went well.

    On any error, and on Ctrl-C, the staged folder is removed and `out` is as it was. What stood in
    `out` is set aside until the new folder is in place. What a process that was killed left behind
    is removed by the next one.

    Example:
        >>> import tempfile
        >>> out = Path(tempfile.mkdtemp()) / "result"
        >>> with staged(out) as folder:
        ...     _ = (folder / "a.txt").write_text("whole")
        >>> (out / "a.txt").read_text()
        'whole'
    """
    out = out.absolute()
    out.parent.mkdir(parents=True, exist_ok=True)
    recover(out)
    folder, lock = made(out)
    try:
        (folder / RESULT).mkdir()
        yield folder / RESULT
        place(folder, out)
    finally:
        leave(folder, lock)
