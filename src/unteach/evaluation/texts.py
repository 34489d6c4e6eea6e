"""What models said, in words, side by side: written only where the user asks for it."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from unteach.files import PRIVATE
from unteach.suites.ask import GeneratedTexts

NOTE = (
    f"{PRIVATE} holds texts of the data (--keep-text): what models said beside what is true. Keep "
    "it as safe as the data itself, and delete it when it has been read."
)


def notes_on_text(keep_text: bool) -> tuple[str, ...]:
    """What a report says of the file, where there is one."""
    return (NOTE,) if keep_text else ()


def add_texts(folder: Path, model: str, spoken: Iterable[GeneratedTexts]) -> None:
    """Put what one model said beside what others said, in a file that this user alone can read.

    A line for each example that was asked: its group and id, the prompt, the answer, and what each
    model said by its label. Nothing is written where nothing was said.

    Args:
        folder: where `texts.jsonl` is, or will be.
        model: the label.
        spoken: what it said.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for model, said in (("original", "Lund."), ("unlearned", "No idea.")):
        ...     add_texts(folder, model, [Spoken("forget", "forget-0", "Where?", "Lund.", said)])
        >>> json.loads((folder / "texts.jsonl").read_text("utf-8"))["said"]
        {'original': 'Lund.', 'unlearned': 'No idea.'}
    """
    file = folder / PRIVATE
    there = file.read_text("utf-8").split("\n") if file.exists() else []
    lines = {(line["group"], line["id"]): line for line in map(json.loads, filter(None, there))}
    for group, id, prompt, answer, said in spoken:
        new = {"group": group, "id": id, "prompt": prompt, "answer": answer, "said": {}}
        lines.setdefault((group, id), new)["said"][model] = said
    written = [json.dumps(line, ensure_ascii=False) + "\n" for line in lines.values()]
    if written:
        folder.mkdir(parents=True, exist_ok=True)
        write_private(file, "".join(written))


def write_private(file: Path, text: str) -> None:
    """Whole or not at all, and never readable by others, not even while it is written."""
    part = file.with_name(f".{file.name}.part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
        out.write(text)
    os.replace(part, file)
