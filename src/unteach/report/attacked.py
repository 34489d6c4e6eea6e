"""What attacks brought back, as a report holds it and JSON has it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from unteach.escaping import markdown, prose
from unteach.types import Paper, Score

PLAIN = "no attack"
BACK = 0.1  # of what was there; below it chance and a second retrained model are
UNKNOWN = Score(None)


@dataclass(frozen=True, kw_only=True)
class Worst:
    """The variant of one attack that most surely brings something back.

    Attributes:
        variant: which.
        recovery: how much of what was there.
        utility: what the model keeps of the original's retain score under it.
        closeness: to the retrained model, both under it.
    """

    variant: str
    recovery: Score = UNKNOWN
    utility: float | None = None
    closeness: float | None = None


@dataclass(frozen=True, kw_only=True)
class Attacked:
    """What the attacks of a run brought back; numbers alone.

    Attributes:
        headline: the worst case in a sentence.
        worst: the attack with the worst case; empty where recovery is not known.
        of: attack -> its worst variant; "no attack" first.
        closeness: under the attack that leaves the model furthest from the retrained one.
        under: which attack that is.
        cells: the table of a report, the header first.
        papers: of the attacks.
        notes: what cannot be known.
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
    """The same numbers in words in which nothing is Markdown or HTML."""
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
    """As JSON has it; numbers that are none are made null by the caller."""
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


def read(record: Mapping[str, Any] | None) -> Attacked | None:
    """What `written` wrote. Raises KeyError, TypeError for what is none."""
    if record is None:
        return None
    close = dict(record["closeness_under_attack"])
    under = close.pop("attack")
    return Attacked(
        headline=str(record["headline"]),
        worst=record["worst"] or "",
        of={
            name: Worst(**{**worst, "recovery": _read(worst["recovery"])})
            for name, worst in record["of"].items()
        },
        closeness=_read(close),
        under=under or "",
        cells=[[str(cell) for cell in row] for row in record["table"]],
        papers=tuple(Paper(**paper) for paper in record["papers"]),
        notes=tuple(map(str, record["notes"])),
        beside=tuple(map(str, record["beside"])),
    )


def _score(score: Score) -> dict[str, Any]:
    kept = {"value": score.value, "n": score.n, "low": score.low, "high": score.high}
    return {**kept, **({"note": score.note} if score.note else {})}


def _read(record: Mapping[str, Any]) -> Score:
    numbers = [record[name] for name in ("value", "n", "low", "high")]
    if not all(x is None or isinstance(x, (int, float)) for x in numbers):
        raise TypeError("a score is no number")
    return Score(record["value"], record["n"], record["low"], record["high"],
                 str(record.get("note", "")))  # fmt: skip
