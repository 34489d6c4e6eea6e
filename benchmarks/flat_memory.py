"""Does the loss stage's memory grow with the rows? From 256 to 16,384 of them.

    python benchmarks/flat_memory.py --plot docs/flat-memory.png

Width 512, a vocabulary of 128,256, float32, chunks of 128 rows. What must grow is what is as large
as the hidden states, rows times width: the supervised rows of them or of their gradient, the
gradient of all positions, and the rows of the model before where there is one. Beyond these two or
three, the memory is to stay within 10% of what 256 rows need. The naive way is measured as far as
it stays under 5 GB.
"""

import argparse
from pathlib import Path

from measure import RESULTS, peak, write_csv
from stage import WITH_TEACHER, Case, make

ROWS = [256, 512, 1024, 4096, 16_384]
LIMIT = 5000  # MiB
COLOURS = {"UnDIAL": "#0072B2", "Unilogit": "#D55E00"}  # Okabe and Ito's
CASES = [Case(loss, 0, frozen) for loss in COLOURS for frozen in (False, True)]
HEADER = ["loss", "head", "rows", "naive MiB", "ours MiB", "rows x width MiB", "growth", "verdict"]


def states(case: Case) -> float:
    """MiB of something as large as the hidden states."""
    return case.rows * case.width * 4 / 2**20


def rest(case: Case, peak: float) -> float:
    """MiB without what must grow."""
    return peak - (2 + (case.loss in WITH_TEACHER)) * states(case)


def measured(case: Case, naive_so_far: list[float]) -> tuple[float | None, float]:
    """The naive way's peak, unless twice the last one is too much, and ours."""
    found = None
    if not naive_so_far or 2 * naive_so_far[-1] < LIMIT:
        found = peak(make, ("naive", case), ("naive", case.small()))
    return found, peak(make, ("ours", case), ("ours", case.small()))


def plot(rows: list[list], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.5, 3.8), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for panel, head in zip(panels, ("trainable", "frozen"), strict=True):
        for loss, colour in COLOURS.items():
            own = [r for r in rows if r[0] == loss and r[1] == head]
            counts = [r[2] for r in own]
            naive = [r for r in own if r[3] != ""]
            panel.plot(counts, [r[4] for r in own], "o-", color=colour, label=f"{loss}, ours")
            panel.plot([r[2] for r in naive], [r[3] for r in naive], "o--", color=colour, alpha=0.5,
                       label=f"{loss}, naive")  # fmt: skip
        panel.plot(counts, [r[5] for r in own], ":", color="#666666", label="rows x width")
        panel.set_title(f"{head} head", fontsize=10, loc="left")
        panel.set_xscale("log", base=2)
        panel.set_yscale("log")
        panel.set_xlabel("rows", fontsize=9)
        panel.grid(color="#e6e6e6", linewidth=0.8)
        for side in panel.spines.values():
            side.set_visible(False)
    panels[0].set_ylabel("MiB above the inputs", fontsize=9)
    panels[1].legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="tiny; keeps nothing")
    parser.add_argument("--plot", type=Path)
    args = parser.parse_args()
    rows = []
    for case in CASES:
        naive: list[float] = []
        first = None
        for count in ROWS[:2] if args.smoke else ROWS:
            here = case._replace(rows=count, vocabulary=1000 if args.smoke else case.vocabulary)
            usual, ours = measured(here, naive)
            naive += [] if usual is None else [usual]
            first = first or rest(here, ours)
            growth = rest(here, ours) / first
            verdict = "pass" if growth <= 1.1 else "miss"
            head = "frozen" if case.frozen else "trainable"
            shown = "" if usual is None else usual
            rows.append([case.loss, head, count, shown, ours, states(here), growth, verdict])
            print(*rows[-1], flush=True)
    if args.plot:
        plot(rows, args.plot)
    if not args.smoke:
        write_csv(RESULTS / "flat-memory.csv", HEADER, rows)


if __name__ == "__main__":
    main()
