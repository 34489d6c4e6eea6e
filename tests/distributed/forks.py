"""Python started over and over, as forks of one process that has loaded the libraries.

python tests/distributed/forks.py

It reads a request in each line: arguments of `python`, environment, folder, files for what is
printed and said, and after how many seconds it ends by itself. It answers with the exit code. What
torch's launcher starts is forked too; loading the libraries anew took most of a launch's time.
"""

import gc
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SPARE = 3  # processes that one launch may start
# Those that a command loads as it goes.
LIBRARIES = (
    "accelerate.commands.launch",
    "matplotlib.backends.backend_agg",
    "peft",
    "scipy.stats",
    "torch.distributed.run",
    "torch.distributed.tensor",
    "transformers.models.llama.modeling_llama",
    "unteach.cli",
    "unteach.training.unlearn",
    "unteach.evaluation.run",
    "unteach.pipeline",
    "unteach.inference",
    "unteach.suites.own",
)


class Forks:
    """The process that forks, from outside; it is started when it is first asked for something."""

    def __init__(self):
        self._server: subprocess.Popen | None = None

    def python(self, *arguments, folder=None, timeout=240, environment=None):
        """What `python ARGUMENTS` would do: exit code, what it prints, what it says."""
        if self._server is None:
            self._server = subprocess.Popen(
                [sys.executable, __file__], env=quiet(os.environ), text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
        with tempfile.TemporaryDirectory() as said:
            out, err = f"{said}/out", f"{said}/err"
            given = dict(environment or os.environ)
            asked = [list(map(str, arguments)), quiet(given), str(folder or "."), out, err, timeout]
            self._server.stdin.write(json.dumps(asked) + "\n")
            self._server.stdin.flush()
            code = json.loads(self._server.stdout.readline())
            return code, Path(out).read_text(), Path(err).read_text()

    def close(self):
        if self._server:
            self._server.communicate()


def started(*arguments, folder, timeout=240):
    """`python ARGUMENTS` in a process that is new, as a user has it."""
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=folder, timeout=timeout,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def quiet(environment):
    """As dev.py has it, also when pytest is started without."""
    set_ = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    return {**environment, **set_, "TORCH_CPP_LOG_LEVEL": "ERROR"}


def serve():
    """Fork for each line that is read."""
    from importlib import import_module

    for name in LIBRARIES:
        import_module(name)
    gc.freeze()
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        arguments, environment, folder, out, err, timeout = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os.chdir(folder)
            for number, file in ((1, out), (2, err)):
                os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
            _close([])
            _launched(arguments, environment, timeout)
        answers.write(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n")
        answers.flush()


def _launched(arguments, environment, timeout):
    """Become it, with spare processes at hand that torch's launcher takes for new ones."""
    from torch.distributed.elastic.multiprocessing.subprocess_handler import subprocess_handler

    spare = [Spare(timeout) for _ in range(SPARE)]

    def started(self, arguments, environment):
        return spare.pop().become(arguments[1:], environment)

    subprocess_handler.SubprocessHandler._popen = started
    _become(arguments, environment, timeout)


class Spare:
    """A process that waits to be told what it is; then as much of a Popen as the launcher asks."""

    def __init__(self, timeout):
        there, self._here = os.pipe()
        self.returncode = None
        self.pid = os.fork()
        if self.pid == 0:
            _close([there])
            with os.fdopen(there) as told:
                line = told.readline()
            if not line:  # nobody needs it
                os._exit(0)
            _become(*json.loads(line), timeout)
        os.close(there)

    def become(self, arguments, environment):
        with os.fdopen(self._here, "w") as told:
            told.write(json.dumps([arguments, environment]))
        return self

    def poll(self):
        if self.returncode is None and (found := os.waitpid(self.pid, os.WNOHANG))[0]:
            self.returncode = os.waitstatus_to_exitcode(found[1])
        return self.returncode

    def wait(self, timeout):
        end = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("", timeout)
            time.sleep(0.02)


def _close(kept):
    """All files but the usual three, as in a process that is new."""
    for number in map(int, os.listdir("/dev/fd")):
        if number > 2 and number not in kept:
            try:
                os.close(number)
            except OSError:  # it was of the listing
                continue


def _become(arguments, environment, timeout):
    """What `python ARGUMENTS` is; never comes back."""
    os.setsid()
    signal.alarm(timeout)
    os.environ.clear()
    os.environ.update(environment)
    sys.stdout = open(1, "w", closefd=False, buffering=1)  # noqa: SIM115 (to the end)
    given = [part for part in arguments if part not in ("-u", "-P")]
    module = given[0] == "-m"
    sys.argv = given[1:] if module else given
    sys.path[0] = os.getcwd() if module else str(Path(given[0]).parent)
    try:
        if module:
            runpy.run_module(given[1], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(given[0], run_name="__main__")
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        if isinstance(stop.code, str):
            sys.stderr.write(f"{stop.code}\n")
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    serve()
