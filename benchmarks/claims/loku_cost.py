"""Adapters take less memory and time than training all weights."""

import csv
from pathlib import Path

from claim import Claim, Found, Part, Run, options

SIZE = Path(__file__).resolve().parents[1] / "results" / "size.csv"
FULL = options(adapter__kind="full", adapter__init="default")
PARTS = ("gradients", "optimiser state", "peak")


def measured(kind: str) -> dict[str, float]:
    """Megabytes of a step of UnDIAL, which has the same adapters."""
    with SIZE.open(encoding="utf-8", newline="") as file:
        lines = [x for x in csv.DictReader(file) if x["case"] == f"wide, undial, {kind}, 4x1x64"]
    return {line["part"]: float(line["measured MB"]) for line in lines}


def judge(found: Found) -> list[Part]:
    full, lora = measured("full"), measured("lora")
    told = ", ".join(
        f"{part} {lora[part]:.1f} against {full[part]:.1f} MB" for part in PARTS if part in full
    )
    return [
        Part(lora["peak"] < full["peak"], f"{told} with all weights (a Llama of 29M weights)"),
        Part(
            found.more("all weights", "adapters, FILA", "seconds", by=0.0),
            f"{found.show('adapters, FILA', 'seconds')} s of processor time with FILA and its "
            "Fisher "
            f"information, {found.show('adapters', 'seconds')} without, "
            f"{found.show('all weights', 'seconds')} with all weights",
        ),
    ]


CLAIM = Claim(
    title="LoKU: less memory and time than all weights",
    paper="loku",
    where="the paper's account of its cost",
    says="Training the adapters takes less memory and less time than training all weights.",
    protocol="Memory: of one step, measured before (`benchmarks/results/size.csv`, UnDIAL's step, "
    "the same adapters; a vocabulary of 16,384). Time: of whole runs of 10 epochs on the demo "
    "worlds, beside other work, so roughly.",
    judge=judge,
    runs={
        "adapters, FILA": Run("loku", 1e-3),
        "adapters": Run("loku", 1e-3, options=options(adapter__init="default")),
        "all weights": Run("loku", 1e-3, options=FULL),
    },
    columns={"CPU seconds": "seconds", "M and U": "M and U"},
    remark="FILA itself needs two further numbers for each targeted weight while it measures, "
    "which is as much as Adam's state of all weights.",
)
