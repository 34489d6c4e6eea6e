"""A command in odd surroundings: streams, folders and variables that are not as they should be."""

import errno
import io
import os
import sys

import pytest

from unteach import pipeline

RUN = ("run", "--model", "m", "--forget", "f", "--out", "o")


def failing(monkeypatch, error):
    def fails(*given):
        raise error

    monkeypatch.setattr(pipeline, "run", fails)


def test_what_a_terminal_cannot_show_is_shown_escaped(monkeypatch):
    from unteach.cli import main

    said = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stderr", said)
    monkeypatch.setattr(sys, "argv", ["unteach", *RUN, "--plugin", "ö日.py"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    said.flush()
    assert rb"\xf6\u65e5.py" in said.buffer.getvalue()


def test_a_folder_that_is_gone_is_told(call, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    os.rmdir(tmp_path / "gone")
    code, _, said = call(*RUN)
    monkeypatch.chdir(tmp_path)
    assert (code, "the current folder: does not exist any more" in said) == (2, True)


def test_a_disk_that_is_full_where_nobody_expected_it_has_words(call, monkeypatch):
    """As standard output may be, or the folder for temporary files."""
    failing(monkeypatch, OSError(errno.ENOSPC, "Ada Berg"))
    code, _, said = call(*RUN)
    assert code == 1
    assert "a temporary file: cannot be written to: the disk is full" in said
    assert "Ada" not in said


def test_words_of_who_ends_the_process_are_not_printed(call, monkeypatch):
    failing(monkeypatch, SystemExit("Ada Berg"))
    code, _, said = call(*RUN)
    assert (code, "Ada" in said) == (1, False)


@pytest.mark.parametrize("value", ["0", "", "false", "No", "1", "yes"])
def test_that_all_is_shown_is_said(value, call, monkeypatch):
    failing(monkeypatch, SystemExit(1))
    monkeypatch.setenv("UNTEACH_DEBUG", value)
    _, _, said = call(*RUN)
    assert ("UNTEACH_DEBUG is set" in said) == (value in ("1", "yes"))


def test_no_folder_for_temporary_files_is_needed_for_a_run(tiny_folder, tmp_path, monkeypatch):
    import tempfile

    from crash.test_killed import job
    from support import write_roles

    files = write_roles(tmp_path, 2)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    job(files, tiny_folder, tmp_path / "out")()
    assert (tmp_path / "out" / "report.md").exists()


def test_values_that_are_empty_are_told(call, tmp_path):
    """As of a variable of the shell that is not set; a path without a letter is where one is."""
    code, _, said = call("check", "--model", "", "--forget=", "--retain", " ", "--out", "")
    assert code == 2
    for flag in ("--model", "--forget", "--retain", "--out"):
        assert f"{flag}: is empty" in said
    code, _, said = call("score", "", "--out", "o")
    assert (code, "an argument: is empty" in said) == (2, True)
    (tmp_path / "a.yaml").write_text('model: m\nforget: ""\nout: o\n')
    code, _, said = call("check", tmp_path / "a.yaml")
    assert (code, "forget: got an empty text" in said) == (2, True)
