"""Quantisation attack: rounding weights to 4 bits may undo small changes by training."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from unteach.attacks._base import CONTROL, Attack, AttackOutcome, option, registered
from unteach.attacks._subject import AttackSubject
from unteach.files.rows import Groups
from unteach.types import Paper

CHANNEL = "one scale per channel"
NORMAL = "4 bits, NormalFloat, groups of {n}"


class Grid(NamedTuple):
    """How weights are rounded: bits per code, group size, and NF4 or equal steps."""

    bits: int
    group: int
    normal: bool = False


@registered("int4")
@dataclass(frozen=True, kw_only=True)
class Int4Attack(Attack):
    """Round the weights of all linear layers to 4 bits, as quantisation for deployment does."""

    groups: tuple = option(
        (0, 32, 64, 128), "group sizes: weights that share a scale; 0 for a whole channel", low=0
    )
    nf4: int = option(64, "group size of NF4, as in bitsandbytes; 0 leaves NF4 out", low=0)
    control_bits: int = option(8, "bits of a control that should change nothing; 0 for none", low=0)

    paper: ClassVar = Paper(
        title="Catastrophic Failure of LLM Unlearning via Quantization",
        authors="Zhiwei Zhang and Fali Wang and Xiaomin Li and Zongyu Wu and Xianfeng Tang and "
        "Hui Liu and Qi He and Wenpeng Yin and Suhang Wang",
        year=2024,
        arxiv="2410.16454",
        where="round to nearest, section 4",
        venue="ICLR 2025",
    )
    must_hold: ClassVar = True

    def grids(self) -> dict[str, Grid]:
        """Return the rounding of each variant by name."""
        sizes = {n: f"groups of {n}" if n else CHANNEL for n in self.groups}
        found = {f"4 bits, {said}": Grid(4, n) for n, said in sizes.items()}
        if self.nf4:
            found[NORMAL.format(n=self.nf4)] = Grid(4, self.nf4, normal=True)
        if bits := self.control_bits:
            found[f"{bits} bits, {CHANNEL} {CONTROL}"] = Grid(bits, 0)
        return found

    def variants(self, subject: AttackSubject) -> list[str]:
        """Return one variant for each rounding."""
        return [*self.grids()]

    def cost(self, subject: AttackSubject) -> float:
        """Estimate the time: a whole evaluation for each variant."""
        return float(len(self.grids()))

    def attack(self, subject: AttackSubject, wanted: list[str]) -> Iterator[AttackOutcome]:
        """Round a fresh copy for each variant, and evaluate it."""
        from unteach.inference import loaded_model

        grids = {name: grid for name, grid in self.grids().items() if name in wanted}
        moved = self._moved(subject, grids)
        for name, grid in grids.items():
            rows = loaded_model(subject.load, lambda model, grid=grid: _rows(subject, model, grid))
            yield AttackOutcome(
                name, rows, {"changed_bucket": moved[name]} if name in moved else {}
            )

    def _moved(self, subject: AttackSubject, grids: dict[str, Grid]) -> dict[str, float]:
        """Return by variant the share of weights whose code differs from the original's."""
        from unteach.attacks._rounding import changed
        from unteach.inference import loaded_model

        original = subject.original
        if original is None or subject.name == "original" or not grids:
            return {}

        def shares(model: Any, before: Any) -> dict[str, float]:
            return {n: changed(model, before, **grid._asdict()) for n, grid in grids.items()}

        return loaded_model(
            subject.load, lambda model: loaded_model(original, lambda it: shares(model, it))
        )


def _rows(subject: AttackSubject, model: Any, grid: Grid) -> Groups:
    from unteach.attacks._rounding import round_model

    round_model(model, **grid._asdict())
    return subject.ask(model)
