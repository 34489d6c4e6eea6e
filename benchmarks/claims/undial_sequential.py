"""UnDIAL serves sequential requests."""

import csv
from pathlib import Path

from claim import Claim, Found, Part

FILE = Path(__file__).resolve().parents[1] / "results" / "sequential.csv"
LAST, KEPT, WORSE = "10", 0.9, 0.05


def lines(method: str) -> list[dict[str, str]]:
    with FILE.open(encoding="utf-8", newline="") as file:
        return [x for x in csv.DictReader(file) if x["method"] == method]


def judge(_: Found) -> list[Part]:
    chain = [x for x in lines("undial") if x["replay"] == "no" and x["requests"] == LAST]
    once = [x for x in lines("undial") if x["requests"] == "all at once"]
    worst, band = (max(float(x[name]) for x in chain) for name in ("worst_p", "band"))
    kept, before = min(float(x["retain_kept"]) for x in chain), float(once[0]["worst_p"])
    return [
        Part(worst <= band, f"after ten requests the worst of the ten has p {worst:.2f}; one never "
             f"seen has at most {band:.2f}; all ten at once {before:.2f}"),
        Part(kept >= KEPT, f"{kept:.0%} of the retain answers' probability is kept"),
    ]  # fmt: skip


def untested() -> str:
    found = [x for x in lines("undial") if x["requests"] == LAST]
    return "" if found else "ten requests of one person each, one after the other."


CLAIM = Claim(
    title="UnDIAL: sequential requests",
    paper="undial",
    where="abstract; the protocol of the paper was not found",
    says="Requests that come one after the other are served without the model falling apart.",
    protocol="Ten requests of one person each on the demo world of seed 0, three orders "
    "(`benchmarks/results/sequential.md`), one strength for all tokens, drawn back "
    "to the holdout's level. Numbers are the worst of the orders.",
    judge=judge,
    untested=untested(),
    command="python benchmarks/sequential.py WORK --methods undial",
)
