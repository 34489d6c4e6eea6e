"""Check a model's files for size limits and for placeholders such as Git LFS pointers.

Configuration and tokenizer files are read completely and take more memory than on disk.
"""

import json
from pathlib import Path
from typing import Any

from unteach.errors import Problem
from unteach.files.placeholders import stand_in, start_of

CONFIGURATION, TOKENIZER, INDEX = 2**24, 2**27, 2**25
"""Bytes; the largest known ones of released models have 0.1, 35 and 13 million."""

READ = {
    **dict.fromkeys(
        (
            "config.json", "generation_config.json", "adapter_config.json", "tokenizer_config.json",
            "special_tokens_map.json", "added_tokens.json", "processor_config.json",
            "preprocessor_config.json", "chat_template.json", "chat_template.jinja",
        ),
        CONFIGURATION,
    ),
    **dict.fromkeys(("tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt"), TOKENIZER),
    "model.safetensors.index.json": INDEX,
}  # fmt: skip
FILLED = ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors.index.json")
LAYERS = 10_000  # transformers makes lists of this length when it reads the configuration


def size_problem(model: str, where: str) -> Problem | None:
    """Make the problem of a model file that is too large, or a config with too many layers.

    Args:
        model: a folder; a hub id gives None.
        where: name of the model in messages.
    """
    folder = Path(model)
    for name, most in READ.items():
        try:
            size = (folder / name).stat().st_size
        except (OSError, ValueError):  # missing, or not a valid file name
            continue
        if size > most:
            what = f"its {name} has {size:,} bytes; at most {most:,} are read"
            return Problem(where, what, "give the file that the model was saved with", "request")
    if layers := _excess_layers(folder / "config.json"):
        what = f"its config.json names {layers:,} layers; at most {LAYERS:,} are read"
        return Problem(where, what, "give the file that the model was saved with", "request")
    return None


def stand_in_problems(folder: Path | None, weights: list[Path], where: str) -> list[Problem]:
    """Find files of a model that are a Git LFS pointer, a web page or empty.

    Args:
        folder: of the model; None if it is not on this machine.
        weights: the weight files.
        where: name of the model in messages.
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


def _excess_layers(file: Path) -> int:
    """Return the number of layers in a config.json if it is too large, else 0."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # loading will report it
        return 0
    parts = [found, *(found.values() if isinstance(found, dict) else ())]
    named = [n for part in parts if isinstance(part, dict) for n in part.items()]
    return max((n for key, n in named if _counts_layers(key) and _too_many(n)), default=0)


def _counts_layers(key: str) -> bool:
    return "layer" in key.lower() or key in ("depth", "num_blocks", "n_block")


def _too_many(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > LAYERS
