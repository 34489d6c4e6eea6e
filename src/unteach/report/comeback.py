"""What a report tells of attacks: the worst case first, then one line for each."""

from typing import NamedTuple

from unteach.escaping import prose
from unteach.report.attacked import BACK, PLAIN, Attacked
from unteach.report.grid import grid
from unteach.types import Score

TITLE = "Attacks: does it come back?"
READ = (
    "Every number is of the forget answers, after the attack, on every model alike. Recovery: 0% "
    "is what the attack gets from a model that never saw them, 100% what it gets from the "
    "original; below 0% the model stands out by knowing less. Brackets are 95% intervals. The "
    "worst case is the line whose lower end is highest, so that the noisiest of many is not taken "
    "for the worst. Utility is what the unlearned model under attack keeps of the original's "
    "retain score (ROUGE-L of the answers to keep)."
)


class Picture(NamedTuple):
    """A file beside the report, which Markdown shows and a page that loads nothing does not."""

    said: str
    file: str

    def __str__(self) -> str:
        return f"![{self.said}]({self.file})"


def comes_back(found: Attacked | None) -> str:
    """What an attack surely brings back, beyond chance and what is there without it; else nothing.

    Example:
        >>> from unteach.report.attacked import Worst
        >>> worst = Worst(variant="groups of 32", recovery=Score(0.83, 40, 0.7, 0.9))
        >>> comes_back(Attacked(headline="", worst="int4", of={"int4": worst}))
        'int4 (groups of 32) brings back 83% (70% to 90%) of what was forgotten'
    """
    if found is None or found.worst in ("", PLAIN):  # what is there anyway is told elsewhere
        return ""
    worst = found.of[found.worst]
    low, high = worst.recovery.low, worst.recovery.high
    plain = found.of[PLAIN].recovery.value if PLAIN in found.of else None
    if low is None or low <= max(BACK, plain or 0.0) or worst.recovery.value is None:
        return ""
    ends = f"{low:.0%} to {'...' if high is None else f'{high:.0%}'}"
    back = f"{worst.recovery.value:.0%} ({ends})"
    return f"{found.worst} ({worst.variant}) brings back {back} of what was forgotten"


def told(found: Attacked) -> list[str | Picture]:
    """The section: the worst case, how to read it, the table, and what is beside it."""
    parts: list[str | Picture] = [f"**{found.headline}**", prose(READ), grid(found.cells)]
    for file in found.beside:
        if file.endswith(".png"):
            parts.append(Picture("What comes back over steps of relearning", file))
        else:
            parts.append(f"`{file}` has every variant, and what each attack is.")
    if found.notes:
        parts.append("\n".join(f"- {note}" for note in found.notes))
    return parts


def recoveries(found: Attacked) -> dict[str, Score]:
    """Attack -> what it brings back, of those of which that is known."""
    known = {name: worst.recovery for name, worst in found.of.items()}
    return {name: score for name, score in known.items() if score.value is not None}
