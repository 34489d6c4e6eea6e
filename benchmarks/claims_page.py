"""The page on the papers' claims, from the claims' files and the list of runs alone."""

import csv
import re
from itertools import pairwise
from pathlib import Path

from claim import PAPERS, VERDICTS, Claim, Found, Run, verdict
from runs import markdown

REACHED = "epochs to the level"  # a column that is read off the curves
CURVE = " by epoch"
WORLDS = 3  # on which a claim is measured
BROKEN = {"M": 0.0, "P": 0.0, "U": 0.0, "total": 0.0, "M and U": 0.0}
BROKEN |= {"retain probability": 0.0, "world probability": 0.0, "utility": 0.0}


def read_csv(file: Path) -> list[dict[str, str]]:
    if not file.exists():
        return []
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def missing(claim: Claim, lines: list[dict[str, str]], worlds) -> list[tuple[Run, int]]:
    """Runs of the claim that the list lacks, and on which world; each once."""
    there = {(line["run"], int(line["world"])) for line in lines}
    runs = {str(run): run for run in claim.runs.values()}
    return [(run, w) for name, run in runs.items() for w in worlds if (name, w) not in there]


def common(claim: Claim, lines: list[dict[str, str]]) -> list[int]:
    """Worlds on which every run of the claim was made."""
    each = [{int(x["world"]) for x in lines if x["run"] == str(r)} for r in claim.runs.values()]
    return sorted(set.intersection(*each)) if each else []


def found_of(claim: Claim, lines: list[dict[str, str]]) -> Found | None:
    """What the list has of the claim, on the worlds that all its runs share; None without any."""
    worlds = common(claim, lines)
    if claim.runs and not worlds:
        return None
    by_run = {(x["run"], int(x["world"])): x for x in lines}
    return Found({
        label: [numbers(by_run[str(run), world]) for world in worlds]
        for label, run in claim.runs.items()
    })  # fmt: skip


def numbers(line: dict[str, str]) -> dict[str, float]:
    """The numbers of a line; a run whose loss broke kept nothing. Curves give what is read off."""
    found = dict(BROKEN) if line["failed"] else {}
    for name, text in line.items():
        if text and name not in ("run", "failed") and not name.endswith(CURVE):
            found[name] = float(text)
    curves = {
        n.removesuffix(CURVE): [*map(float, line[n].split())] for n in line if n.endswith(CURVE)
    }
    return {**found, **of_curves(curves)}


def of_curves(curves: dict[str, list[float]]) -> dict[str, float]:
    """What is read off a run's epochs.

    The level is that of the holdout answers at the same epoch: no likelier than never seen. A run
    that does not reach it counts one epoch more than it has.
    """
    forget, holdout, retain = (curves.get(role, []) for role in ("forget", "holdout", "retain"))
    if not forget:
        return {}
    there = [k for k, (a, b) in enumerate(zip(forget, holdout, strict=True), 1) if a <= b]
    first = there[0] if there else len(forget) + 1
    rises = [b - a for a, b in pairwise(forget)]
    late = forget[-3:]
    return {
        REACHED: first,
        "reached": float(bool(there)),
        "retain at the level": retain[min(first, len(retain)) - 1],
        "largest rise": max([*rises, 0.0]),
        "moved in the last epochs": max(late) - min(late),
        "lowest retain": min(retain),
    }


def page(claims: dict[str, Claim], lines: list[dict[str, str]]) -> str:
    """Markdown of all claims: a table of the verdicts, then each."""
    judged = {name: judge(claim, lines) for name, claim in claims.items()}
    table = [
        [PAPERS[c.paper].split(",")[0], f"[{c.title}](#{anchor(c.title)})", judged[name][0]]
        for name, c in claims.items()
    ]
    count = {v: sum(found[0] == v for found in judged.values()) for v in VERDICTS}
    told = ", ".join(f"{v}: {n}" for v, n in count.items() if n)
    parts = [HEAD.format(told=told)]
    parts += [markdown(["paper", "claim", "verdict"], table).replace("---:", "---")]
    paper = ""
    for name, claim in claims.items():
        parts += [f"## {PAPERS[claim.paper]}"] * (claim.paper != paper)
        paper = claim.paper
        parts += section(name, claim, common(claim, lines), *judged[name])
    return "\n\n".join(parts) + "\n"


def judge(claim: Claim, lines) -> tuple[str, list, Found | None]:
    """Verdict, parts and what was found."""
    if claim.untested:
        return VERDICTS[3 if claim.command else 4], [], None
    found = found_of(claim, lines)
    if found is None:
        return VERDICTS[3], [], None
    parts = claim.judge(found)
    return verdict(parts), parts, found


def section(name: str, claim: Claim, worlds, word, parts, found: Found | None) -> list[str]:
    """One claim: what it says, what was done, the numbers, and what of it holds."""
    command = claim.command or f"python benchmarks/claims.py --work FOLDER --claims {name}"
    told = [
        f"### {claim.title}",
        f"**{word[0].upper()}{word[1:]}.** {claim.says} *Source:* {claim.where}.",
        f"*Here:* {claim.untested or claim.protocol}",
    ]
    if claim.command or not claim.untested:
        told.append(f"    {command}")
    if found and claim.runs and len(worlds) < WORLDS:
        told.append(f"Measured on {len(worlds)} of {WORLDS} worlds so far.")
    if found and claim.runs:
        told.append(markdown(["run", *claim.columns], rows(claim, found)))
    said = [f"- {'Holds' if part.holds else 'Does not hold'}: {part.says}." for part in parts]
    return [text for text in (*told, "\n".join(said), claim.remark) if text]


def rows(claim: Claim, found: Found) -> list[list[str]]:
    columns = claim.columns.values()
    return [[label, *(found.show(label, column) for column in columns)] for label in claim.runs]


def anchor(title: str) -> str:
    """The name that a heading has in a link."""
    return re.sub(r"[^\w]+", "-", re.sub(r"[^\w\s-]", "", title.lower())).strip("-")


HEAD = """# The papers' claims, one by one

What the papers of the four methods say of them, and what comes out here. Each claim is in our
words; each has its command, its numbers and a verdict. By `benchmarks/claims.py` from
`benchmarks/results/claims.csv`; a claim is a file of `benchmarks/claims/`.

**On what.** Unless a claim says otherwise: demo worlds 11, 12 and 13, on which no setting was
ever chosen, with the preset `tiny` (a Llama of 2 layers and width 128, trained from nothing; 6 of
30 people are to be forgotten, 120 answers). A batch is 16 answers; training neither stops early
nor is drawn back (`stop_at` 0, `draw_back` never), as the papers have neither. Numbers are means
over the worlds, the lowest and the highest in brackets. Small models from nothing are not the
papers' models of 1 to 8 billion weights: *does not hold here* is no refutation. The papers were
mostly read at second hand (their abstracts, reviews and code), so a claim may have a condition
that we missed.

**What the numbers are.** *M*, *P*, *U*: memorisation gone, privacy, utility kept, each from 0 to
1 (`benchmarks/score.py`); *M and U* is their harmonic mean, which asks what the
papers ask (how much is forgotten, how much is kept); *total* has *P* too, so that it falls where
the answers end less likely than never seen. *Never seen* is the level of the holdout answers.
*More* means by at least 0.02 in the mean, and less on no world.

**Verdicts.** {told}."""
