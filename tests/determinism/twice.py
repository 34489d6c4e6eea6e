"""Runs of some methods in a folder, in a process that differs in all that must not matter.

python tests/determinism/twice.py FOLDER SEED MODEL METHOD...
"""

import hashlib
import json
import random
import sys
from pathlib import Path


def main(folder: Path, seed: int, model: str, *methods: str) -> None:
    import numpy
    import torch

    from unteach import pipeline
    from unteach.settings.request import load

    torch.set_num_threads(1)
    for name in methods:
        random.seed(seed)
        numpy.random.seed(seed)
        torch.manual_seed(seed)
        method, _, more = name.partition("?")
        flags = {role: str(folder / f"{role}.jsonl") for role in ("forget", "retain", "holdout")}
        out = folder / name.partition("?")[0]
        sets = [
            "train_anyway=true",
            "train.epochs=2",
            "train.batch_size=2",
            "evaluate.max_new_tokens=8",
            "device=cpu",
        ]
        sets += more.split("&") if more else []
        pipeline.run(load(flags={**flags, "model": model, "method": method, "out": out}, sets=sets))
    print(json.dumps(hashes(folder)))  # noqa: T201


def hashes(folder: Path) -> dict[str, str]:
    """Of the weights, the rows and the scores of all runs; of scores but for times and paths."""
    found = {}
    for file in sorted(folder.rglob("*")):
        name = str(file.relative_to(folder))
        if file.suffix == ".safetensors" or file.parent.name == "rows":
            found[name] = hashlib.sha256(file.read_bytes()).hexdigest()
        elif file.name == "scores.json":
            scores = json.loads(file.read_text())
            text = json.dumps([scores["models"], scores["comparisons"]])
            found[name] = hashlib.sha256(text.encode()).hexdigest()
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
