"""Output folders that appear whole or not at all."""

import pytest

from unteach.errors import UserError
from unteach.files import check_out, staged, working, write_lines


def test_nothing_half_written_stays_behind(tmp_path):
    out = tmp_path / "out"

    def fail():
        with staged(out, overwrite=True) as stage:
            (stage / "a").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_was_there_stays_when_it_fails(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "old").write_text("kept")

    def fail():
        with staged(out, overwrite=True):
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        fail()
    assert (out / "old").read_text() == "kept"


def test_the_new_folder_replaces_the_old_one(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "old").write_text("gone")
    with staged(out, overwrite=True) as stage:
        write_lines(stage / "deep" / "rows.jsonl", [{"a": 1}, {"a": 2}])
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert [p.name for p in out.iterdir()] == ["deep"]
    assert (out / "deep" / "rows.jsonl").read_text() == '{"a": 1}\n{"a": 2}\n'


def test_a_folder_that_is_not_empty_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    (problem,) = check_out(tmp_path, overwrite=False)
    assert "is not empty" in str(problem)
    assert "--overwrite" in problem.hint
    assert problem.kind == "request"
    assert check_out(tmp_path, overwrite=True) == []
    (problem,) = check_out(tmp_path / "file", overwrite=True)
    assert "is a file" in str(problem)
    (problem,) = check_out(tmp_path / "file" / "out", overwrite=True)
    assert "cannot be made" in str(problem)
    assert check_out(tmp_path / "new" / "deeper", overwrite=False) == []


def test_work_without_a_mark_is_not_known_again(tmp_path):
    """As of data from the hub: nothing tells whether they are the same."""
    out = tmp_path / "out"

    def done(mark):
        with working(out, "all", print, overwrite=False, mark=mark) as work:
            if not work.placed:
                (work.begin() / "a").write_text("b")
                work.keep({})
                work.finish({})
            return work.placed

    assert not done(None)
    with pytest.raises(UserError, match="is not empty"):
        done(None)
    out.rename(tmp_path / "other")
    assert not done("mark")
    assert done("mark")
