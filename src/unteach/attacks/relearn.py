"""Relearning attack: hidden knowledge returns after less training than new knowledge takes."""

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
FEW = 4  # least number of forget examples: a part to train on, and the rest to evaluate


class RelearnRun(NamedTuple):
    """One training run: its data, its weights, and the factor of its learning rate."""

    arm: str
    kind: str
    factor: float

    def named(self, step: int) -> str:
        """Return the name of the variant after a number of steps."""
        return f"{self.arm}, {self.kind}, rate x{self.factor:g}, {step} steps"


class RelearnSplit(NamedTuple):
    """The examples that each arm trains on, and the examples to evaluate, by group."""

    train: dict[str, list[Example]]
    asked: dict[str, list[Example]]


@registered("relearn")
@dataclass(frozen=True, kw_only=True)
class RelearnAttack(Attack):
    """Fine-tune for a few steps on part of the forget set, similar records, or unrelated text.

    With several processes each trains a whole copy, and they share only the evaluation.
    """

    arms: tuple = field(
        default=tuple(ARMS),
        metadata={
            "help": "training data: part of the forget set, similar records, unrelated text",
            "low": None,
            "choices": tuple(ARMS),
        },
    )
    kinds: tuple = field(
        default=KINDS,
        metadata={"help": "weights to train: all, or LoRA adapters", "low": None, "choices": KINDS},
    )
    rates: tuple = option((1.0, 3.0), "factors of the automatic learning rate", low=1e-6)
    steps: tuple = option((4, 16, 64), "numbers of steps after which the model is evaluated", low=1)
    batch: int = option(8, "examples per step", low=1)
    share: float = option(0.25, "share of the forget set to train on", low=0.01)
    rank: int = option(16, "rank of the adapters", low=1)

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
        """Return every training run for which there are data."""
        there = self.split(subject).train
        return [
            RelearnRun(ARMS[arm], kind, factor)
            for arm in self.arms
            if there[ARMS[arm]]
            for kind in self.kinds
            for factor in self.rates
        ]

    def missing(self, subject: AttackSubject) -> list[Problem]:
        """Return an error for too few forget examples, a note if there are no similar records."""
        if (count := len(subject.groups["forget"])) < FEW:
            what = f"holds {count} examples; relearn trains on a part and evaluates the rest"
            hint = f"give at least {FEW}, or leave relearn out of --attack"
            return [Problem("--forget", what, hint, "request")]
        if "form" in self.arms and not self.split(subject).train[FORM]:
            what = f'relearn: no similar records to train on, so "{FORM}" is left out'
            hint = "give --holdout (10 examples or more) or --retain"
            return [Problem("--holdout", what, hint, "note")]
        return []

    def variants(self, subject: AttackSubject) -> list[str]:
        """Return a variant for each number of steps of each training run."""
        return [course.named(s) for course in self.courses(subject) for s in sorted(self.steps)]

    def cost(self, subject: AttackSubject) -> float:
        """Estimate the time: an evaluation at each stop; a step is three forwards of its batch."""
        size = sum(map(len, subject.groups.values()))
        # A forward takes about a quarter of an evaluation, the rest is generation.
        step = 3 * self.batch / max(size, 1) / 4
        return len(self.courses(subject)) * (len(self.steps) + max(self.steps) * step)

    def split(self, subject: AttackSubject) -> RelearnSplit:
        """Split the data into examples to train on and to evaluate; the same for every model.

        The part of the forget set to train on is contiguous: neighbours in a file are often about
        the same subject, which should not be both trained on and evaluated.
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
        """Yield the rows at each stop of each training run, each run from a fresh copy."""
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
        from unteach.processes.lockstep import take_weights_of_main
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
            take_weights_of_main(model)
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
