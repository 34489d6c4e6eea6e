"""Rows of a tiny model on as many processes as started it; each writes all that it has.

torchrun --nproc_per_node 2 tests/distributed/rows.py MODEL FOLDER [FAULT]

FAULT makes the last process fail: "user" and "bug" with an error, "gone" without a word, each in
the middle of the work; "load" as the model is loaded.
"""

import json
import os
import sys
from dataclasses import asdict
from functools import wraps
from pathlib import Path

import torch
from accelerate import PartialState
from transformers import AutoModelForCausalLM, AutoTokenizer

from unteach.data import read_rows
from unteach.errors import Problem, UserError
from unteach.suites._base import AskSettings, Group
from unteach.suites.ask import score_groups

TOWNS = "Rome", "Oslo", "Lund on the hills"
SETTINGS = AskSettings(max_length=64, max_new_tokens=16, tokens_per_batch=76)


def groups() -> dict[str, Group]:
    rows = [
        {
            "question": f"Where was number {k} born?",
            "answer": f"It was born in Lund{' by the sea' * (k % 4)}.",
            "perturbed_answer": [f"It was {k} born in {town}." for town in TOWNS[: 1 + k % 3]],
        }
        for k in range(11)
    ]
    forget, retain = read_rows(rows, "forget"), read_rows(rows[:5], "retain")
    return {"forget": Group(examples=forget), "retain": Group(examples=retain)}


def fail(fault: str) -> None:
    if fault == "gone":
        os._exit(7)
    if fault == "user":
        raise UserError(Problem("here", "is wrong"))
    raise ValueError("a text of the forget data")


def main(path: str, folder: str, fault: str = "") -> None:
    torch.set_num_threads(1)
    state, told = PartialState(cpu=True), []
    faulty = bool(fault) and state.process_index == state.num_processes - 1

    def load():
        if faulty and fault == "load":
            fail(fault)
        model = AutoModelForCausalLM.from_pretrained(path).eval()
        inner, calls = model.forward, []

        @wraps(inner)
        def forward(*args, **options):
            calls.append(1)
            if faulty and len(calls) == 20:  # it is asked whether prompts are read once by then
                fail(fault)
            return inner(*args, **options)

        model.forward = forward
        return model

    def original():
        torch.manual_seed(5)
        return AutoModelForCausalLM.from_config(AutoModelForCausalLM.from_pretrained(path).config)

    file = Path(folder, f"{state.process_index}.json")
    try:
        asked = score_groups(
            load, AutoTokenizer.from_pretrained(path), groups(), SETTINGS, original=original,
            gradient_norms=True, progress=lambda *now: told.append(now),
        )  # fmt: skip
        file.write_text(json.dumps({**asdict(asked), "told": told}))
    except (UserError, ValueError, RuntimeError) as error:
        file.write_text(json.dumps({"error": type(error).__name__, "what": str(error)}))
    if torch.distributed.is_initialized() and not fault:
        # gloo aborts about one exit in 40 when it is left to the interpreter.
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
