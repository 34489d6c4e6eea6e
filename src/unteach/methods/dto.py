"""Direct token optimisation (DTO), our reading of the paper."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from unteach.losses import ascent, unlikelihood, weighted_ascent
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods._base import Method, MethodDefaults, method, option
from unteach.types import Paper


@method("dto")
@dataclass(frozen=True, kw_only=True)
class DTO(Method):
    """Bounded gradient ascent on selected answer tokens, KL to the original on all others.

    Needs the forget set alone; a retain file is trained on beside it where there is one. Each
    answer is split into a prefix and a suffix. A prefix token's score is how much the suffix's loss
    rises under the original model when that token is replaced by a random one. The tokens with the
    highest scores and the suffix are the targets: they get gradient ascent, weighted by their
    probability, and all other answer tokens KL to the original. Scores are computed once, before
    training.

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
    objective: Literal["ascent", "unlikelihood", "wga"] = option(
        "wga",
        "what targets get: log p (ascent, the paper's), or what fades as they are forgotten: "
        "-log(1 - p) (unlikelihood), or log p weighted by p (wga, as the method of that name)",
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
    plan: ClassVar = MethodDefaults(epochs=40, power=1, stop_at=0.3)
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
        """Return a larger weight of the KL where no retain term holds."""
        return {} if retain else {"hold": 100.0}

    def title(self) -> str:
        """Return the name in reports, with selector and objective if they are neither's default."""
        if self.selector == "delta" and self.objective in ("ascent", "wga"):
            return self.label if self.objective == "wga" else "DTO (our reading of the paper)"
        return f"DTO, changed: {self.objective} on targets by {self.selector}"

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Mean of the objective over the targets, and weighted mean KL over the others."""
        targets = rows.require_selected()
        if self.objective == "unlikelihood":
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

    def holds(self) -> bool:
        """Whether the other tokens get KL to the original."""
        return self.hold > 0

    def conflict(self) -> str:
        """Return how the two gradients are combined, from `orthogonalize`."""
        return "sum" if self.orthogonalize == "off" else self.orthogonalize
