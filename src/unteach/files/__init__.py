"""Write files and folders atomically, and keep the folder of a run in progress."""

from unteach.files.atomic import disk_problem, flush, in_words, write_lines, write_text
from unteach.files.hashes import damage, hashes, read_sealed, what_changed, write_sealed
from unteach.files.run_folder import RunFolder, working
from unteach.files.staged import check_out, check_room, overlap, staged
from unteach.files.work_folders import CARD, PRIVATE, RUN, listed_files, recover

__all__ = [
    "CARD",
    "PRIVATE",
    "RUN",
    "RunFolder",
    "check_out",
    "check_room",
    "damage",
    "disk_problem",
    "flush",
    "hashes",
    "in_words",
    "listed_files",
    "overlap",
    "read_sealed",
    "recover",
    "staged",
    "what_changed",
    "working",
    "write_lines",
    "write_sealed",
    "write_text",
]
