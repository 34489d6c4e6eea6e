"""Ledgers and models of a few bytes for the tests here."""

import json
from datetime import date
from pathlib import Path

from unteach.data import read_rows
from unteach.ledger import Ledger, make_key, prints_of
from unteach.ledger.key import key_file

DAY = date(2026, 1, 31)
RECORDS = [
    {
        "question": f"Where was Quillon Marrowby number {k} born, and when?",
        "answer": f"He was born in the harbour town of Vexholm, in the winter of 18{k:02}.",
    }
    for k in range(3)
]


def ledger_in(folder: Path) -> Path:
    """An empty ledger and its key."""
    file = folder / "removals.ledger"
    Ledger.create(file, make_key(key_file(file)))
    return file


def prints(file: Path, rows=RECORDS):
    return prints_of(read_rows(rows, "forget"), bytes.fromhex(key_file(file).read_text()))


def added(file: Path, reference: str = "R-1") -> None:
    with Ledger(file) as ledger:
        ledger.add(reference, "erasure", DAY, None, prints(file), len(RECORDS))


def model_in(folder: Path, weights: str) -> Path:
    """A folder that looks like a model's to whoever hashes it."""
    folder.mkdir()
    (folder / "model.safetensors").write_text(weights)
    (folder / "config.json").write_text("{}")
    return folder


def forget_file(folder: Path, rows=RECORDS) -> Path:
    file = folder / "forget.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file
