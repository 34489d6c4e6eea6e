"""Attack the hidden states: an earlier layer may still encode what the last one hides."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from unteach.attacks._base import Attack, AttackOutcome, option, registered
from unteach.attacks._subject import AttackSubject, bare
from unteach.errors import Problem
from unteach.files.rows import Groups
from unteach.suites.questions import Question
from unteach.suites.rounding import rounded
from unteach.types import SHORT, Paper, Row, Sequence

OWN, BEFORE = "its own head", "the original's head"
ASKED = ("forget", "holdout")


@registered("depth")
@dataclass(frozen=True, kw_only=True)
class Depth(Attack):
    """Apply an output head to the states of each layer: the model's own head, and the original's.

    It needs the weights, and runs only when it is named. The retrained model is read with its own
    head only, since its states were learned independently of the original's head.
    """

    layers: int = option(8, "number of layers at most, spread evenly up to the last", low=1)

    paper: ClassVar = Paper(
        title="Can Sensitive Information Be Deleted From LLMs? Objectives for Defending Against "
        "Extraction Attacks",
        authors="Vaidehi Patil and Peter Hase and Mohit Bansal",
        year=2023,
        arxiv="2309.17410",
        where="the head projection attack, section 4.2",
        venue="ICLR 2024",
    )
    keeps_utility: ClassVar = True
    compares: ClassVar = False
    standard: ClassVar = False

    def missing(self, subject: AttackSubject) -> list[Problem]:
        """Return an error if all answers are too short for their log-probabilities to be kept."""
        if any(_long(question.text) for question in self._questions(subject)):
            return []
        what = f"has no answer of {SHORT} tokens or more, and depth needs one"
        return [Problem("--forget", what, "leave depth out of --attack", "request")]

    def variants(self, subject: AttackSubject) -> list[str]:
        """Return a variant for each layer and head, the original's head included if it is given."""
        heads, last = [OWN, *([BEFORE] if subject.original else [])], subject.layers
        return [_named(k, last, head) for head in heads for k in self._chosen(last)]

    def cost(self, subject: AttackSubject) -> float:
        """Estimate the time: one forward pass for all layers, and no generation."""
        return 0.3

    def attack(self, subject: AttackSubject, wanted: list[str]) -> Iterator[AttackOutcome]:
        """Yield the rows of every layer and head; the model is loaded and run once."""
        if not wanted:
            return
        from unteach.attacks._lens import depths, kept_lens
        from unteach.inference import loaded_model

        before = None
        if subject.original is not None and subject.name != "retrained":
            before = loaded_model(subject.original, kept_lens)
        asked = [q for q in self._questions(subject) if _long(q.text)]
        last = subject.layers

        def read(model: Any) -> dict[tuple[str, int], list[float]]:
            own = kept_lens(model)
            lenses = {OWN: own, BEFORE: before or own}
            texts = [q.text for q in asked if q.text]
            tokens = subject.settings.tokens_per_batch
            return depths(model, texts, lenses, self._chosen(last), tokens_per_batch=tokens)

        for (head, layer), logps in loaded_model(subject.load, read).items():
            yield AttackOutcome(_named(layer, last, head), subject.with_plain(_rows(asked, logps)))

    def _questions(self, subject: AttackSubject) -> list[Question]:
        groups = {role: subject.groups[role] for role in ASKED if role in subject.groups}
        return subject.questions(groups)

    def _chosen(self, last: int) -> list[int]:
        """Return the layers to read, counted from 1, evenly up to the last.

        Example:
            >>> Depth(layers=3)._chosen(12), Depth()._chosen(2)
            ([4, 8, 12], [1, 2])
        """
        count = min(self.layers, last)
        return [round(last * (k + 1) / count) for k in range(count)]


def _named(layer: int, last: int, head: str) -> str:
    return f"layer {layer} of {last}, {head}"


def _long(text: Sequence | None) -> bool:
    return text is not None and sum(text.answer) >= SHORT


def _rows(asked: list[Question], logps: list[float]) -> Groups:
    """Return rows that have only the rounded log-probability."""
    rows: dict[str, dict[str, list[tuple[int, float, int | None]]]] = {}
    for question, logp in zip(asked, logps, strict=True):
        count = sum(question.text.answer) if question.text else 0
        windows = rows.setdefault(question.group, {}).setdefault(question.row.id, [])
        windows.append((count, logp, question.row.zlib))
    return {group: [_row(id, windows) for id, windows in of.items()] for group, of in rows.items()}


def _row(id: str, windows: list[tuple[int, float, int | None]]) -> Row:
    """Join the windows of a text to one row; each token counts once."""
    tokens = sum(count for count, *_ in windows)
    logp = sum(count * logp for count, logp, _ in windows) / tokens
    return bare(rounded(Row(id=id, tokens=tokens, logp=logp, zlib=windows[0][2])))
