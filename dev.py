"""Set up, test, lint and show the project with nothing but Python: `python3 dev.py test`.

The environment lives in `.venv` and is rebuilt when pyproject.toml or constraints.txt change.
`versions` tests at both ends of what pyproject.toml allows, in `.venv-lowest` and `.venv-newest`.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
TESTED = ""
ENDS = ("lowest", "newest")
# What the lowest releases warn of, shown and no failure there (pytest's way of writing it).
MENDED_SINCE = (
    ":DeprecationWarning",  # the lowest of one library beside today's of another
    "Could not find a config file in  -:UserWarning",  # peft 0.18, of a model without a name
    "Model has `tie_word_embeddings=True` and a tied layer:UserWarning",  # and of one not tied
)
SAY = "import importlib.metadata as m, sys; print(*(f'{n}=={m.version(n)}' for n in sys.argv[1:]))"


def bounds() -> dict[str, str]:
    """The lower bound that pyproject.toml sets for each library and test tool."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    return dict(re.match(r"([\w-]+)>=([\w.]+)", line).groups() for line in asked)


def constraints(which: str) -> str:
    """What pip is held to: the tested versions, the lowest that are allowed, or those of today.

    torch is the tested one in all three, as a machine rarely has small CPU builds of more than
    one; the environment variable TORCH names another.
    """
    tested = (ROOT / "constraints.txt").read_text()
    if which == TESTED:
        return tested
    torch = os.environ.get("TORCH") or re.search(r"^torch==(\S+)$", tested, re.MULTILINE)[1]
    lines = [f"# {time.strftime('%Y-%m-%d')}"] if which == "newest" else []
    if which == "lowest":
        lines = [f"{name}=={bound}" for name, bound in bounds().items() if name != "torch"]
    return "\n".join([*lines, f"torch=={torch}", ""])


def folder(which: str) -> Path:
    """Where an environment lives."""
    return ROOT / (f".venv-{which}" if which else ".venv")


def fingerprint(which: str) -> str:
    """Hash of everything that decides what is installed."""
    parts = [(ROOT / "pyproject.toml").read_bytes(), constraints(which).encode()]
    return hashlib.sha256(b"\0".join([*parts, sys.version.encode()])).hexdigest()


def setup(which: str = TESTED) -> None:
    """Create an environment with the project and its test tools, unless that is done already."""
    home = folder(which)
    stamp = home / "installed"
    if stamp.exists() and stamp.read_text() == fingerprint(which):
        return
    print(f"setting up {home.name} (once, about two minutes) ...", flush=True)
    try:
        venv.create(home, with_pip=True, clear=home.exists())
    except (subprocess.CalledProcessError, SystemExit):
        sys.exit("could not make a virtual environment. On Debian: apt-get install python3-venv")
    held = home / "constraints.txt"
    held.write_text(constraints(which))
    pip = ("-m", "pip", "install", "-q", "--no-compile", "-c", str(held), "-e", ".[test]")
    run("python", *pip, which=which)
    # pip would compile on one core. Some libraries hold files that are no Python: that is no error.
    libraries = sysconfig.get_path("purelib", "venv", vars={"base": str(home)})
    subprocess.call([sys.executable, "-W", "ignore", "-m", "compileall", "-qq", "-j0", libraries])
    stamp.write_text(fingerprint(which))


def run(program: str, *args: str, which: str = TESTED) -> None:
    """Run a program of an environment; leave with its exit code when it fails."""
    # One thread: torch's default of all cores was up to 50 times slower on a busy machine.
    quiet = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    env = {**scratch(), **os.environ, **quiet}
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # without bytecode every import is slower
    bin = folder(which) / ("Scripts" if os.name == "nt" else "bin")
    code = subprocess.call([str(bin / program), *args], cwd=ROOT, env=env)
    if code:
        sys.exit(code)


def suite(which: str, *args: str) -> None:
    """Pass the tests in one of the environments."""
    setup(which)
    # Workers take ten seconds to start: worth it for the whole suite, not for a part of it.
    some = any((ROOT / arg.split("::")[0]).exists() for arg in args)
    workers = "0" if some else str(min(4, os.cpu_count() or 1))
    command = ("-m", "pytest", "-q", "-n", workers, "--dist", "worksteal")
    command += ("-o", "tmp_path_retention_count=1")  # see `scratch`: it is memory
    run("python", *command, *args, which=which)


def scratch() -> dict[str, str]:
    """Folders of the tests are in memory where there is room: a run waits 40 times for a disk."""
    memory = Path("/dev/shm")
    room = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free
    return {"PYTEST_DEBUG_TEMPROOT": str(memory)} if room and room > 2**32 else {}


def test(*args: str) -> None:
    """Pass the tests, but for those that are marked slow: within six minutes on two cores."""
    suite(TESTED, "-m", "not slow", *args)


def slow(*args: str) -> None:
    """Pass the slow tests: processes that are killed, many processes, fuzzing, the whole demo."""
    suite(TESTED, "-m", "slow", *args)


def every(*args: str) -> None:
    """Pass all tests: quicker than `test` and then `slow`, as they are collected once."""
    suite(TESTED, *args)


def versions(*args: str) -> None:
    """Pass the tests with the lowest versions that pyproject.toml allows, and with the newest."""
    chosen, rest = (args[:1], args[1:]) if args and args[0] in ENDS else (ENDS, args)
    for which in chosen:
        setup(which)
        run("python", "-c", SAY, *bounds(), which=which)
        old = MENDED_SINCE if which == "lowest" else ()
        suite(which, *(f"-Wdefault:{warning}" for warning in old), *rest)


def lint(*args: str) -> None:
    """Check style, format and types, and the Dockerfile where its linter has a build."""
    setup()
    run("ruff", "check", ".")
    run("ruff", "format", "--check", ".")
    run("pyright")
    if (folder(TESTED) / "bin" / "hadolint").exists():
        run("hadolint", "Dockerfile")


def demo(*args: str) -> None:
    """Run the main job on the embedded default."""
    setup()
    run("unteach", "demo", *args)


COMMANDS = {f.__name__: f for f in (setup, test, slow, every, versions, lint, demo)}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        sys.exit(f"usage: python3 dev.py {{{'|'.join(COMMANDS)}}} [arguments]")
    COMMANDS[sys.argv[1]](*sys.argv[2:])
