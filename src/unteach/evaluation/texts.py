"""Write generated texts of all models to `texts.jsonl`, only if the user requests it."""

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
    """The report's note on the file of texts; empty where there is none."""
    return (NOTE,) if keep_text else ()


def add_texts(folder: Path, model: str, spoken: Iterable[GeneratedTexts]) -> None:
    """Add the generated texts of one model to a file that only this user can read.

    One line per example: its group and id, the prompt, the answer, and the generated text of each
    model by label. Nothing is written where there are no texts.

    Args:
        folder: of `texts.jsonl`.
        model: label of the model.
        spoken: its generated texts.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for model, said in (("original", "Lund."), ("unlearned", "No idea.")):
        ...     text = GeneratedTexts("forget", "forget-0", "Where?", "Lund.", said)
        ...     add_texts(folder, model, [text])
        >>> json.loads((folder / "texts.jsonl").read_text("utf-8"))["said"]
        {'original': 'Lund.', 'unlearned': 'No idea.'}
    """
    file = folder / PRIVATE
    present = file.read_text("utf-8").split("\n") if file.exists() else []
    lines = {(line["group"], line["id"]): line for line in map(json.loads, filter(None, present))}
    for group, id, prompt, answer, said in spoken:
        new = {"group": group, "id": id, "prompt": prompt, "answer": answer, "said": {}}
        lines.setdefault((group, id), new)["said"][model] = said
    written = [json.dumps(line, ensure_ascii=False) + "\n" for line in lines.values()]
    if written:
        folder.mkdir(parents=True, exist_ok=True)
        write_private(file, "".join(written))


def write_private(file: Path, text: str) -> None:
    """Write a file atomically; it is never readable by other users, not even while written."""
    part = file.with_name(f".{file.name}.part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
        out.write(text)
    os.replace(part, file)
