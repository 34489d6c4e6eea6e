"""Set up, test, lint and show the project with nothing but Python: `python3 dev.py test`.

The environment lives in `.venv` and is rebuilt when pyproject.toml or constraints.txt change.
"""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
STAMP = VENV / "installed"


def fingerprint() -> str:
    """Hash of everything that decides what is installed."""
    parts = [(ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    return hashlib.sha256(b"\0".join([*parts, sys.version.encode()])).hexdigest()


def setup() -> None:
    """Create `.venv` and install the project with its test tools, unless that is done already."""
    if STAMP.exists() and STAMP.read_text() == fingerprint():
        return
    print("setting up .venv (once, about two minutes) ...", flush=True)
    try:
        venv.create(VENV, with_pip=True, clear=VENV.exists())
    except (subprocess.CalledProcessError, SystemExit):
        sys.exit("could not make a virtual environment. On Debian: apt-get install python3-venv")
    run("python", "-m", "pip", "install", "-q", "-c", "constraints.txt", "-e", ".[test]")
    STAMP.write_text(fingerprint())


def run(program: str, *args: str) -> None:
    """Run a program of the environment; leave with its exit code when it fails."""
    # One thread: torch's default of all cores was up to 50 times slower on a busy machine.
    quiet = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    env = {**os.environ, **quiet}
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # without bytecode every import is slower
    code = subprocess.call([str(BIN / program), *args], cwd=ROOT, env=env)
    if code:
        sys.exit(code)


def test(*args: str) -> None:
    """Pass the tests."""
    setup()
    run(
        "python",
        "-m",
        "pytest",
        "-q",
        "-n",
        str(min(4, os.cpu_count() or 1)),
        "--dist",
        "worksteal",
        *args,
    )


def lint(*args: str) -> None:
    """Check style, format and types."""
    setup()
    run("ruff", "check", ".")
    run("ruff", "format", "--check", ".")
    run("pyright")


def demo(*args: str) -> None:
    """Run the main job on the embedded default."""
    setup()
    run("unteach", "demo", *args)


COMMANDS = {"setup": setup, "test": test, "lint": lint, "demo": demo}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        sys.exit(f"usage: python3 dev.py {{{'|'.join(COMMANDS)}}} [arguments]")
    COMMANDS[sys.argv[1]](*sys.argv[2:])
