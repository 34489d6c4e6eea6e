"""Memory and time of the loss stage against the losses as they are usually programmed.

    python benchmarks/loss_stage.py

From hidden states of width 512 to their gradients and the head's, a vocabulary of 128,256, chunks
of 128 rows. All rows are supervised on both sides, so that only the stage itself is compared: what
is saved by leaving out prompts is not in these figures. *Products alone* is the time of the matrix
products that no way can do without, in the same chunks.
"""

import argparse

from measure import Line, machine, peak, report, seconds
from stage import Case, make, make_products

SLOWER = 1 / 1.1  # no loss may take longer than that
FASTER = {"Unilogit": 1.3, "hinge": 2.0}
LEANER = {
    # loss, rows, frozen, dtype
    ("UnDIAL", 1024, False, "float32"): 8.0,
    ("UnDIAL", 512, True, "float32"): 12.0,
    ("Unilogit", 512, True, "float32"): 25.0,
    ("hinge", 512, True, "float32"): 25.0,
}
LOSSES = ("UnDIAL", "Unilogit", "hinge", "NPO", "retain KL")
SETTINGS = ((1024, False, "float32"), (512, True, "float32"), (1024, False, "bfloat16"))


def memory(case: Case) -> Line:
    peaks = [peak(make, (side, case), (side, case.small())) for side in ("naive", "ours")]
    goal = 3.0 if case.dtype == "bfloat16" else LEANER.get(case[:4])
    return Line(str(case), "MiB", *peaks, goal)


def time(case: Case, pairs: int) -> Line:
    sides = [(make, (side, case)) for side in ("naive", "ours")]
    naive, ours, products = seconds([*sides, (make_products, (case,))], pairs)
    return Line(str(case), "s", naive, ours, FASTER.get(case.loss, SLOWER), products)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="tiny; keeps nothing")
    parser.add_argument("--losses", nargs="+", default=LOSSES)
    parser.add_argument("--pairs", type=int, default=5)
    args = parser.parse_args()
    cases = [Case(loss, *setting) for setting in SETTINGS for loss in args.losses]
    timed = [Case(loss, 512, frozen) for frozen in (False, True) for loss in args.losses]
    if args.smoke:
        cases, timed = ([case.small() for case in some] for some in (cases, timed))
    lines = []
    for case in cases:
        lines.append(memory(case))
        print(lines[-1], flush=True)
    for case in timed:
        lines.append(time(case, args.pairs))
        print(lines[-1], flush=True)
    print(f"\n{machine()}\n")
    report("loss-stage", lines, keep=not args.smoke)


if __name__ == "__main__":
    main()
