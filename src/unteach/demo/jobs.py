"""Define the jobs of the demo's processes: make the world, train, unlearn, evaluate."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from unteach.demo.settings import PRESETS, settings
from unteach.demo.workers import Tell
from unteach.demo.world import make_world
from unteach.progress import NoProgress
from unteach.types import Row

GROUPS = ("forget", "retain", "holdout", "world")
LEARNED = {"original": ("forget", "retain", "world"), "retrained": ("retain", "world")}


def prepare(folder: Path, seed: int, preset: str, tell: Tell) -> None:
    """Write the world as JSONL files, and its tokenizer."""
    from unteach.demo.train import train_tokenizer

    world = asdict(make_world(seed, **PRESETS[preset].people))
    (folder / "data").mkdir(parents=True)
    for group, rows in world.items():
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / "data" / f"{group}.jsonl").write_text(lines, encoding="utf-8")
    texts = [
        f"Question: {row['question']}\nAnswer: {row['answer']}"
        for rows in world.values()
        for row in rows
    ]
    tokenizer = train_tokenizer(texts, vocabulary=PRESETS[preset].vocabulary)
    tokenizer.save_pretrained(folder / "tokenizer")
    tell(1, 1, "")


def train(folder: Path, name: str, seed: int, preset: str, tell: Tell) -> None:
    """Train one model on the groups of `LEARNED`, and write it with its tokenizer."""
    from unteach.data import encode_all, read
    from unteach.demo.train import train_model
    from unteach.models.loading import load_tokenizer

    tokenizer: Any = load_tokenizer(str(folder / "tokenizer"))
    sequences = []
    for group in LEARNED[name.split("-")[0]]:
        examples, _ = read(str(folder / "data" / f"{group}.jsonl"), group)
        sequences += encode_all(examples, tokenizer, max_length=128)[0]
    model = train_model(
        sequences, vocabulary=len(tokenizer), seed=seed, preset=PRESETS[preset], progress=tell
    )
    model.save_pretrained(folder / name)
    tokenizer.save_pretrained(folder / name)


def unlearn(folder: Path, method: str, out: str, seed: int, tell: Tell) -> dict[str, Any]:
    """Unlearn with the same stages as `unteach run`; return facts, rows and request."""
    from unteach import pipeline
    from unteach.checks.request import check
    from unteach.evaluation import of_run

    listener = JobProgress(tell)
    intake = check(request(folder, method, out, seed))
    (folder / out).mkdir()
    facts = pipeline.remove(intake, folder / out, listener)
    rows = of_run.evaluate(str(folder / out), intake, listener).rows
    resolved = intake.request.model_dump(mode="json")
    return {"facts": facts, "rows": rows, "request": resolved}


def score(folder: Path, name: str, tell: Tell) -> dict[str, list[Row]]:
    """Evaluate a model that is not unlearned, and return its rows."""
    from unteach.checks.request import check
    from unteach.evaluation import of_run

    intake = check(request(folder, "unilogit", f"none-{name}", 0))
    return of_run.evaluate(str(folder / name), intake, JobProgress(tell)).rows


def request(folder: Path, method: str, out: str, seed: int) -> Any:
    """Make the request for `unteach run` from the demo's files."""
    from unteach.settings.request import Request

    data = folder / "data"
    found = settings(method)
    found["train"] |= {"seed": seed}
    found["evaluate"] |= {"also": {"world": str(data / "world.jsonl")}}
    return Request.model_validate(
        {
            "model": str(folder / "original"),
            "out": folder / out,
            "device": "cpu",
            **{group: str(data / f"{group}.jsonl") for group in GROUPS[:3]},
            **found,
        }
    )


class JobProgress(NoProgress):
    """Forwards the progress of the stages to a callback."""

    def __init__(self, tell: Tell):
        self.tell = tell

    def progress(self, what: str, done: int, total: int) -> None:
        """Forward the progress of a stage."""
        self.tell(done, total, what)

    def training(self, step: int, total: int, logs: dict[str, float]) -> None:
        """Forward the training step and the loss."""
        self.tell(step, total, f"loss {float(logs['loss']):.3f}" if "loss" in logs else "")
