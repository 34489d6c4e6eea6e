"""How a command starts itself as several processes."""

import os
import sys
from types import SimpleNamespace

from unteach.cli._processes import _module, _told


def test_no_file_of_the_working_folder_stands_in_for_a_library(monkeypatch, tmp_path):
    """A `random.py` beside the data, say; but where we come from there ourselves, it must."""
    monkeypatch.chdir(tmp_path)
    beside = [path for path in sys.path if path not in ("", os.getcwd())]
    monkeypatch.setattr(sys, "path", beside)
    assert _module() == ["-P", "-m", "unteach"]
    for here in ("", str(tmp_path)):
        monkeypatch.setattr(sys, "path", [here, *beside])
        assert _module() == ["-m", "unteach"]


class Failed(Exception):
    """As torch's launcher tells it: rank, exit code, when it was seen."""

    def __init__(self, *failures):
        self.failures = {
            rank: SimpleNamespace(exitcode=code, timestamp=when, signal_name=lambda: "SIGKILL")
            for rank, code, when in failures
        }


def test_of_several_that_ended_the_one_that_was_killed_was_first(capsys):
    """It is found out of when the launcher looks: the others may have failed at once."""
    assert _told(Failed((0, 2, 5), (1, 1, 6))) == 2
    assert _told(Failed((0, -15, 5), (1, 2, 6))) == 2
    assert capsys.readouterr().err == ""
    assert _told(Failed((0, 2, 5), (1, -9, 6), (2, -15, 4))) == 137
    assert "process 1 was killed (SIGKILL)" in capsys.readouterr().err
