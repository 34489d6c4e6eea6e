"""Describe a metric in words: what its value should be, its range, its definition, its paper."""

import math

from unteach.metrics._base import Comparison, Metric


def described(found: Metric | Comparison) -> dict[str, str]:
    """Return the facts about a metric or a comparison, by their headings; empty ones are left out.

    Example:
        >>> from unteach.metrics import METRICS
        >>> described(METRICS.get("exact_memorization"))["range"]
        '0 to 1'
    """
    facts = {
        "should be": _should_be(found),
        "range": " to ".join(map(_end, found.range)),
        "a retrained model": found.retrained,
        "how a useless model scores well": found.gaming,
        "defined as": _first_paragraph(found.function.__doc__ or ""),
        "paper": "none; defined here",
    }
    if paper := found.paper:
        facts["paper"] = f"[{paper.title}]({paper.url}), {paper.year} ({paper.where})"
    return {heading: text for heading, text in facts.items() if text}


def _should_be(found: Metric | Comparison) -> str:
    if isinstance(found, Comparison):
        return found.should_be
    groups = found.groups or [group for group in found.direction if group]
    texts: dict[str, list[str]] = {}
    for group in groups:
        texts.setdefault(found.should_be(group), []).append(group)
    parts = [f"{text} on {_listed(names)}" for text, names in texts.items()]
    if not found.groups:
        parts.append(found.direction[""] + (" elsewhere" if parts else ""))
    return "; ".join(parts)


def _listed(names: list[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _end(value: float) -> str:
    return "no end" if math.isinf(value) else f"{value:g}"


def _first_paragraph(doc: str) -> str:
    """Return the first paragraph of a docstring in one line, without its full stop."""
    return " ".join(doc.strip().split("\n\n")[0].split()).removesuffix(".")
