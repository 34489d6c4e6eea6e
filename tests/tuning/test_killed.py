"""A search whose process is killed goes on: what was finished is kept, what was not is tried."""

import json
import os
import sqlite3
import subprocess
import sys
import time

import pytest
from tuning.searches import command, write_roles

PATIENCE = 180  # seconds


def seconds_told(database) -> int:
    """How many trials have ended, as the database of a process at work says."""
    if not database.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5) as study:
            asked = "select count(*) from trial_user_attributes where key = 'seconds'"
            return study.execute(asked).fetchone()[0]
    except sqlite3.OperationalError:  # not made yet
        return 0


@pytest.mark.slow
def test_it_goes_on_after_a_kill(call, tiny_folder, tmp_path):
    write_roles(tmp_path, 20)
    given = [str(x) for x in command(tmp_path, tiny_folder, "--budget", "10m", "--no-confirm")]
    database, end = tmp_path / "out" / "study.db", time.monotonic() + PATIENCE
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, "-m", "unteach", *given], env=os.environ, **quiet)
    try:
        while (before := seconds_told(database)) < 2:
            assert process.poll() is None, "it ended before it was killed"
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    code, out, err = call(*given, "--trials", before + 1, "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["facts"]["trials"] >= before + 1
    assert [t["number"] for t in told["trials"]][:2] == [0, 1], "the first two are kept"
    with sqlite3.connect(database) as study:
        states = {row[0] for row in study.execute("select state from trials")}
    assert "RUNNING" not in states
