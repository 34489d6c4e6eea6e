"""The command line in one of several processes, the last of which may fail.

torchrun --nproc_per_node 2 tests/distributed/command.py FAULT ARGUMENTS...

FAULT is "none", "late" (the last process checks what was asked seconds after the others), "gone"
(it is killed in the middle of a model's answers) or "alone" (it alone finds something wrong).
"""

import os
import signal
import sys
import time

from unteach.cli import main
from unteach.errors import Problem, UserError
from unteach.evaluation import rows, run

LATE = 3  # seconds; writing takes less


def check_late(asked):
    time.sleep(LATE)
    return check(asked)


def check_and_find(asked):
    raise UserError(Problem("--data", "is not on this machine", kind="request"))


def loader_that_ends(place, plan):
    def load():
        model = loader(place, plan)()
        inner, calls = model.forward, []

        def forward(*args, **options):
            calls.append(1)
            if len(calls) == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return inner(*args, **options)

        model.forward = forward
        return model

    return load


check, loader = run.check, rows.loader
if __name__ == "__main__":
    fault, *sys.argv[1:] = sys.argv[1:]
    if int(os.environ["RANK"]) == int(os.environ["WORLD_SIZE"]) - 1:
        run.check = {"late": check_late, "alone": check_and_find}.get(fault, check)
        rows.loader = loader_that_ends if fault == "gone" else loader
    main()
