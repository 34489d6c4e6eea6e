"""Define the request: all settings of a run, read from a YAML file, flags and `--set`."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from unteach.errors import Problem, UserError
from unteach.files.text import read_text
from unteach.files.yaml import DEEPEST, LONGEST, NO_TEXT, read_yaml, to_yaml
from unteach.registry import did_you_mean
from unteach.settings.gates import Gates, spelled
from unteach.settings.messages import ALIKE, NAME, explained, fields_of, texts_in
from unteach.settings.renamed import RENAMED, renaming_notes, under_new_names
from unteach.settings.union_errors import by_setting

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # the range of NumPy's seeds
Name = Annotated[str, Field(pattern=r"^\w[\w.+-]*$")]
Word = Annotated[str, Field(pattern=r"^\w[\w.@+/-]{0,63}$")]
Source = Annotated[str, Field(min_length=1)]  # an unset shell variable gives an empty text
Share = Annotated[float, Field(ge=0, le=1)]

# Settings that may change before an interrupted run resumes: where the result goes, whether the run
# may start, and how often checkpoints are written.
FREE: Any = {
    "out": True,
    "overwrite": True,
    "train_anyway": True,
    "request_id": True,
    "operator": True,
    "train": {"checkpoint_minutes", "checkpoint_steps"},
    "evaluate": {"cache"},
}
FILE = "request.yaml"  # the request, as written into the result


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
        stop_at: stop once training has seen the forget answers at a mean probability this low.
            "holdout" scores the weights themselves every few steps, and stops once the forget
            answers are no likelier than the holdout answers, which the model never saw: further
            would be over-forgotten. None takes the method's, 0 never stops early.
        min_kept: stop once the retain or the holdout answers' probability is below this share of
            what it was before training (0.95, say), as the weights are scored every few steps;
            0 never does.
        draw_back: what becomes of a model that went too far: "holdout" draws a model that went too
            far back, along its trained weights, to where its forget answers are as likely as the
            holdout's; "never" leaves it where training ended. None is "holdout" where there is one
            and the method may go too far.
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
        packing: waste little on padding: none where the model's attention takes unequal texts
            (flash attention), else texts of like length share a batch.
        checkpoint_minutes: from checkpoint to checkpoint, from which a run that was cut off goes
            on; 0 writes none. Saving never takes more than a twentieth of the time.
        checkpoint_steps: a checkpoint after every so many steps instead.
        extra: further arguments of `UnlearningConfig`, which has those of
            `transformers.TrainingArguments` and `chunk_rows`.
    """

    learning_rate: Positive | None = None
    epochs: Positive | None = None
    batch_size: Count = 8
    gradient_accumulation_steps: Count = 1
    retain: Literal["none", "nll", "kl", "jsd", "hidden"] | None = None
    retain_weight: Annotated[float, Field(ge=0)] | None = None
    stop_at: Share | Literal["holdout"] | None = None
    min_kept: Annotated[float, Field(ge=0, lt=1)] = 0.0
    draw_back: Literal["holdout", "never"] | None = None
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
    packing: bool = False
    checkpoint_minutes: Annotated[float, Field(ge=0)] = 10.0
    checkpoint_steps: Count | None = None
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
        cache: keep the numbers of the original and the retrained model, so that a later run does
            not ask them again; in the folder that `UNTEACH_CACHE` names, without any text.
    """

    max_examples: Count = 400
    max_new_tokens: Count = 256
    tokens_per_batch: Count = 4096
    bits: Literal[4] | None = None
    also: dict[Name, str] = Field(default_factory=dict)
    cache: bool = True


class Request(Section):
    """All settings of a run: data, model, method, and where the result goes.

    Attributes:
        model: a folder or a hub id, `owner/name[@revision]`.
        forget: a file, or a dataset id.
        out: the folder to make.
        retain: a file of what to keep.
        holdout: a file of texts like the forget set that the model never saw.
        base: the model before fine-tuning, which never saw the forget data; what it says of them
            is what `unseen` distils towards, and `retrain` begins at it.
        retrained: a model trained without the forget set, as yardstick.
        method: its name, with its options; "auto" is unseen where the data allow it a teacher.
        request_id: your number for the request, no name; it stands in the report.
        operator: who runs it, in one word, as it should stand in the report.
        plugins: Python files that register methods of your own.
        adapter_only: write the adapters instead of the whole model.
        keep_text: write what the models said, in words, into `texts.jsonl`.
        train_anyway: train also where the model plainly never knew what it is to forget.
        overwrite: replace what stands in `out`.
        dtype: the type of the weights in memory; "auto" is float32 on a CPU, else the checkpoint's.
        device: where to compute: "auto" is the first accelerator, else the CPU.
        trust_remote_code: run the code that a model brings with it.
    """

    model: Source
    forget: Source
    out: Path
    retain: Source | None = None
    holdout: Source | None = None
    base: Source | None = None
    retrained: Source | None = None
    method: dict[str, Any] = Field(default_factory=lambda: {"name": "auto"})
    adapter: AdapterSettings = AdapterSettings()
    train: TrainSettings = TrainSettings()
    data: DataSettings = DataSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    gates: Gates = Gates()
    request_id: Word | None = None
    operator: Word | None = None
    plugins: list[str] = Field(default_factory=list)
    adapter_only: bool = False
    keep_text: bool = False
    train_anyway: bool = False
    overwrite: bool = False
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str = "auto"
    trust_remote_code: bool = False
    _notes: tuple[Problem, ...] = PrivateAttr(default=())

    @model_validator(mode="before")
    @classmethod
    def _method_by_name(cls, values: Any) -> Any:
        """Expand `method: npo` to `method: {name: npo}`, and gates given in words."""
        if isinstance(values, dict) and isinstance(values.get("method"), str):
            values = {**values, "method": {"name": values["method"]}}
        return spelled(values)

    @property
    def notes(self) -> tuple[Problem, ...]:
        """What the user should know of how the request was written; empty for most."""
        return self._notes

    @property
    def method_name(self) -> str:
        """Name of the method."""
        return str(self.method.get("name", "auto"))

    @property
    def method_options(self) -> dict[str, Any]:
        """Options of the method."""
        return {key: value for key, value in self.method.items() if key != "name"}

    def asked(self) -> dict[str, Any]:
        """Return the settings that affect the result as plain values: all but those in FREE."""
        return self.model_dump(mode="json", exclude=FREE)

    def to_yaml(self) -> str:
        """Return the request as YAML that `unteach run` reads."""
        return to_yaml(self.model_dump(mode="json"))


NESTED = {  # flags that set a field of a section
    "method": ["method", "name"],
    "init": ["adapter", "init"],
    "sam": ["train", "sam"],
}


def load(
    file: Path | None = None, flags: dict[str, Any] | None = None, sets: list[str] | None = None
) -> Request:
    """Load a request from a file, overridden by flags, overridden by `a.b=c` settings.

    Raises:
        UserError: all problems of the request.

    Example:
        >>> request = load(flags={"model": "m", "forget": "f.jsonl", "out": "o"},
        ...                sets=["method.name=npo", "method.beta=0.2", "train.learning_rate=1e-5"])
        >>> request.method, request.train.learning_rate
        ({'name': 'npo', 'beta': 0.2}, 1e-05)
    """
    values = _read(file) if file else {}
    notes = renaming_notes(values)
    values |= {name: under_new_names(name, values[name]) for name in RENAMED if name in values}
    given = {key: value for key, value in (flags or {}).items() if value is not None}
    what, hint = "holds a character that is no text", "write it in UTF-8"
    if bad := [name for name, value in given.items() if NO_TEXT.search(str(value))]:
        raise UserError(*(Problem(f"--{name}", what, hint, "request") for name in bad))
    for flag, path in NESTED.items():
        if flag in given and not isinstance(given[flag], dict):
            _set_value(values, path, given.pop(flag))
    values = spelled(values | given)
    typed = {".".join(NESTED.get(flag, [flag])) for flag in flags or {}}
    for setting in sets or []:
        path, equals, value = setting.partition("=")
        parts, plain = path.split("."), NAME.fullmatch(path)
        shown = f"--set {path}" if plain else "--set"
        if not equals or not all(parts) or len(parts) > DEEPEST or NO_TEXT.search(path):
            hint = "write --set section.name=value"
            raise UserError(Problem(shown, "is not a setting", hint, "request"))
        old = {parts[0]: {parts[1]: None}} if len(parts) == 2 else {}
        notes += renaming_notes(old)
        parts = [parts[0], *under_new_names(parts[0], old[parts[0]])] if old else parts
        _set_value(values, parts, read_yaml(value, shown))
        typed.add(".".join(parts))
    where = str(file) if file else "request"
    try:
        request = Request.model_validate(values)
    except ValidationError as error:
        raise UserError(
            *explained(by_setting(error.errors()), Request, where, typed, _suggestion)
        ) from None
    if problems := texts_in(request, where):
        raise UserError(*problems)
    request._notes = tuple(notes)
    return request


def _read(file: Path) -> dict[str, Any]:
    hint = "give a YAML file, or the flags --model, --forget and --out"
    text = read_text(file, largest=4 * LONGEST, kind="request", hint=hint)
    if file.suffix.lower() in DATA:
        hint = f"give a request file; data has its flag: --forget {file}"
        raise UserError(Problem(str(file), "is data by its name", hint, "request"))
    values = read_yaml(text, str(file))
    if not isinstance(values, dict):
        raise UserError(Problem(str(file), "is not a mapping", "write `name: value`", "request"))
    return values


def _set_value(values: dict[str, Any], path: list[str], value: Any) -> None:
    for name in path[:-1]:
        inner = values.get(name)
        if isinstance(inner, str) and name == "method":
            inner = {"name": inner}
        values[name] = dict(inner) if isinstance(inner, dict) else {}
        values = values[name]
    values[path[-1]] = value


DATA = (".jsonl", ".csv", ".tsv", ".parquet", ".arrow", ".feather", ".txt", ".gz", ".zst")
ELSEWHERE = {  # names of other tools for these settings
    "lr": "train.learning_rate",
    "num_epochs": "train.epochs",
    "num_train_epochs": "train.epochs",
    "per_device_train_batch_size": "train.batch_size",
    "lora": "adapter.kind",
    "lora_rank": "adapter.rank",
    "max_seq_length": "data.max_length",
    **{old: f"train.{new}" for old, new in RENAMED["train"].items()},
}


def setting_of(name: str) -> str:
    """Return the setting for a name without section, or for another tool's name; else empty.

    Example:
        >>> setting_of("epochs"), setting_of("batch-size"), setting_of("colour")
        ('train.epochs', 'train.batch_size', '')
    """
    name = name.lstrip("-").replace("-", "_")
    for section in ("train", "adapter", "data", "evaluate"):
        if name in fields_of([section], Request):
            return f"{section}.{name}"
    return ELSEWHERE.get(name, "")


def _suggestion(path: list[str]) -> str:
    """Suggest a setting for a name that is none."""
    name, known = path[-1], list(fields_of(path[:-1], Request))
    listed = f" Known: {', '.join(known)}"
    if setting := ELSEWHERE.get(name, "") if len(path) > 1 else setting_of(name):
        return f'Did you mean "{setting}"?'
    if len(path) > 1:
        also = f" An argument of the trainer is train.extra.{name}." if path[0] == "train" else ""
        return (did_you_mean(name, known) or also) + listed
    close = did_you_mean(name, known, ALIKE)
    return (close or f' An option of the method is "method.{name}".') + listed
