"""How often the 95% intervals hold the truth, by simulation: the table, and the page about it.

    python benchmarks/coverage.py              # simulates (minutes), writes CSV and page
    python benchmarks/coverage.py --page       # writes the page from the CSV that is there

Each cell draws samples of a known truth. Beside ours stand the usual intervals, so that one that
holds by being wide shows.
"""

import argparse
import csv
import math
import zlib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from coverage_page import LEAST, page
from coverage_roc import FORMS, roc_area, start
from scipy.stats import beta, norm, t

from unteach.metrics._draws import Part, together
from unteach.metrics._values import area
from unteach.metrics.closeness import _share
from unteach.metrics.difference import difference
from unteach.metrics.intervals import Z, mean_score, perplexity_score, share_score
from unteach.metrics.privleak import leak
from unteach.metrics.rows import MissingRows, ModelCase
from unteach.metrics.utility import Table, _bootstrap, harmonic_mean
from unteach.metrics.yardstick import predicted
from unteach.report.fold import mean_over_runs
from unteach.types import Row, Score

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "coverage.csv"
PAGE = HERE.parent / "docs" / "concepts" / "intervals.md"
TIMES = 1000
SIZES = ((10, 10), (20, 20), (40, 40), (100, 100), (400, 400), (20, 400), (400, 20))
AREAS = (0.5, 0.9, 0.95, 0.99, 1.0)
COLUMNS = ("kind", "shape", "n", "others", "covered", "width", "no upper end", "best other",
           "its width")  # fmt: skip


def cell(job):
    """One line of the table: our interval and the narrowest usual one that holds."""
    kind, shape, m, n, times = job
    rng = np.random.default_rng([m, n, zlib.crc32(f"{kind}, {shape}".encode())])
    ours, rivals, truth = [], {}, None
    for _ in range(times):
        found, truth, beside = KINDS[kind](rng, shape, m, n)
        ours.append((found.low, found.high))
        for name, ends in beside.items():
            rivals.setdefault(name, []).append(ends)
    covered, width = judged(ours, truth)
    unbounded = sum(high is None and low is not None for low, high in ours) / times
    held = {name: judged(ends, truth) for name, ends in rivals.items()}
    held = {name: w for name, (c, w) in held.items() if c >= LEAST}
    best = min(held, key=held.get, default="")
    return [kind, shape, m, n, f"{covered:.3f}", f"{width:.4f}", f"{unbounded:.3f}", best,
            f"{held[best]:.4f}" if best else ""]  # fmt: skip


def judged(ends, truth):
    """Share of the intervals that hold the truth, and mean width of those that have an upper end.

    One without an upper end holds what is not below it; a missing one holds nothing.
    """
    there = [(low, math.inf if high is None else high) for low, high in ends if low is not None]
    slack = 1e-9  # of rounding, at 0 and at 1
    held = sum(low - slack <= truth <= high + slack for low, high in there)
    widths = [high - low for low, high in there if math.isfinite(high)]
    return held / len(ends), float(np.mean(widths or [math.nan]))


MEANS = {
    "uniform": (lambda r, n: r.random(n), 0.5),
    "beta(2, 5)": (lambda r, n: r.beta(2, 5, n), 2 / 7),
    "beta(1/2, 1/2)": (lambda r, n: r.beta(0.5, 0.5, n), 0.5),
}
SHAPES = {
    f"{share:.0%} {end}, rest {name}": (share, end, name)
    for share in (0, 0.5, 0.8, 0.9, 0.95)
    for name in MEANS
    for end in ("zeros", "ones")
}
OTHER = {
    "exp(-E)": (lambda r, n: np.exp(-r.exponential(size=n)), 0.5),
    "exp(-10 E)": (lambda r, n: np.exp(-10 * r.exponential(size=n)), 1 / 11),
    "narrow: beta(50, 50)": (lambda r, n: r.beta(50, 50, n), 0.5),
    "log-wide: Phi(2.5 N - 4.4)": (
        lambda r, n: norm.cdf(2.5 * r.normal(size=n) - 4.4), norm.cdf(-4.4 / math.hypot(1, 2.5))
    ),
    **{
        f"Bernoulli {p}": (lambda r, n, p=p: (r.random(n) < p) * 1.0, p)
        for p in (0.01, 0.05, 0.2, 0.5, 0.9)
    },
}  # fmt: skip


def mean(rng, shape, n, _):
    """Of values between 0 and 1."""
    if shape in OTHER:
        draw, truth = OTHER[shape]
        x = draw(rng, n)
    else:
        share, end, name = SHAPES[shape]
        draw, truth = MEANS[name]
        x = np.where(rng.random(n) < share, 0.0, draw(rng, n))
        truth *= 1 - share
        if end == "ones":
            x, truth = 1 - x, 1 - truth
    return mean_score(x.tolist()), truth, usual(x, np.ones(n), rng)


def usual(x, w, rng):
    """Student's t, the percentile bootstrap, and Wilson's as if the values were shares."""
    n, value = len(x), float((w * x).sum() / w.sum())
    half = t.ppf(0.975, n - 1) * (w * (x - value) / w.mean()).std(ddof=1) / math.sqrt(n)
    picks = rng.integers(0, n, (200, n))
    drawn = np.quantile((w * x)[picks].sum(1) / w[picks].sum(1), [0.025, 0.975])
    found = {"t": (value - half, value + half), "bootstrap": tuple(drawn)}
    if 0 <= value <= 1:
        centre = (value + Z * Z / (2 * n)) / (1 + Z * Z / n)
        spread = value * (1 - value) / n + Z * Z / (4 * n * n)
        half = Z / (1 + Z * Z / n) * math.sqrt(spread)
        found["Wilson"] = (centre - half, centre + half)
    return found


def share(rng, shape, n, _):
    given = (rng.random(n) < float(shape)).tolist()
    return share_score(given), float(shape), usual(np.array(given, float), np.ones(n), rng)


def spread(r, x):
    """Tokens of answers, whatever they are."""
    return r.integers(5, 60, len(x)).astype(float)


def growing(_, x):
    """Tokens where the extreme answers are the long ones."""
    return np.clip(np.round(20 * x), 5.0, 60.0)


def mostly_zero(r, n):
    return np.where(r.random(n) < 0.9, 0.0, r.exponential(size=n))


INDEPENDENT, GROWING = "5 to 60 tokens", "5 to 60 tokens, more for greater values"
WEIGHTED = {
    f"{name}, {tokens}": (draw, weigh)
    for name, draw in {
        "nats exponential": lambda r, n: r.exponential(size=n),
        "nats log-normal": lambda r, n: np.exp(r.normal(size=n)),
        "nats near 2 (normal)": lambda r, n: 2 + 0.4 * r.normal(size=n),
        "9 in 10 zero, rest exponential": mostly_zero,
    }.items()
    for tokens, weigh in ((INDEPENDENT, spread), (GROWING, growing))
}
TRUTHS = {}


def weighted_truth(shape):
    """From four million values."""
    if shape not in TRUTHS:
        draw, weigh = WEIGHTED[shape]
        rng = np.random.default_rng(7)
        x = draw(rng, 4_000_000)
        TRUTHS[shape] = float(np.average(x, weights=weigh(rng, x)))
    return TRUTHS[shape]


def weighted(rng, shape, n, _):
    draw, weigh = WEIGHTED[shape]
    x = draw(rng, n)
    w = weigh(rng, x)
    rivals = {k: v for k, v in usual(x, w, rng).items() if k != "Wilson"}
    return mean_score(x.tolist(), w.tolist(), (0.0, math.inf)), weighted_truth(shape), rivals


def clusters(rng, shape, n, _):
    """Shares of clusters with 1 to 20 members, each cluster an example that counts as its size."""
    truth = rng.beta(0.5, 0.5, n)
    size = rng.integers(1, 21, n) if shape == "as it comes" else 1 + np.floor(20 * truth)
    x = rng.binomial(size.astype(int), truth) / size
    value = 0.5 if shape == "as it comes" else CLUSTERED
    return mean_score(x.tolist(), size.astype(float).tolist()), value, usual(x, size, rng)


GRID = beta.ppf((np.arange(200_000) + 0.5) / 200_000, 0.5, 0.5)
CLUSTERED = float(np.average(GRID, weights=1 + np.floor(20 * GRID)))  # larger where greater


def perplexity(rng, shape, n, _):
    draw, weigh = WEIGHTED[shape]
    x = np.maximum(draw(rng, n), 0.0)
    w, truth = weigh(rng, x).astype(int), weighted_truth(shape)
    drawn = usual(x, w.astype(float), rng)
    rivals = {k: (math.exp(v[0]), math.exp(v[1])) for k, v in drawn.items() if k != "Wilson"}
    return perplexity_score(x.tolist(), w.tolist()), math.exp(truth), rivals


def paired_gap(rng, shape, n, _):
    """Differences of two models' probabilities on the same texts, most of them none."""
    gone = float(shape)
    x = np.where(rng.random(n) < gone, 0.0, rng.uniform(-0.5, 1.0, n))
    rivals = {k: v for k, v in usual(x, np.ones(n), rng).items() if k != "Wilson"}
    return mean_score(x.tolist(), within=(-1.0, 1.0)), (1 - gone) / 4, rivals


def privacy_leak(rng, shape, n, _):
    """The model's AUC is as said, the retrained one's 1/2; each text is as hard for both."""
    area_ = float(shape)
    hard = rng.normal(size=(2, n))

    def model(a):
        own = math.sqrt(0.5) * (hard + rng.normal(size=(2, n)))
        own[0] += norm.ppf(a) * math.sqrt(2)
        return {g: [Row(id=str(k), tokens=9, logp=-1.0, min_k=x) for k, x in enumerate(xs)]
                for g, xs in zip(("forget", "holdout"), own.tolist(), strict=True)}  # fmt: skip

    try:
        found = leak(ModelCase(model(area_), retrained=model(0.5)), "min_k")
    except MissingRows:
        found = Score(None)
    return found, 100 * ((1 - area_) / 0.5 - 1), {}


def utility_mean(rng, shape, n, _):
    """Harmonic mean of three numbers of each example."""
    made = {
        "even": (rng.random((3, n)), [0.5] * 3),
        "high": (rng.beta(8, 2, (3, n)), [0.8] * 3),
        "one mostly 0": (
            np.stack(
                [rng.random(n), rng.random(n), np.where(rng.random(n) < 0.9, 0.0, rng.random(n))]
            ),
            [0.5, 0.5, 0.05],
        ),
    }  # fmt: skip
    values, means = made[shape]
    low, high = _bootstrap([Table(values, np.ones_like(values))])
    return Score(None, n, low, high), harmonic_mean(means), {}


def nearness(rng, shape, n, _):
    """closeness_forget of values exp(-level e^hard): the truth from 200,000 examples."""

    def part(rng, n):
        hard = rng.normal(0, 0.35, n)
        ours, before, never = (
            np.exp(-level * np.exp(hard + rng.normal(0, 0.3, n)))
            for level in (float(shape), 0.05, 1.6)
        )

        def of(draw):
            at = draw["forget"]
            return _share(area(ours[at], never[at]), area(before[at], never[at]))

        return Part(of, {"forget": n})

    if shape not in TRUTHS:
        whole = part(np.random.default_rng(7), 200_000)
        TRUTHS[shape] = float(whole.of({"forget": np.arange(200_000)[None]})[0])
    return together(part(rng, n)), TRUTHS[shape], {}


def gap(rng, shape, n, _):
    """Of two scores by their intervals (`difference`), on the same texts or on others."""
    base, zeros = rng.random(n), 0.9 if "zero" in shape else 0.0
    other = base if "same" in shape else rng.random(n)
    x, y = (np.where(rng.random(n) < zeros, 0.0, v) for v in (base, other))
    return difference(mean_score(x.tolist()), mean_score(y.tolist())), 0.0, {}


FOLDS = {
    "normal": (0.5, lambda r, k: r.normal(0.5, 0.05, k)),
    "skewed near 1": (0.9, lambda r, k: 1 - 0.1 * r.exponential(size=k)),
    "7 in 10 runs 0": (0.15, lambda r, k: np.where(r.random(k) < 0.7, 0.0, r.random(k))),
}


def folded(rng, shape, k, _):
    truth, draw = FOLDS[shape]
    return mean_over_runs([Score(float(x), 1) for x in draw(rng, k)], (0.0, 1.0)), truth, {}


NEW = {"uniform": (lambda r, n: r.random(n), 0.5), "9 in 10 zero": (
    lambda r, n: np.where(r.random(n) < 0.9, 0.0, r.random(n)), 0.05)}  # fmt: skip


def foreseen(rng, shape, m, n):
    """Whether a new set falls inside: the interval is moved, so that the truth is 0."""
    draw = NEW[shape][0]
    found, new = predicted([(x, 1.0) for x in draw(rng, m).tolist()], n), draw(rng, n).mean()
    low, high = (0.0 if end is None else end for end in (found.low, found.high))  # both are there
    return Score(None, m, low - new, high - new), 0.0, {}


KINDS = {
    "mean": mean, "share": share, "weighted mean": weighted, "clusters": clusters,
    "perplexity": perplexity,
    "AUC": roc_area, "TPR at 1% FPR": start, "probability gap": paired_gap, "difference": gap,
    "privacy leakage": privacy_leak, "utility": utility_mean, "closeness": nearness,
    "never seen": foreseen, "folded runs": folded,
}  # fmt: skip


def jobs(times):
    """All cells."""
    alone = [(n, n) for n in (10, 20, 40, 100, 400)]
    some = [(n, n) for n in (20, 100)]
    plan = [
        ("mean", [*SHAPES, *OTHER], alone),
        ("share", ("0.005", "0.02", "0.1", "0.5", "0.95"), alone),
        ("weighted mean", WEIGHTED, alone),
        ("clusters", ("as it comes", "larger where greater"), alone),
        ("perplexity", [s for s in WEIGHTED if "near 2" in s], alone),
        ("AUC", [f"{a} {form}" for a in AREAS for form in FORMS], SIZES),
        ("TPR at 1% FPR", [f"{a} {f}" for a in AREAS for f in ("normal", "tied")], SIZES),
        ("probability gap", ("0", "0.9"), alone),
        ("difference", ("same texts", "other texts", "other texts, 9 in 10 zero"), some),
        ("privacy leakage", ("0.05", "0.5", "0.9", "0.99"), some),
        ("utility", ("even", "high", "one mostly 0"), some),
        ("closeness", ("1.6", "1.3", "0.9", "0.3"), some),
        ("never seen", NEW, ((20, 20), (40, 200), (100, 100))),
        ("folded runs", FOLDS, ((2, 0), (3, 0), (5, 0))),
    ]  # fmt: skip
    return [
        (kind, s, m, n, times) for kind, shapes, sizes in plan for s in shapes for m, n in sizes
    ]


def simulate(args):
    """The cells that are asked for, in their places in the CSV; all of them by default."""
    some = args.kinds or args.sizes or args.below
    old = {}
    if some and RESULTS.exists():
        with RESULTS.open(encoding="utf-8") as file:
            old = {key(line := [*row.values()]): line for row in csv.DictReader(file)}
    wanted = [
        job
        for job in jobs(args.times)
        if (not args.kinds or job[0] in args.kinds)
        and (not args.sizes or job[2] in args.sizes)
        and (not args.below or float(old[key(job)][4]) < args.below)
    ]
    with ProcessPoolExecutor(args.processes) as pool:
        old |= {key(line): [*line, args.times] for line in pool.map(cell, wanted, chunksize=4)}
    place = {key(job): number for number, job in enumerate(jobs(0))}
    with RESULTS.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*COLUMNS, "times"))
        writer.writerows(old[at] for at in sorted(old, key=place.__getitem__))


def key(line):
    """Which cell a job or a line of the CSV is about."""
    kind, shape, m, n, *_ = line
    return kind, shape, int(m), int(n)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", action="store_true", help="from the CSV that is there")
    parser.add_argument("--times", type=int, default=TIMES)
    parser.add_argument("--kinds", nargs="*", help="only these, put in their place in the CSV")
    parser.add_argument("--sizes", nargs="*", type=int, help="likewise, only with so many examples")
    parser.add_argument("--below", type=float, help="likewise, only what held less by the CSV")
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    if not args.page:
        simulate(args)
    with RESULTS.open(encoding="utf-8") as file:
        PAGE.write_text(page(list(csv.DictReader(file))), encoding="utf-8")


if __name__ == "__main__":
    main()
