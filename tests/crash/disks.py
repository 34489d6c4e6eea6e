"""A small disk of one's own, in a forked process: it can be filled, and made read-only."""

import ctypes
import os
from collections.abc import Callable
from pathlib import Path

from crash.runs import watched

NEWNS, NEWUSER = 0x20000, 0x10000000
PRIVATE = (1 << 18) | 0x4000  # nothing of it is seen by other processes
FILLER = "of-somebody-else"
DAC = 0b110  # the powers of root over files that say otherwise


def libc():
    return ctypes.CDLL(None, use_errno=True)


def mounted(folder: Path, megabytes: int) -> bool:
    """Whether a disk of this size is there now, which ends with this process."""
    user, group, system = os.getuid(), os.getgid(), libc()
    if system.unshare(NEWNS | (0 if user == 0 else NEWUSER)):
        return False
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    system.mount(b"none", b"/", None, PRIVATE, None)
    size = f"size={megabytes}m".encode()
    return not system.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, size)


def fill(disk: Path, left: int) -> None:
    """All but so many bytes of it."""
    with (disk / FILLER).open("wb", buffering=0) as file:
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        os.posix_fallocate(file.fileno(), 0, max(free - left, 1))


def at(number: int, folder: Path, do: Callable[[], None]) -> None:
    """Do it once, before the n-th thing that this process does to files below a folder."""
    left = [number]

    def see(event: str) -> None:
        left[0] -= 1
        if left[0] == -1:
            do()

    watched(folder, see)


def powerless() -> None:
    """Root without its power over files that may not be written, in this process."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    data = (ctypes.c_uint32 * 6)()
    libc().capget(header, data)
    data[0] &= ~DAC
    libc().capset(header, data)


def folders(root: Path) -> list[Path]:
    return [root, *(p for p in root.rglob("*") if p.is_dir())]
