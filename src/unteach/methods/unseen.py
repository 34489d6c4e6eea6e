"""Unseen: distillation towards a model that never saw the forget data."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from unteach.losses import distil
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods import _papers as papers
from unteach.methods._base import Method, MethodDefaults, method, option
from unteach.teachers import Teacher, TeacherInputs, find_teacher
from unteach.teachers.stranger import made_up_strangers
from unteach.types import Sequence


@method("unseen")
@dataclass(frozen=True, kw_only=True)
class Unseen(Method):
    """Distillation from a teacher that never saw the forget data.

    The teacher's distribution at each answer token comes from one of three sources. `base` is the
    model before fine-tuning (`--base`). `stranger` is the original itself, prompted about another
    person: the subject's name is replaced in question and answer, and exchanged back in the
    distribution. `level` is the original's own distribution, with the answer tokens lowered to the
    level of the holdout. `auto` uses the first that the data allow.

    The loss is KL(teacher || model) + 0.3 * Huber(log p - log q of the answer token), a mean over
    answer tokens. Its minimum is the teacher, so training ends when the answers are as likely as
    under the teacher; with a holdout and without a base, what went further is drawn back. Without a
    retain file, KL to the original is used on the forget questions with invented names.

    Teachers by name change are the idea of the cited paper, which averages over names; the single
    name, the level of the answer token, and the KL on invented names are ours.
    """

    teacher: Literal["auto", "base", "stranger", "level"] = option(
        "auto", "where the never-seen distribution comes from"
    )
    level_weight: float = option(0.3, "weight of the answer tokens' own log-probability", low=0)
    strangers: int = option(
        10, "without a retain file: strangers made up for each example and held by KL", low=0
    )
    tolerance: float = option(
        0.1,
        "with a holdout: an AUC of the teacher further from 1/2 is brought to its level",
        low=0,
        tried=(),
    )
    base_epochs: int = option(
        3,
        "with --base and a retain file: passes over it that teach the base its style; 0 for none",
        low=0,
    )
    draw: int = option(0, "another number draws other strangers")

    paper: ClassVar = replace(
        papers.WHP,
        where="the teacher by name change; one name, the level term and the hold are ours",
    )
    reads: ClassVar = frozenset({"teacher_logits"})
    plan: ClassVar = MethodDefaults(
        retain="nll",
        epochs=20,
        rate_factor=2.5,
        rounds=3,
        adam_epsilon="auto",
    )

    def forget(self, rows: AnswerRows) -> list[Term]:
        """KL to the teacher and the level term, a mean over answer tokens."""
        teacher, weight = rows.teacher_logps(), self.level_weight
        return [
            Term("forget", distil(rows.require_logits(), teacher, rows.target, level_weight=weight))
        ]

    def teach(self, inputs: TeacherInputs) -> Teacher:
        """Return the teacher of the requested source."""
        return find_teacher(self.teacher, self._drawn(inputs))

    def asks_base(self) -> bool:
        """Whether the base is the teacher, or the first of the sources."""
        return self.teacher in ("auto", "base")

    def made_up_retain(self, inputs: TeacherInputs) -> list[Sequence]:
        """Return sequences with invented names, for requests without a retain file."""
        return made_up_strangers(self._drawn(inputs), self.strangers)

    def _drawn(self, inputs: TeacherInputs) -> TeacherInputs:
        seed = inputs.seed + 1_000_003 * self.draw
        return replace(inputs, seed=seed, tolerance=self.tolerance)
