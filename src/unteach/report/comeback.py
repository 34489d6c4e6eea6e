"""Write the report's section on attacks: the worst case, then one line for each attack."""

from typing import NamedTuple

from unteach.escaping import prose
from unteach.report.attacked import BACK, PLAIN, Attacked
from unteach.report.grid import grid
from unteach.types import Score

TITLE = "Attacks: does it come back?"
READ = (
    "All scores are of the forget answers after the attack, which is made on every model. A "
    "recovery of 0% is what the attack gets from a model that never saw the answers, 100% what it "
    "gets from the original; below 0% the model knows less than one that never saw them. Brackets "
    "are 95% intervals. The worst case is the line with the highest lower end of its interval, so "
    "that the noisiest line does not count as the worst. Utility is the unlearned model's retain "
    "score under attack (ROUGE-L of the retain answers), as a share of the original's."
)


class Picture(NamedTuple):
    """A picture beside the report, for report.md; report.html loads no files."""

    said: str
    file: str

    def __str__(self) -> str:
        return f"![{self.said}]({self.file})"


def comes_back(found: Attacked | None) -> str:
    """Describe a recovery clearly beyond chance and beyond no attack; empty if there is none.

    Example:
        >>> from unteach.report.attacked import Worst
        >>> worst = Worst(variant="groups of 32", recovery=Score(0.83, 40, 0.7, 0.9))
        >>> comes_back(Attacked(headline="", worst="int4", of={"int4": worst}))
        'int4 (groups of 32) brings back 83% (70% to 90%) of what was forgotten'
    """
    if found is None or found.worst in ("", PLAIN):  # the report says elsewhere what is plain
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
    """Return the section: the worst case, how to read the table, the table, and further files."""
    parts: list[str | Picture] = [f"**{found.headline}**", prose(READ), grid(found.cells)]
    for file in found.beside:
        if file.endswith(".png"):
            parts.append(Picture("Recovery over steps of relearning", file))
        else:
            parts.append(f"`{file}` has every variant, and describes each attack.")
    if found.notes:
        parts.append("\n".join(f"- {note}" for note in found.notes))
    return parts


def recoveries(found: Attacked) -> dict[str, Score]:
    """Return the recovery by attack, for the attacks with a known one."""
    known = {name: worst.recovery for name, worst in found.of.items()}
    return {name: score for name, score in known.items() if score.value is not None}
