"""Direct token optimisation (DTO), our reading of the paper."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from unteach.losses import ascent, to_level, unlikelihood, weighted_ascent
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods._base import Method, MethodDefaults, method, option
from unteach.teachers import Teacher, TeacherInputs, find_teacher
from unteach.types import Paper


@method("dto")
@dataclass(frozen=True, kw_only=True)
class DTO(Method):
    """Gradient ascent on selected answer tokens up to a level, KL to the original on all others.

    Needs the forget set alone; a retain file is trained on beside it where there is one. Each
    answer is split into a prefix and a suffix. A prefix token's score is how much the suffix's loss
    rises under the original model when that token is replaced by a random one. The tokens with the
    highest scores and the suffix are the targets. With a holdout each is brought to a level of its
    own by Huber(log p_model - log p), which is ascent until it is there: the p of an answer's
    tokens are those of the holdout's answer of the same rank, the lowest for its targets, and among
    these for the token of which the original is least sure. Without one they get gradient ascent,
    weighted by their probability. All other answer tokens get KL to the original. Scores and levels
    are computed before training.

    Our reading: the paper's equations were not available. The choice of replacement, the direction
    of the KL, its weight, and the treatment of suffix tokens are options below. The defaults were
    chosen on one made-up world for where a run with a retain file ends; the paper's plain ascent
    (`objective=ascent`, or `--preset paper`) is unbounded and damages other knowledge in the end,
    and a suffix that is held keeps the last quarter of each answer, where facts often stand.
    `ceiling=12`, which is ours too, stops ascent for targets forgotten to 12 nats (p of 6e-6).

    The score is one way to select tokens; `selector` has others, and `unteach explain` shows what
    they select. The options on prefix and suffix are for the score only.
    """

    selector: str = option(
        "delta", "how the targets are found: the paper's score, or another way", selectors=True
    )
    selector_options: Mapping[str, Any] | None = option(
        None, "options of the selector itself, by name (`unteach selectors NAME` lists them)"
    )
    objective: Literal["ascent", "unlikelihood", "wga", "level"] = option(
        "wga",
        "what targets get: log p (ascent, the paper's), or what fades as they are forgotten: "
        "-log(1 - p) (unlikelihood), log p weighted by p (wga, as the method of that name), or "
        "what ends at the probability of the holdout's tokens (level: the default with a holdout)",
    )
    ratio: float = option(
        0.3,
        "share of the tokens that become targets (delta and subject)",
        above=0,
        tried=(0.1, 0.6),
    )
    ratio_of: Literal["prefix", "answer"] = option("prefix", "what `ratio` is a share of")
    suffix_ratio: float = option(0.25, "share of the answer whose loss is read", above=0, tried=())
    suffix: Literal["held", "target", "ignored"] = option("target", "what happens to suffix tokens")
    draws: int = option(2, "random replacements per token", low=1)
    hold: float = option(
        1.0, "weight of the KL on the tokens that are not targets; 100 without a retain term", low=0
    )
    ceiling: float = option(
        0.0, "targets whose loss is above this, in nats, get no more ascent; 0 for never", low=0
    )
    orthogonalize: Literal["off", "conflict", "always"] = option(
        "off",
        "take the part of the targets' gradient along the KL's out: where the two point against "
        "each other, or always; a second backward pass",
    )
    pipeline: str = option(
        "en_core_web_sm", "the spaCy pipeline of entities and noun_chunks: a package or a folder"
    )

    paper: ClassVar = Paper(
        title="Direct Token Optimization: A Self-contained Approach to Large Language Model "
        "Unlearning",
        authors="Hong kyu Lee and Ruixuan Liu and Li Xiong",
        year=2025,
        arxiv="2510.00125",
        where="the token-level unlearning objective; our reading",
        venue="Findings of ACL 2026",
    )
    reads: ClassVar = frozenset({"reference_logits", "selected"})
    plan: ClassVar = MethodDefaults(epochs=40, power=1, stop_at=0.3, rounds=3)
    paper_settings: ClassVar = {  # the authors' are unknown: of TPO, which they compare with
        "method.objective": "ascent",
        "method.suffix": "held",
        "method.hold": 1.0,
        "train.retain": "none",
        "train.learning_rate": 1e-5,
        "train.epochs": 10,
        "train.batch_size": 4,
        "train.gradient_accumulation_steps": 4,
        "train.weight_decay": 0.01,
        "train.stop_at": 0.0,
    }
    label: ClassVar = "DTO (our reading, with bounded ascent)"

    @classmethod
    def defaults_for(cls, *, retain: bool, holdout: bool) -> dict[str, Any]:
        """Return the level where there is a holdout, and a larger KL where no retain term holds."""
        level = {"objective": "level"} if holdout else {}
        return level | ({} if retain else {"hold": 100.0})

    def training_defaults(self) -> MethodDefaults:
        """Return `plan`; larger steps and fewer epochs where a level ends the ascent."""
        plan = super().training_defaults()
        return replace(plan, epochs=20, power=2) if self.objective == "level" else plan

    def title(self) -> str:
        """Return the name in reports, with selector and objective if they are neither's default."""
        titles = {
            "ascent": "DTO (our reading of the paper)",
            "wga": self.label,
            "level": "DTO (our reading, ascent to the holdout's level)",
        }
        if self.selector == "delta" and self.objective in titles:
            return titles[self.objective]
        return f"DTO, changed: {self.objective} on targets by {self.selector}"

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Mean of the objective over the targets, and weighted mean KL over the others."""
        targets = rows.require_selected()
        if self.objective == "level":
            values = to_level(rows.log_odds, rows.require_teacher_targets())
        elif self.objective == "unlikelihood":
            values = unlikelihood(rows.log_odds)
        elif self.objective == "wga":
            values = weighted_ascent(rows.log_odds, beta=1.0)
        else:
            values = ascent(rows.log_odds)
            if self.ceiling:
                values = values.clamp(min=-self.ceiling)
        terms = [Term("forget", values * targets, "selected")]
        if self.hold:
            terms.append(Term("hold", rows.kl() * rows.unselected(), "unselected", self.hold))
        return terms

    def needs(self) -> frozenset[str]:
        """Return what the KL and the selection read, and the levels if there are any."""
        return self.reads | ({"teacher_targets"} if self.objective == "level" else set())

    def teach(self, inputs: TeacherInputs) -> Teacher:
        """Return the original, with each answer token lowered to the holdout's level."""
        return find_teacher("level", inputs)

    def holds(self) -> bool:
        """Whether the other tokens get KL to the original."""
        return self.hold > 0

    def conflict(self) -> str:
        """Return how the two gradients are combined, from `orthogonalize`."""
        return "sum" if self.orthogonalize == "off" else self.orthogonalize
