"""A little more training: what was hidden comes back sooner than what was never known."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, ClassVar, NamedTuple

from unteach.attacks._base import Attack, AttackOutcome, option, registered
from unteach.attacks._plain_texts import UNRELATED
from unteach.attacks._subject import AttackSubject
from unteach.errors import Problem
from unteach.types import Example, Paper

PART, FORM, OTHER = "part of the forget set", "same form, other subject", "unrelated text"
ARMS = {"part": PART, "form": FORM, "other": OTHER}
KINDS = ("full", "lora")
FEW = 4  # forget examples, below which there is no part to train on and another to ask


class RelearnRun(NamedTuple):
    """One training: on what, which weights, how fast."""

    arm: str
    kind: str
    factor: float

    def named(self, step: int) -> str:
        """The variant at one of its stops."""
        return f"{self.arm}, {self.kind}, rate x{self.factor:g}, {step} steps"


class RelearnSplit(NamedTuple):
    """What each arm trains on, and what is asked afterwards."""

    train: dict[str, list[Example]]
    asked: dict[str, list[Example]]


@registered("relearn")
@dataclass(frozen=True, kw_only=True)
class RelearnAttack(Attack):
    """Train a few steps on a part of the forget set, on texts of its form, or on unrelated ones."""

    arms: tuple = field(
        default=tuple(ARMS),
        metadata={"help": "what is trained on", "low": None, "choices": tuple(ARMS)},
    )
    kinds: tuple = field(
        default=KINDS,
        metadata={"help": "all weights, or adapters", "low": None, "choices": KINDS},
    )
    rates: tuple = option((1.0, 3.0), "times the automatic learning rate", low=1e-6)
    steps: tuple = option((4, 16, 64), "after how many steps the model is asked", low=1)
    batch: int = option(8, "examples of a step", low=1)
    share: float = option(0.25, "how much of the forget set is the part trained on", low=0.01)
    rank: int = option(16, "of the adapters", low=1)

    paper: ClassVar = Paper(
        title="Unlearning or Obfuscating? Jogging the Memory of Unlearned LLMs via Benign "
        "Relearning",
        authors="Shengyuan Hu and Yiwei Fu and Zhiwei Steven Wu and Virginia Smith",
        year=2024,
        arxiv="2406.13356",
        where="relearning on part of the forget set and on other texts, section 3",
        venue="ICLR 2025",
    )

    def courses(self, subject: AttackSubject) -> list[RelearnRun]:
        """Every training that there are data for."""
        there = self.split(subject).train
        return [
            RelearnRun(ARMS[arm], kind, factor)
            for arm in self.arms
            if there[ARMS[arm]]
            for kind in self.kinds
            for factor in self.rates
        ]

    def missing(self, subject: AttackSubject) -> list[Problem]:
        """Too few forget examples for any arm, or none of the same form."""
        if (count := len(subject.groups["forget"])) < FEW:
            what = f"holds {count} examples; relearn trains on a part and asks the rest"
            hint = f"give at least {FEW}, or leave relearn out of --attack"
            return [Problem("--forget", what, hint, "request")]
        if "form" in self.arms and not self.split(subject).train[FORM]:
            what = f'relearn: nothing of the same form to train on, so "{FORM}" is left out'
            hint = "give --holdout (10 examples or more) or --retain"
            return [Problem("--holdout", what, hint, "note")]
        return []

    def variants(self, subject: AttackSubject) -> list[str]:
        """One for each stop of each training."""
        return [course.named(s) for course in self.courses(subject) for s in sorted(self.steps)]

    def cost(self, subject: AttackSubject) -> float:
        """Each stop asks what is left; a step counts as three forwards of its batch."""
        size = sum(map(len, subject.groups.values()))
        step = 3 * self.batch / max(size, 1) / 4  # most of asking is answering, not reading
        return len(self.courses(subject)) * (len(self.steps) + max(self.steps) * step)

    def split(self, subject: AttackSubject) -> RelearnSplit:
        """The same for every model; the part of the forget set is one run of neighbours in it.

        Files list together what belongs together, so none of it is trained on and asked about too.
        """
        forget, retain, holdout = (
            subject.groups.get(role, []) for role in ("forget", "retain", "holdout")
        )
        count = min(max(round(self.share * len(forget)), 1), len(forget) - 1)
        start = Random(subject.seed).randrange(len(forget) - count + 1) if forget else 0
        part, rest = forget[start : start + count], forget[:start] + forget[start + count :]
        half = len(holdout) // 2 if len(holdout) >= 10 else 0
        form = holdout[:half] or retain
        asked = {"forget": rest, "retain": retain, "holdout": holdout[half:]}
        train = {PART: part, FORM: form, OTHER: _unrelated()}
        return RelearnSplit(train, {role: found for role, found in asked.items() if found})

    def attack(self, subject: AttackSubject, wanted: list[str]) -> Iterator[AttackOutcome]:
        """Every training of which a stop is wanted, from a fresh copy."""
        split = self.split(subject)
        for course in self.courses(subject):
            stops = sorted(self.steps)
            if any(course.named(step) in wanted for step in stops):
                yield from self._course(subject, course, stops, split)

    def _course(
        self, subject: AttackSubject, course: RelearnRun, stops: list[int], split: RelearnSplit
    ) -> Iterator[AttackOutcome]:
        import gc

        import torch

        from unteach.data import encode_each
        from unteach.training.few_steps import prepared, trained
        from unteach.training.learning_rate import automatic_rate

        lora = course.kind == "lora"
        model: Any = subject.load()
        rate = course.factor * automatic_rate(model.config, adapter=lora)
        model = prepared(model, lora=lora, rank=self.rank, seed=subject.seed)
        how = subject.settings
        texts = encode_each(
            split.train[course.arm],
            subject.tokenizer,
            max_length=how.max_length,
            template=how.template,
        ).sequences
        for step in trained(
            model, texts, rate=rate, stops=stops, batch=self.batch, seed=subject.seed
        ):
            rows = subject.ask(model, split.asked)
            yield AttackOutcome(course.named(step), rows, {"steps": float(step), "rate": rate})
        del model
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _unrelated() -> list[Example]:
    return [
        Example(id=f"unrelated-{k}", where="unrelated text", kind="text", text=text)
        for k, text in enumerate(UNRELATED)
    ]
