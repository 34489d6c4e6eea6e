"""How large the small files of a model may be, and which files are not what they are called.

Small files are read whole, and swell as they are read.
"""

import json
from pathlib import Path
from typing import Any

from unteach.errors import Problem
from unteach.files.placeholders import stand_in, start_of

CONFIGURATION, TOKENIZER, INDEX = 2**24, 2**27, 2**25
"""Bytes; the largest of released models that we know have 0.1, 35 and 13 million."""

READ = {
    "config.json": CONFIGURATION,
    "generation_config.json": CONFIGURATION,
    "adapter_config.json": CONFIGURATION,
    "tokenizer_config.json": CONFIGURATION,
    "special_tokens_map.json": CONFIGURATION,
    "added_tokens.json": CONFIGURATION,
    "processor_config.json": CONFIGURATION,
    "preprocessor_config.json": CONFIGURATION,
    "chat_template.json": CONFIGURATION,
    "chat_template.jinja": CONFIGURATION,
    "tokenizer.json": TOKENIZER,
    "tokenizer.model": TOKENIZER,
    "vocab.json": TOKENIZER,
    "merges.txt": TOKENIZER,
    "model.safetensors.index.json": INDEX,
}
FILLED = ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors.index.json")
LAYERS = 10_000  # lists of that length are made before anyone asks for a weight


def size_problem(model: str, where: str) -> Problem | None:
    """That a file of a model is too large to be what it is called, or names too many layers.

    Args:
        model: a folder; of a hub id nothing is said.
        where: what messages call it.
    """
    folder = Path(model)
    for name, most in READ.items():
        try:
            size = (folder / name).stat().st_size
        except (OSError, ValueError):  # not there, or no name that a file can have
            continue
        if size > most:
            what = f"its {name} has {size:,} bytes; at most {most:,} are read"
            return Problem(where, what, "give the file that the model was saved with", "request")
    if layers := _layers(folder / "config.json"):
        what = f"its config.json names {layers:,} layers; at most {LAYERS:,} are read"
        return Problem(where, what, "give the file that the model was saved with", "request")
    return None


def stand_in_problems(folder: Path | None, weights: list[Path], where: str) -> list[Problem]:
    """Files of a model that are a pointer, a web page or empty in the place of another.

    Args:
        folder: of the model; None where it is not on this machine.
        weights: the files of its weights.
        where: what messages call it.
    """
    found = []
    for file in (*(folder / name for name in READ), *weights) if folder else ():
        start = start_of(file)
        what, hint = stand_in(start) if start else ("", "")
        if start == b"" and (file in weights or file.name in FILLED):
            what, hint = "is empty: it has 0 bytes", "download or copy it again"
        if what:
            found.append(Problem(where, f"its {file.name} {what}", hint, "request"))
    return found


def _layers(file: Path) -> int:
    """How many, where there are too many."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # loading will say so
        return 0
    parts = [found, *(found.values() if isinstance(found, dict) else ())]
    named = [n for part in parts if isinstance(part, dict) for n in part.items()]
    return max((n for key, n in named if _counts_layers(key) and _too_many(n)), default=0)


def _counts_layers(key: str) -> bool:
    return "layer" in key.lower() or key in ("depth", "num_blocks", "n_block")


def _too_many(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > LAYERS
