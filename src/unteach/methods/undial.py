"""UnDIAL: self-distillation on adjusted logits."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from torch import Tensor

from unteach.losses import distil, kl_to_reference, undial
from unteach.losses.answer_rows import AnswerRows, Over, Term
from unteach.methods._base import Method, MethodDefaults, method, option
from unteach.teachers import Teacher, TeacherInputs, find_teacher
from unteach.teachers.holdout import at_most_lowered
from unteach.types import Paper


@method("undial")
@dataclass(frozen=True, kw_only=True)
class UnDIAL(Method):
    """Self-distillation from the frozen original with each answer token's logit lowered.

    The strength decides how much is forgotten, not the number of epochs: a token of probability p0
    under the original ends at p0 e^-s / (1 - p0 + p0 e^-s).

        p0        s = 3     s = 10    s = 30
        0.9       0.309     0.0004    0
        0.99      0.831     0.0045    0
        0.999     0.980     0.0434    0
        0.9999    0.998     0.312     0

    So a strength of 3 hardly changes memorised text, and 10 not enough of it; 30 is the largest
    that the authors tried.

    One strength for all tokens ends at no level. With `level=holdout`, the default where a holdout
    is given, each answer token has its own: p0 and the probability p that it should end at give
    s = logit(p0) - logit(p), at least 0 and at most `strength`. The p of an answer's tokens are
    those of the holdout's answer of the same rank, the least likely for the token of which the
    original is least sure. The cross-entropy hardly moves a token that is unlikely already, so a
    term on its log-probability is added: `level_weight` * Huber(log p_model - log p). Both are
    ours.

    With a `focus` it is FUnDIAL, of the same paper: only selected tokens are distilled ("hard"), or
    they have larger weights ("soft"). The authors select named entities or noun chunks, and divide
    by all tokens, so that few selected tokens give small steps (`normalise=all`); the default
    divides by the sum of the weights over the whole step. `unteach explain` shows the selection.

    A popular port averages over all positions, so that prompts are distilled too, with one wrong
    logit lowered in each; `prompt_distillation` distils prompts without that mistake.
    """

    strength: float = option(
        30.0,
        "how far the original's logit is lowered, in nats; with a level, at most",
        low=0,
        tried=(3, 60),
    )
    level: Literal["none", "holdout"] = option(
        "none",
        "lower each token to the probability of the holdout's tokens (holdout: the default with a "
        "holdout), or all by one strength",
    )
    level_weight: float = option(
        1.0, "with a level: weight of the answer tokens' own log-probability", low=0, tried=()
    )
    prompt_distillation: float = option(
        0.0, "weight of the KL to the original on the prompts' tokens, over all of them", low=0
    )
    focus: str = option(
        "none",
        "the selector of the tokens that are distilled or weighted (FUnDIAL)",
        selectors=True,
    )
    selector_options: Mapping[str, Any] | None = option(
        None, "options of the focus itself, by name (`unteach selectors NAME` lists them)"
    )
    focus_mode: Literal["hard", "soft"] = option(
        "hard", "chosen tokens alone, or chosen tokens more than the others"
    )
    focus_weight: float = option(
        10.0, "weight of chosen tokens in soft mode; others have 1", above=0, tried=()
    )
    normalise: Literal["chosen", "all"] = option(
        "chosen", "divide by the sum of the weights, or by all answer tokens (the authors' code)"
    )
    ratio: float = option(0.3, "share of the tokens that are chosen (subject)", above=0, tried=())
    pipeline: str = option(
        "en_core_web_sm", "the spaCy pipeline of entities and noun_chunks: a package or a folder"
    )

    paper: ClassVar = Paper(
        title="UNDIAL: Self-Distillation with Adjusted Logits for Robust Unlearning in "
        "Large Language Models",
        authors="Yijiang River Dong and Hongzhou Lin and Mikhail Belkin and Ramon Huerta and "
        "Ivan Vulić",
        year=2024,
        arxiv="2402.10052",
        where="the adjusted-logit distillation loss, and its focused variant (FUnDIAL)",
        venue="NAACL 2025",
    )
    reads: ClassVar = frozenset({"reference_logits"})
    plan: ClassVar = MethodDefaults(retain="nll", rate_at_2048=1e-4, rounds=3)
    paper_settings: ClassVar = {  # of the authors' implementation for Llama-2-7B on TOFU
        "method.strength": 10.0,
        "method.level": "none",
        "train.retain": "none",
        "adapter.kind": "lora",
        "adapter.rank": 8,
        "adapter.alpha": 16.0,
        "train.learning_rate": 1e-4,
        "train.batch_size": 4,
        "train.gradient_accumulation_steps": 8,
        "train.epochs": 10,
    }

    def title(self) -> str:
        """Return the name in reports, with the focus if there is one."""
        if self.focus == "none":
            return self.name
        return f"FUnDIAL (undial, {self.focus_mode} focus on {self.focus})"

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Cross-entropy to the adjusted original, a weighted mean over answer tokens."""
        values = self._leveled(rows) if self.level != "none" else self._lowered(rows)
        terms = [Term("forget", values)] if self.focus == "none" else [self._focused(rows, values)]
        if self.prompt_distillation:
            prompt = rows.require_prompt()
            kl = kl_to_reference(prompt.require_logits(), prompt.require_reference_logits())
            terms.append(Term("hold", kl, "prompt", self.prompt_distillation))
        return terms

    def needs(self) -> frozenset[str]:
        """Return what the label is made of, and what prompts and a focus read."""
        label = {"teacher_logits"} if self.level != "none" else self.reads
        prompt = {"prompt", *self.reads} if self.prompt_distillation else set()
        return frozenset(label | prompt | ({"selected"} if self.focus != "none" else set()))

    def holds(self) -> bool:
        """Whether the prompts are distilled."""
        return self.prompt_distillation > 0

    def teach(self, inputs: TeacherInputs) -> Teacher:
        """Return the original, with each answer token lowered to the holdout's level."""
        teacher = find_teacher("level", inputs)
        own = inputs.logps(inputs.forget)
        return replace(teacher, targets=at_most_lowered(teacher.targets, own, self.strength))

    @classmethod
    def defaults_for(cls, *, retain: bool, holdout: bool) -> dict[str, Any]:
        """Return the holdout's level as the default where there is a holdout."""
        return {"level": "holdout"} if holdout else {}

    def _lowered(self, rows: AnswerRows) -> Tensor:
        return undial(
            rows.require_logits(),
            rows.require_reference_logits(),
            rows.target,
            strength=self.strength,
        )

    def _leveled(self, rows: AnswerRows) -> Tensor:
        """Return the same with a strength per token; less the label's entropy, a constant."""
        return distil(
            rows.require_logits(),
            rows.teacher_logps(),
            rows.target,
            level_weight=self.level_weight,
        )

    def _focused(self, rows: AnswerRows, values: Tensor) -> Term:
        weights = rows.require_selected().to(values.dtype)
        if self.focus_mode == "soft":
            weights = 1 + (self.focus_weight - 1) * weights
        return Term("forget", values * weights, self._over())

    def _over(self) -> Over | dict[Over, float]:
        """Return what the mean is over: the sum of the weights, or all tokens."""
        if self.normalise == "all":
            return "tokens"
        if self.focus_mode == "hard":
            return "selected"
        return {"tokens": 1.0, "selected": self.focus_weight - 1}
