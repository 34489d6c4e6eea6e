"""The demo's worlds on which claims are measured, and the models that learned them."""

from itertools import chain
from pathlib import Path

PRESET = "tiny"
NAMES = ("original", "retrained")
PEOPLE = 30  # that the original knows; of these the first 6 are the forget file
CROWDS = (1, 9)  # 3 and 30% of them; the forget file is 20%


def make(work: Path, world: int) -> Path:
    """The folder of a world, made where it is not there: data and two models."""
    from unteach.demo import jobs

    folder = work / f"world-{world}"
    if not (folder / "tokenizer").exists():
        jobs.prepare(folder, world, PRESET, quiet)
    divide(folder / "data")
    for k, name in enumerate(NAMES):
        if not (folder / name / "tokenizer_config.json").exists():
            jobs.train(folder, name, world + k, PRESET, quiet)
    return folder


def divide(data: Path) -> None:
    """Files of the first person, of the first nine, and of all others: other sizes of a request."""
    files = [(data / f"{role}.jsonl").read_text("utf-8") for role in ("forget", "retain")]
    rows = list(chain.from_iterable(text.splitlines(keepends=True) for text in files))
    each = len(rows) // PEOPLE
    for count in CROWDS:
        (data / f"first-{count}.jsonl").write_text("".join(rows[: count * each]), "utf-8")
        (data / f"others-{count}.jsonl").write_text("".join(rows[count * each :]), "utf-8")


def quiet(*_) -> None:
    """Jobs tell how far they are; nobody asks."""
