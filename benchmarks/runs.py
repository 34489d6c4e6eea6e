"""Many runs side by side: what is done is kept on disk and not done again."""

import json
import shutil
import time

from unteach.demo.workers import Workers

REMARKS = "\n## What came out\n"


class Lines:
    """A board that says in a line what is done, and how long the rest may take."""

    def __init__(self):
        self.waiting, self.done, self.began = 0, 0, time.monotonic()

    def begin(self, name):
        self.waiting += 1

    def move(self, name, done, total, detail):
        pass

    def end(self, name):
        self.waiting, self.done = self.waiting - 1, self.done + 1
        spent = time.monotonic() - self.began
        left = spent / self.done * self.waiting / 60
        print(f"{name}: done; {self.waiting} left, about {left:.0f} min", flush=True)


def run_all(jobs, workers):
    """What each job returns, by its name; a job is a module-level function and its arguments."""
    if not jobs:
        return {}
    with Workers(min(workers, len(jobs)), Lines()) as pool:
        return pool.run(jobs)


def unlearned(request, file, evaluate, callbacks=()):
    """Unlearn as `unteach run` does, and write what `evaluate` says of the model to the file.

    Args:
        request: its `out` is made and taken away again.
        file: JSON with the values, the seconds of processor time, and what the run says of itself.
        evaluate: from the folder of the unlearned model and the intake to a mapping of numbers.
        callbacks: of the trainer, which may look at the model between steps.
    """
    from unteach import pipeline
    from unteach.checks.request import check
    from unteach.errors import UserError
    from unteach.progress import NoProgress

    if file.exists():
        return read(file)
    shutil.rmtree(request.out, ignore_errors=True)  # of a run that was cut off
    intake = check(request)
    request.out.mkdir(parents=True)
    began = time.process_time()
    try:
        facts = pipeline.remove(intake, request.out, NoProgress(), callbacks=callbacks)
        seconds = time.process_time() - began
        found = {"values": evaluate(request.out, intake), "seconds": round(seconds, 1)}
        told = ("steps", "stopped_because", "drawn_back_to", "teacher")
        found |= {name: facts.get(name) for name in told}
    except UserError as error:  # the loss broke
        found = {"values": None, "failed": str(error), "stopped_because": ""}
    shutil.rmtree(request.out, ignore_errors=True)
    train = intake.request.train
    found |= {"rate": train.learning_rate, "stop_at": train.stop_at, "seed": train.seed}
    write(file, found)
    return found


def read(file):
    return json.loads(file.read_text(encoding="utf-8"))


def write(file, found):
    """All of it or nothing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(found, indent=1), encoding="utf-8")
    part.replace(file)


def publish(file, text):
    """Write a page; what somebody wrote under its table stays."""
    old = file.read_text(encoding="utf-8") if file.exists() else ""
    _, mark, remarks = old.partition(REMARKS)
    file.write_text(text + mark + remarks, encoding="utf-8")


def markdown(header, rows):
    """A table; text to the left, numbers to the right."""
    lines = ["| " + " | ".join(header) + " |", "|---|" + "---:|" * (len(header) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def number(value):
    """Two digits behind the point; more for small ones."""
    if value is None:
        return "-"
    return f"{value:.2f}" if value == 0 or abs(value) >= 0.01 else f"{value:.0e}"
