"""Define the report's data on attacks, and read and write them as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from unteach.escaping import markdown, prose
from unteach.types import Paper, Score

PLAIN = "no attack"
BACK = 0.1  # recovery below which chance or a second retrained model could explain it
UNKNOWN = Score(None)


@dataclass(frozen=True, kw_only=True)
class Worst:
    """The variant of one attack with the highest lower bound of recovery.

    Attributes:
        variant: name of the variant; empty for no attack.
        recovery: recovered share of what the original gives.
        utility: retain score under the attack, as a share of the original's.
        closeness: closeness to the retrained model, both under the attack.
    """

    variant: str
    recovery: Score = UNKNOWN
    utility: float | None = None
    closeness: float | None = None


@dataclass(frozen=True, kw_only=True)
class Attacked:
    """The result of the attacks of a run; holds no text of the data.

    Attributes:
        headline: the worst case in one sentence.
        worst: the attack with the worst case; empty if recovery is not known.
        of: attack -> its worst variant; "no attack" is the first.
        closeness: closeness under the attack that makes it least.
        under: name of that attack.
        cells: table for the report, header first.
        papers: papers of the attacks.
        notes: what cannot be known, and why.
        beside: files beside the report: all variants, and the curves of relearning.
    """

    headline: str
    worst: str = ""
    of: Mapping[str, Worst] = field(default_factory=dict)
    closeness: Score = UNKNOWN
    under: str = ""
    cells: list[list[str]] = field(default_factory=list)
    papers: tuple[Paper, ...] = ()
    notes: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()


def shown(found: Attacked) -> Attacked:
    """Escape all texts for Markdown and HTML."""
    return Attacked(
        headline=markdown(found.headline),
        worst=markdown(found.worst),
        of={
            markdown(name): Worst(**{**vars(worst), "variant": markdown(worst.variant)})
            for name, worst in found.of.items()
        },
        closeness=found.closeness,
        under=markdown(found.under),
        cells=[[markdown(cell) for cell in row] for row in found.cells],
        papers=found.papers,
        notes=tuple(prose(" ".join(note.split())) for note in found.notes),
        beside=tuple(map(markdown, found.beside)),
    )


def written(found: Attacked) -> dict[str, Any]:
    """Return the data for JSON."""
    return {
        "headline": found.headline,
        "worst": found.worst or None,
        "of": {name: {**vars(w), "recovery": _score(w.recovery)} for name, w in found.of.items()},
        "closeness_under_attack": {**_score(found.closeness), "attack": found.under or None},
        "table": found.cells,
        "papers": [asdict(paper) for paper in found.papers],
        "notes": list(found.notes),
        "beside": list(found.beside),
    }


def read(record: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the fields of an `Attacked` from what `written` returned."""
    if record is None:
        return None
    close, worst = record["closeness_under_attack"], record["worst"] or ""
    more = {"closeness": close, "under": close["attack"] or "", "cells": record["table"]}
    return {**record, "worst": worst, **more}


def _score(score: Score) -> dict[str, Any]:
    kept = {"value": score.value, "n": score.n, "low": score.low, "high": score.high}
    return {**kept, **({"note": score.note} if score.note else {})}
