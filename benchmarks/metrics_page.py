"""docs/metrics.md from the registries: `python benchmarks/metrics_page.py` writes it anew."""

from collections.abc import Iterable
from pathlib import Path

from unteach.metrics import COMPARISONS, METRICS, Comparison, Metric
from unteach.metrics._described import described

PAGE = Path(__file__).resolve().parents[1] / "docs" / "metrics.md"
HEAD = """\
# Metrics

What each number means, what it should be like, and what it cannot tell. This page is made from the
code by `python benchmarks/metrics_page.py`; a test holds the two together.

A metric reads the rows of one model; a comparison also those of the models beside it: the
*original* (before unlearning) and the *retrained* one (that never saw the forget set). The best
unlearned model is not the one with the lowest numbers, it is one like the retrained model. Where
none is given, what a retrained model scores stands here in words.

*Should be* is a direction: `low` is towards what a retrained model has, and below it is
over-forgotten. `unchanged` means as before unlearning: no model ever saw the holdout texts.

Every mean, share, AUC and TPR has a 95% interval over examples: how each is made, and how often it
holds the truth, is on the page about [intervals](concepts/intervals.md). What cannot be measured
says why.
"""


def page() -> str:
    """The whole page."""
    metrics = [METRICS.get(name) for name in METRICS]
    comparisons = [COMPARISONS.get(name) for name in COMPARISONS]
    parts = [
        HEAD,
        "## Metrics of one model\n",
        *map(_entry, _without(metrics)),
        "## Comparisons with the models beside it\n",
        *map(_entry, _without(comparisons)),
    ]
    for project in sorted({found.compat for found in (*metrics, *comparisons)} - {""}):
        variants = [found for found in (*metrics, *comparisons) if found.compat == project]
        parts += [f"## Variants of {project}\n", f"Computed for `compat={project}` only.\n"]
        parts += map(_entry, variants)
    return "\n".join(parts)


def _without(found: Iterable) -> list:
    return [one for one in found if not one.compat]


def _entry(found: Metric | Comparison) -> str:
    listed = "\n".join(f"- {heading}: {text}" for heading, text in described(found).items())
    return f"### {found.name}\n\n{found.help[0].upper()}{found.help[1:]}.\n\n{listed}\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
