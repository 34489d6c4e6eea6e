"""What a command imports before it begins, which is most of the time that a short one takes."""

import subprocess
import sys

import pytest
from cli.small import arguments, written

LIBRARIES = (
    "torch", "transformers", "numpy", "scipy", "sklearn", "pandas", "pyarrow", "datasets", "peft",
    "accelerate", "matplotlib", "yaml",
)  # fmt: skip
# What a request of the defaults has no use for beyond the model's class and its tokenizer.
TRAINING = ("peft", "datasets", "pandas", "sklearn", "matplotlib", "transformers.trainer")
PROGRAM = """
import sys
from unteach.cli import main
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
print(*sys.modules, file=sys.stderr)
"""


def imported(*arguments):
    """The modules that a command has imported by its end; it must end well."""
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


def test_help_makes_no_request():
    """Its sections are pydantic's, whose import and classes take longer than all the rest."""
    assert imported("--help") & {*LIBRARIES, "pydantic", "unteach.settings.request"} == set()


@pytest.mark.parametrize("asked", [["run", "--help"], ["methods"], ["methods", "npo"]])
def test_what_only_prints_imports_no_library(asked):
    assert imported(*asked) & {*LIBRARIES} == set()


def test_a_check_imports_nothing_that_only_training_needs(tmp_path, tiny_folder):
    files = arguments(written(tmp_path), tiny_folder, method="undial")
    modules = imported("check", *files)
    assert "transformers.modeling_utils" in modules  # else this test would say nothing
    assert modules & {*TRAINING} == set()
