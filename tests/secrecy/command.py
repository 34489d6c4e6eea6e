"""The command line, once for each case, in children of a process that has loaded all libraries.

python tests/secrecy/command.py FOLDER < CASES.json

A case has a name, arguments, and a fault: where, at which call, and what goes wrong. Its output
goes to FOLDER/NAME.out and .err, its exit status into the JSON that is printed: by name, negative
for a signal.
"""

import gc
import json
import logging
import os
import resource
import signal
import sys
import threading
import traceback
import warnings

from unteach.cli import main

WORDS = os.environ.get("WORDS", "")  # what a library may quote: texts and ids of the data


def at(place, name, call, fault):
    """Let the fault happen at that call of a function, which goes on where the fault does not."""
    inner, calls = getattr(place, name), []

    def wrapped(*args, **options):
        calls.append(1)
        if len(calls) == call:
            fault(*args)
        return inner(*args, **options)

    setattr(place, name, wrapped)


def raise_(error):
    def now(*args):
        raise error

    return now


def chained(*args):
    try:
        try:
            raise KeyError(WORDS)
        except KeyError as first:
            raise RuntimeError(WORDS) from first
    except RuntimeError:
        error = ExceptionGroup(WORDS, [ValueError(WORDS), OSError(28, WORDS, WORDS)])
        error.add_note(WORDS)
        raise error  # noqa: B904


class Cleaned:
    def __del__(self):
        raise ValueError(WORDS)


def chatter(*args):
    """All that a library can say without failing."""
    warnings.warn(WORDS, stacklevel=1)
    for name in ("transformers", "some.package", "torch.distributed"):
        logging.getLogger(name).error("see %s", WORDS)
        logging.getLogger(name).error("not to be formatted %d", WORDS)
    try:
        raise ValueError(WORDS)
    except ValueError:
        logging.getLogger("some.package").exception(WORDS)
    thread = threading.Thread(target=raise_(ValueError(WORDS)))
    thread.start()
    thread.join()
    Cleaned()
    os.write(1, f"core dumps of {resource.getrlimit(resource.RLIMIT_CORE)[0]} bytes".encode())


def kill(number):
    return lambda *args: os.kill(os.getpid(), number)


def break_weights(trainer, *args):
    next(trainer.model.parameters()).data.fill_(float("nan"))


def places():
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    from unteach.evaluation import results
    from unteach.inference.interview import Interview
    from unteach.training.trainer import UnlearningTrainer

    return {
        "model": (LlamaForCausalLM, "forward"),
        "tokenizer": (PreTrainedTokenizerFast, "_encode_plus"),
        "step": (UnlearningTrainer, "training_step"),
        "saving": (PreTrainedTokenizerFast, "save_pretrained"),
        "asking": (Interview, "of_model"),
        "judging": (results, "score_model"),
        "writing": (results, "to_markdown"),
    }


FAULTS = {
    "error": lambda: raise_(ValueError(WORDS)),
    "chain": lambda: chained,
    "memory": lambda: raise_(MemoryError(WORDS)),
    "allocator": lambda: raise_(RuntimeError(f"DefaultCPUAllocator: cannot allocate {WORDS}")),
    "interrupt": lambda: raise_(KeyboardInterrupt(WORDS)),
    "chatter": lambda: chatter,
    "term": lambda: kill(signal.SIGTERM),
    "kill": lambda: kill(signal.SIGKILL),
    "nan": lambda: break_weights,
}


def command(case, folder):
    for number, kind in ((1, "out"), (2, "err")):
        file = f"{folder}/{case['name']}.{kind}"
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    if fault := case.get("fault"):
        place, call, what = fault
        at(*places()[place], call, FAULTS[what]())
    sys.argv = ["unteach", *case["arguments"]]
    try:
        main()
    except SystemExit as stop:
        return stop.code or 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def forked(case, folder):
    if pid := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = 70  # of the shell: an error of this file
    try:
        code = command(case, folder)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    cases, folder, answer = json.load(sys.stdin), sys.argv[1], os.dup(1)
    codes = {cases[0]["name"]: command(cases[0], folder)}  # loads what the others need
    gc.freeze()  # else each of them goes over all that, and copies it
    codes |= {case["name"]: forked(case, folder) for case in cases[1:]}
    os.write(answer, json.dumps(codes).encode())
