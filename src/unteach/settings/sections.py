"""The sections of a request: data, adapters, training, evaluation and attacks."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from unteach.settings.renamed import under_new_names

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # the range of NumPy's seeds
Name = Annotated[str, Field(pattern=r"^\w[\w.+-]*$")]
Word = Annotated[str, Field(pattern=r"^\w[\w.@+/-]{0,63}$")]
Source = Annotated[str, Field(min_length=1)]  # an unset shell variable gives an empty text
Commas = BeforeValidator(lambda x: re.findall(r"[^,\s]+", x) if isinstance(x, str) else x)
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A section of a request: it refuses unknown names and is immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataSettings(Section):
    """Settings of rendering and tokenisation.

    Attributes:
        max_length: tokens of one example; None takes the model's context.
        template: how a question is put to the model: "auto" is its chat template where it has one,
            else "plain" (Question:, Answer:); "none" joins prompt and answer as they are.
        refusals: a file with a refusal on each line, for methods that train on
            them; None takes ours.
        refusal: the answer that JensUn draws the model towards.
    """

    max_length: Annotated[int, Field(ge=8)] | None = None
    refusals: str | None = None
    refusal: str = "No idea"
    template: Literal["auto", "chat", "plain", "none"] = "auto"

    @property
    def encoding(self) -> dict[str, Any]:
        """Arguments of `encode_all` for these settings, once defaults are filled in."""
        return {"max_length": self.max_length or 2048, "template": self.template}


class AdapterSettings(Section):
    """Settings of the trained parameters and the adapters.

    Attributes:
        kind: what is trained: "full" trains all weights, "lora" low-rank adapters that are merged
            in the end; None takes the method's.
        rank: of the adapters' matrices.
        alpha: their scaling times the rank; None is twice the rank.
        dropout: share of the adapters' input that is dropped in training.
        targets: which linear layers get one; "all-linear" leaves out the head alone.
        bits: of the base weights; 4 trains over a base in 4 bits (QLoRA, `unteach[qlora]`); what is
            written is merged into the model as it is on disk.
        init: how adapters start: "default" starts from zero, "fila" from what the forget set uses
            (LoKU); None takes the method's.
        fisher: how FILA estimates Fisher information: "per_sample" squares the gradient of each
            example, "batch_mean" that of the mean over a few, as the authors do.
        fisher_batch: examples of one gradient under "batch_mean".
        fisher_samples: forget examples that FILA looks at, and as many retain examples; None is
            all.
        fisher_device: where FILA keeps its sums, 8 bytes per targeted weight; "auto" has half of
            them beside the model, "cpu" none.
        epsilon: a number that FILA adds to the retain set's Fisher information; far above it, the
            retain set no longer counts.
    """

    kind: Literal["full", "lora"] | None = None
    rank: Count = 16
    alpha: Positive | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    targets: Literal["all-linear"] | list[str] = "all-linear"
    bits: Literal[4] | None = None
    init: Literal["default", "fila"] | None = None
    fisher: Literal["per_sample", "batch_mean"] = "per_sample"
    fisher_batch: Count = 2
    fisher_samples: Count | None = None
    fisher_device: Literal["auto", "cpu"] = "auto"
    epsilon: Positive = 1e-5


class TrainSettings(Section):
    """Settings of training.

    Attributes:
        learning_rate: of the optimiser; None sets it from the model's width and the method, and
            begins again with a tenth where that destroys the model in its first steps.
        epochs: passes over the forget set; None takes the method's.
        batch_size: forget examples of one forward; as many retain examples go with them.
        gradient_accumulation_steps: forwards of one optimiser step. Several processes share them,
            so that a step is of `batch_size` times `gradient_accumulation_steps` examples on any
            number of them.
        retain: the term that keeps the rest; None takes the method's.
        retain_weight: its weight; None takes the method's.
        replay: hold the answers of earlier requests where the model has them now (KL), so that they
            do not come back while others are unlearned; None does where their records are at hand.
        replay_weight: weight of that term.
        stop_at: stop once training has seen the forget answers at a mean probability this low.
            "holdout" scores the weights themselves every few steps, and stops once the forget
            answers are no likelier than the holdout answers, which the model never saw: further
            would be over-forgotten. None takes the method's, 0 never stops early.
        min_kept: stop once the retain or the holdout answers' probability is below this share of
            what it was before training (0.95, say), as the weights are scored every few steps;
            0 never does.
        draw_back: what becomes of a model that went too far: "holdout" draws it back, along its
            trained weights, to where its forget answers are as likely as the holdout's; "made" to
            where they are as likely as those of a made holdout (see `holdout`), which judges
            nothing; "never" leaves it where training ended. None is "holdout" where there is one
            and the method may go too far, else "made" where one can be made.
        seed: of the order, the selection of tokens and the adapters.
        deterministic: on an accelerator, sums are taken in a fixed order: slower, and an operation
            that has none is refused. On a CPU they always are.
        lr_scheduler_type: how the rate falls, a name that transformers knows.
        warmup_ratio: share of the steps in which the rate rises.
        weight_decay: of the optimiser.
        max_grad_norm: gradients above it are scaled down.
        adam_epsilon: Adam's epsilon; "auto" is `max_grad_norm / sqrt(trained weights)`, with which
            steps end where the gradient does. None takes the method's.
        rounds: how often the epochs are gone over at most: methods with a teacher begin a further
            round while the forget answers are likelier than the teacher has them. None takes the
            method's.
        gradient_checkpointing: recompute activations in the backward pass: less memory, more time.
        optim: the optimiser, by the name that transformers has for it; "adamw_8bit" and
            "paged_adamw_8bit" are smaller (`unteach[qlora]`).
        sam: radius of sharpness-aware forgetting, which makes relearning harder (arXiv 2502.05374;
            the authors take 0.01), at the cost of a second forget pass; 0 for none.
        forms: so many further wordings of each question, from templates, are forgotten and retained
            too.
        packing: waste little on padding: none where the model's attention takes unequal texts
            (flash attention), else texts of like length share a batch.
        checkpoint_minutes: from checkpoint to checkpoint, from which a run that was cut off goes
            on; 0 writes none. Saving never takes more than a twentieth of the time.
        checkpoint_steps: a checkpoint after every so many steps instead.
        report_to: experiment trackers that get the numbers of training: tensorboard, wandb, mlflow,
            trackio, or others that transformers knows; none when left out.
        extra: further arguments of `UnlearningConfig`, which has those of
            `transformers.TrainingArguments` and `chunk_rows`.
    """

    learning_rate: Positive | None = None
    epochs: Positive | None = None
    batch_size: Count = 8
    gradient_accumulation_steps: Count = 1
    retain: Literal["none", "nll", "kl", "jsd", "hidden"] | None = None
    retain_weight: Annotated[float, Field(ge=0)] | None = None
    replay: bool | None = None
    replay_weight: Positive = 1.0
    stop_at: Share | Literal["holdout"] | None = None
    min_kept: Annotated[float, Field(ge=0, lt=1)] = 0.0
    draw_back: Literal["holdout", "made", "never"] | None = None
    seed: Seed = 0
    deterministic: bool = False
    lr_scheduler_type: str = "linear"
    warmup_ratio: Annotated[float, Field(ge=0, lt=1)] = 0.0
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    max_grad_norm: Positive = 1.0
    adam_epsilon: Positive | Literal["auto"] | None = None
    rounds: Count | None = None
    gradient_checkpointing: bool = False
    optim: str = "adamw_torch_fused"
    sam: Annotated[float, Field(ge=0)] = 0.0
    forms: Annotated[int, Field(ge=0, le=8)] = 0
    packing: bool = False
    checkpoint_minutes: Annotated[float, Field(ge=0)] = 10.0
    checkpoint_steps: Count | None = None
    report_to: Annotated[list[Name], Commas] = Field(default_factory=list)
    extra: dict[Name, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _under_new_names(cls, values: Any) -> Any:
        return under_new_names("train", values)


class EvaluateSettings(Section):
    """Settings of evaluation.

    Attributes:
        max_examples: retain and holdout examples scored, drawn by seed 0; forget examples are
            always scored all.
        max_new_tokens: the longest greedy answer; an answer gets twice its own length at most.
        tokens_per_batch: padded tokens of one forward.
        bits: of the weights; 4 loads every model that is scored in 4 bits, to save memory or to see
            what quantising brings back.
        also: further files that are scored and never trained on, by the name of their group.
        half: which examples judge the result: "both" halves of each file, or the "second" one alone
            (whole subjects), of which `unteach search` read nothing. Training takes all.
        cache: keep the numbers of the original and the retrained model, so that a later run does
            not ask them again; in the folder that `UNTEACH_CACHE` names, without any text.
    """

    max_examples: Count = 400
    max_new_tokens: Count = 256
    tokens_per_batch: Count = 4096
    bits: Literal[4] | None = None
    also: dict[Name, str] = Field(default_factory=dict)
    half: Literal["both", "second"] = "both"
    cache: bool = True


class AttackSettings(Section):
    """What tries to bring back what was forgotten, once the run is evaluated.

    Attributes:
        names: the attacks, `int4,relearn` for example; none when left out.
        limit: examples of each group that they ask, drawn by seed 0.
        options: of each attack, as `{relearn: {steps: "4,16"}}`.
    """

    names: Annotated[list[Name], Commas] = Field(default_factory=list)
    limit: Count = 200
    options: dict[Name, dict[Name, Any]] = Field(default_factory=dict)
