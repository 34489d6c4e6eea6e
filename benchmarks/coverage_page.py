# ruff: noqa: E501 (rows of Markdown tables)
"""docs/concepts/intervals.md, from the lines of benchmarks/results/coverage.csv."""

import math

import numpy as np

LEAST = 0.92  # what counts as holding


HEAD = """\
# Intervals: how often they hold the truth

Every number comes with a 95% interval. Below is how often such intervals hold the truth when samples
of a known truth are drawn (`benchmarks/coverage.py`, {times} samples a cell, every cell in
`benchmarks/results/coverage.csv`; chance moves a share of {few} by about {error:.1%}). At least
92% from 20 examples on is what we ask of means, shares, AUCs and TPRs; what holds less is said below.

**What is meant by the truth** is the value that all texts of that kind would give, of which yours are a
sample. Clusters (twenty questions about one person) count as one text more than as twenty: then the
intervals are too narrow. From Python, `mean_score` takes the mean of each cluster and its size as the
weight; the table has it as "clusters".

## How they are made

- **Means.** The question is where the mean lies when each example counts as often as chance would have
  it, beside one example that was not seen (Bayesian bootstrap, Rubin 1981; Gaffke 2005 for values
  between two ends). The unseen one lies beyond the greatest by the last gap, more the rarer great
  values are, and at the end of the range where all are alike: so 40 zeros have an upper end of 0.076. It
  counts 3/4 of an example; counting 1 it would give Clopper and Pearson's interval for zeros and ones.
  Nothing is drawn: the tail is computed (Lugannani and Rice's saddlepoint formula).
- **Means by token** (perplexity, divergence: nothing is their upper end, and long answers count more). The
  unseen answer is as long as the most extreme one, at least as long as the mean; it lies at most 25 times
  the last gap beyond it. Where all values are alike, such as 20 answers of which none was surprising at
  all, **no upper end is known**, and none is given: any finite one can be made to fail (Bahadur and Savage
  1956). In the table such an interval holds what is not below its lower end, and a column says how often
  that was; the width is of the others.
- **Shares**: Clopper and Pearson's exact interval.
- **AUC**: Newcombe's method 5 (2006), a score interval by Hanley and McNeil's variance, with Student's t for
  the smaller group in place of 1.96 (without it 91 of 100 held at an AUC of 0.9, 20 against 400), and with DeLong's
  variance where that is greater. It has ends at 0 and at 1.
- **TPR at 1% FPR** is for the threshold that 1 in 100 of *all* never-seen texts reach. Where it lies among
  the holdout texts is known by chance alone, so the interval mixes over that. With fewer than 368
  holdout texts it may lie above all of them (more often than 25 times in 1,000), so the lower end is
  0, whatever the members score: too few to tell, and the note says so.
- **Differences** add the distances of the ends as independent errors are (MOVER, Zou and Donner 2008);
  for two models on the same texts that is wider than need be.
- **Closeness** draws examples; the upper end is moved by what two samples of the same differ by.
- **Never seen** (what a forget set would score) is the holdout's interval, sqrt(1 + m/n) as long.
- **Several runs**: Student's t over the runs, never narrower than the runs' own intervals.

## What was measured

Least and middle share of intervals that held the truth, over the shapes of a kind; the width is the mean
over the shapes, "no upper end" the greatest share over them, and the last column how many times as wide ours is as the narrowest usual interval
that holds 92% in the same cell (Student's t, percentile bootstrap, Wilson; DeLong, plain and on the
log-odds; middle over the cells where one holds).

"""
TAIL = """
## What does not hold

{worst}
- Means by token are wide where nearly all values are 0 and the rest may be anything: with 9 in 10 zero at 20
  examples some 15 times Student's t, which holds 63 in 100 there. Where lengths grow with the values
  without end (5 + 20 x tokens for log-normal x), 83 in 100 are held at 20 examples.
- Values in the middle of the range of which one in ten lies anywhere (0.40 to 0.42, else uniform): 69% at
  20 examples, 98% at 100. No sample of 20 without such a value tells that there are any.
- `privleak`, utility and folded runs are bootstraps and t-intervals; near the ends of their range they
  hold as the table says. Forget quality is a p-value and has no interval, and neither have
  `utility_ratio`, `membership_auc_loss_gap` and the OpenUnlearning aggregate.
- Closeness has no interval where all draws agree (as with a value of 0), and none is claimed then.
"""


def page(lines):
    """The whole page from the lines of the CSV."""
    few, many = (end(int(line["times"]) for line in lines) for end in (min, max))
    times = str(many) if few == many else f"{few} or {many:,}"
    text = HEAD.format(times=times, few=few, error=math.sqrt(0.95 * 0.05 / few))
    text += "| | n | others | least | middle | width | no upper end | against the usual |\n"
    text += "|---|---:|---:|---:|---:|---:|---:|---:|\n"
    kinds = {}
    for line in lines:
        kinds.setdefault((line["kind"], line["n"], line["others"]), []).append(line)
    for (kind, n, others), cells in kinds.items():
        held = sorted(float(c["covered"]) for c in cells)
        widths = [float(c["width"]) for c in cells]
        times = [
            float(c["width"]) / float(c["its width"]) for c in cells if float(c["its width"] or 0)
        ]
        beside = others if kind in ("AUC", "TPR at 1% FPR", "never seen") else ""
        ratio = f"{np.median(times):.2f}" if times else ""
        text += f"| {kind} | {n} | {beside} | {held[0]:.2f} | {np.median(held):.2f} | "
        unbounded = max(float(c["no upper end"]) for c in cells)
        text += f"{np.mean(widths):.3f} | {f'{unbounded:.3f}' if unbounded else ''} | {ratio} |\n"
    low = [c for c in lines if float(c["covered"]) < LEAST and int(c["n"]) >= 20
           and (c["kind"] not in ("AUC", "TPR at 1% FPR") or int(c["others"]) >= 20)]  # fmt: skip
    worst = [
        f"- {c['kind']}, {c['shape']}, n {c['n']} and {c['others']}: {c['covered']}" for c in low
    ]
    return text + TAIL.format(
        worst="\n".join(worst) or "- No cell from 20 examples on is below 92%."
    )
