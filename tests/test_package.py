"""What is in the wheel."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_the_wheel_holds_the_code_and_the_command_and_nothing_else(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path)]
    # Without isolation no build tool is fetched: hatchling comes with the test extra.
    done = subprocess.run(
        [*command, "--no-build-isolation", str(ROOT)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        read = {
            n: archive.read(n).decode()
            for n in names
            if n.endswith(("entry_points.txt", "METADATA"))
        }
    written = {f"unteach/{p.relative_to(ROOT / 'src/unteach')}" for p in _sources()}
    beside = {"unteach/py.typed", "unteach/report/scores.schema.json"}
    assert {n for n in names if n.startswith("unteach/")} == written | beside
    assert any(n.endswith("licenses/LICENSE") for n in names)
    assert not any(n.startswith(("tests", "examples", "benchmarks")) for n in names)
    entry = next(text for name, text in read.items() if name.endswith("entry_points.txt"))
    assert "unteach = unteach.cli:main" in entry
    metadata = next(text for name, text in read.items() if name.endswith("METADATA"))
    assert "Requires-Dist: transformers<6,>=5.16.1" in metadata
    assert "License-Expression: Apache-2.0" in metadata
    assert "Requires-Python: <3.14,>=3.11" in metadata


def _sources():
    return (ROOT / "src" / "unteach").rglob("*.py")
