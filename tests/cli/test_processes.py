"""How a command starts itself as several processes."""

import os
import sys

from unteach.cli._processes import _module


def test_no_file_of_the_working_folder_stands_in_for_a_library(monkeypatch, tmp_path):
    """A `random.py` beside the data, say; but where we come from there ourselves, it must."""
    monkeypatch.chdir(tmp_path)
    beside = [path for path in sys.path if path not in ("", os.getcwd())]
    monkeypatch.setattr(sys, "path", beside)
    assert _module() == ["-P", "-m", "unteach"]
    for here in ("", str(tmp_path)):
        monkeypatch.setattr(sys, "path", [here, *beside])
        assert _module() == ["-m", "unteach"]
