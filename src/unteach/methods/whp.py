"""Who's Harry Potter, revisited: distil the mean of the original's outputs for several names."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from unteach.losses import cross_entropy, distil
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.losses.statistics import token_statistics
from unteach.methods import _papers as papers
from unteach.methods._base import Method, MethodDefaults, method, option
from unteach.teachers import Teacher, TeacherInputs
from unteach.teachers.strangers import mean_over_strangers


@method("whp")
@dataclass(frozen=True, kw_only=True)
class WHP(Method):
    """Distillation from the original's mean distribution with the subject's name replaced.

    With p0 the original, x_k the example with the subject's name replaced by name k of K strangers,
    and pi_k the exchange of the tokens of the two names,

        q = 1/K sum_k pi_k[p0(. | x_k)],    L = mean over answer tokens of KL(q || p).

    It is the forget loss of the cited paper, which interprets "Who's Harry Potter" (arXiv
    2310.02238) as an intervention on the name. `towards=likeliest` is the generic label of that
    older paper: the likeliest token of q instead of q. The authors use K = 20 on Wikipedia and 1 on
    TOFU, average over the tokens of an answer before averaging over answers, and use no retain term
    on TOFU (`train.retain=none`). They also replace names of works, and the older paper also has a
    reinforced model and lowers the probability of a stranger's repeated name: none of this is
    implemented here.

    A name in question and answer is needed, or a `subject` column: an example without one keeps the
    original's distribution, so it is not forgotten. Hidden states are stored K times.
    """

    strangers: int = option(20, "strangers whose distributions are averaged (K)", low=1)
    towards: Literal["mean", "likeliest"] = option(
        "mean", "what is learned: their mean distribution, or its likeliest token"
    )
    draw: int = option(0, "another number draws other strangers")

    paper: ClassVar = replace(
        papers.WHP,
        where="the forget loss towards the mean over names; as in the authors' code, but for names "
        "of works",
    )
    reads: ClassVar = frozenset({"teacher_logits"})
    plan: ClassVar = MethodDefaults(retain="nll")

    def forget(self, rows: AnswerRows) -> list[Term]:
        """KL to the mean, or NLL of its likeliest token, a mean over answer tokens."""
        logits, teacher = rows.require_logits(), rows.teacher_logps()
        if self.towards == "likeliest":
            values = cross_entropy(token_statistics(logits, teacher.argmax(-1)).log_odds)
        else:
            values = distil(logits, teacher, rows.target, level_weight=0.0)
        return [Term("forget", values)]

    def teach(self, inputs: TeacherInputs) -> Teacher:
        """Return the mean over strangers. Raises Unavailable if no example has a name."""
        seed = inputs.seed + 1_000_003 * self.draw
        return mean_over_strangers(replace(inputs, seed=seed), self.strangers)
