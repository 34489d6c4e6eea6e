"""Collect the settings that determine how much memory a run needs."""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from unteach.errors import Problem, require
from unteach.settings.request import MADE, Request

Sharding = Literal["none", "ddp", "fsdp", "zero2", "zero3"]
SHARDINGS = ("none", "ddp", "fsdp", "zero2", "zero3")


@dataclass(frozen=True, kw_only=True)
class SizeSettings:
    """Settings that determine how much memory a run needs.

    Attributes:
        model: folder, hub id or shape, as the user gave it.
        config: configuration of the model, shared by all settings of one model.
        method: the method, built with its options.
        retain: the retain loss, or "none".
        replay: whether earlier requests are held.
        lora: whether adapters are trained; else all weights.
        rank: of the adapters.
        targets: layers that get an adapter.
        fila: whether the adapters are initialised by FILA.
        fisher_cpu: whether FILA's sums are all on the CPU.
        bits: 4 or None, of the base weights.
        pairs: forget examples per optimiser step, over all processes.
        batch: forget examples per forward pass of one process.
        length: tokens per sequence.
        answers: answer tokens per sequence.
        examples: number of forget examples, and of retain examples that training uses.
        sharding: how processes share the work.
        processes: number of processes.
        checkpointing: recompute activations in the backward pass.
        optim: the optimiser.
        cpu: whether the device is a CPU.
        dtype: of the frozen weights.
        autocast: whether matrix products are in bfloat16.
        chunk_rows: rows of logits in a chunk; None for a limit in bytes.
        sam: whether sharpness-aware minimisation is used.
        padded: whether texts differ in length, so that attention has a mask.
        attention: attention implementation; None for the model's own.
        adapter_only: whether only adapters are written.
        evaluate_bits: 4 or None, of the models that are evaluated.
        forms: number of further wordings of each text that are trained on too.
        base: whether a base model is read before, and taught the retain file; None without one.
        draws_back: whether the weights before training are kept, to draw the model back to.
    """

    model: str
    config: Any = field(hash=False, compare=False)
    method: Any
    retain: str
    lora: bool
    rank: int = 16
    targets: Any = "all-linear"
    fila: bool = False
    fisher_cpu: bool = False
    bits: int | None = None
    replay: bool = False
    pairs: int = 8
    batch: int = 8
    length: int = 512
    answers: int = 512
    examples: int = 400
    sharding: Sharding = "none"
    processes: int = 1
    checkpointing: bool = False
    optim: str = "adamw_torch_fused"
    cpu: bool = False
    dtype: str = "bfloat16"
    autocast: bool = True
    chunk_rows: int | None = None
    sam: bool = False
    padded: bool = True
    attention: str | None = None
    adapter_only: bool = False
    evaluate_bits: int | None = None
    forms: int = 0
    base: Literal["read", "taught"] | None = None
    draws_back: bool = False

    @property
    def reads(self) -> frozenset[str]:
        """Inputs of the loss in addition to the trained model's own rows."""
        from unteach.losses.retain import retain_reads

        return self.method.needs() | retain_reads(self.retain)

    @property
    def reads_hidden(self) -> bool:
        """Whether the loss reads hidden states of a layer."""
        return bool(self.reads & {"hidden", "reference_hidden"})

    @property
    def asks_before(self) -> bool:
        """Whether the original model scores all texts before training."""
        inputs = {"reference_logits", "reference_logps", "reference_hidden", "selected"}
        return bool(self.reads & inputs)

    @property
    def weight_dtype(self) -> Any:
        """Dtype of the weights; float32 if all are trained: bfloat16 loses updates of size 1e-5."""
        import torch

        return getattr(torch, self.dtype if self.lora else "float32")

    @property
    def sharded(self) -> bool:
        """Whether anything is sharded; then the model is loaded into host memory first."""
        return self.sharding in ("fsdp", "zero2", "zero3")

    @property
    def whole(self) -> bool:
        """Whether each process holds all weights in training."""
        return self.sharding not in ("fsdp", "zero3")

    @property
    def pass_dtype(self) -> Any:
        """Dtype of the weights in a forward pass; gathered shards are in the autocast dtype."""
        import torch

        halved = self.autocast and self.sharded
        return torch.bfloat16 if halved else self.weight_dtype

    @property
    def product_bytes(self) -> int:
        """Bytes per element in a matrix product."""
        return 2 if self.autocast else self.weight_dtype.itemsize

    @property
    def groups(self) -> int:
        """Number of sequences per forget example, itself included."""
        alternate = "alternate" in self.method.needs()
        return 1 + alternate + (self.retain != "none") + self.replay

    @property
    def texts(self) -> int:
        """Number of sequences in one forward pass."""
        return self.batch * self.groups

    @property
    def accumulation(self) -> int:
        """Number of forward passes of one process per optimiser step."""
        return max(math.ceil(self.pairs / (self.batch * self.processes)), 1)

    @property
    def two_gradients(self) -> bool:
        """Whether forget and retain gradients are computed separately."""
        apart = self.method.conflict() != "sum" and (self.retain != "none" or self.method.holds())
        return self.sam or apart


def setting_of(
    request: Request, config: Any, *, sharding: str, processes: int, **more: Any
) -> SizeSettings:
    """Make the settings from a request and from what a request does not contain.

    Args:
        request: the request of the run.
        config: configuration of the model.
        sharding: one of `SHARDINGS`.
        processes: number of processes in total.
        more: `length`, `answers`, `examples`, `padded`.

    Raises:
        UserError: settings that cannot be combined.
    """
    from unteach.checks.automatic import method_of
    from unteach.checks.defaults import draw_back_of, resolve

    method = method_of(request)
    with_holdout = request.model_copy(update={"holdout": request.holdout or MADE})
    draws = draw_back_of(with_holdout, method, method.training_defaults()) != "never"
    request, _ = resolve(request, method, config, _TokenizerStub())
    adapter, train = request.adapter, request.train
    cpu = request.device == "cpu"
    named = str(getattr(config, "dtype", None) or "bfloat16").removeprefix("torch.")
    dtype = request.dtype if request.dtype != "auto" else "float32" if cpu else named
    extra = train.extra
    setting = SizeSettings(
        model=request.model, config=config, method=method, retain=train.retain or "none",
        lora=adapter.kind == "lora", rank=adapter.rank,
        targets=adapter.targets if isinstance(adapter.targets, str) else tuple(adapter.targets),
        fila=adapter.init == "fila", fisher_cpu=adapter.fisher_device == "cpu", bits=adapter.bits,
        pairs=train.batch_size * train.gradient_accumulation_steps, batch=train.batch_size,
        checkpointing=train.gradient_checkpointing, optim=train.optim, cpu=cpu, dtype=dtype,
        autocast=bool(extra.get("bf16", not cpu)), chunk_rows=extra.get("chunk_rows"),
        sam=bool(train.sam), replay=bool(train.replay) and method.trains_on == "forget",
        adapter_only=request.adapter_only, evaluate_bits=request.evaluate.bits,
        forms=train.forms, base=_base(request, method, train.retain or "none"),
        draws_back=draws and sharding in ("none", "ddp"),
        sharding=sharding,  # type: ignore[arg-type]
        processes=processes, **more,
    )  # fmt: skip
    require(*_problems(setting))
    return _with_local_batch(setting)


def _base(request: Request, method: Any, retain: str) -> Literal["read", "taught"] | None:
    """Whether the run reads a base model, as `pipeline.base_rows` does."""
    if not request.base or not method.reads_teacher():
        return None
    by_base = getattr(method, "teacher", "") in ("auto", "base")
    return "taught" if by_base and method.base_epochs and retain != "none" else "read"


class _TokenizerStub:
    """Stand-in for the tokenizer that `resolve` needs; an estimate needs no real one."""

    model_max_length = 10**9


def _with_local_batch(setting: SizeSettings) -> SizeSettings:
    """Limit the batch to one process's share of the pairs of a step."""
    from dataclasses import replace

    share = math.ceil(setting.pairs / setting.processes)
    return replace(setting, batch=min(setting.batch, share))


def _problems(setting: SizeSettings) -> list[Problem]:
    found = []
    if setting.sharding not in SHARDINGS:
        what, hint = f'"{setting.sharding}" is not known', f"give one of {', '.join(SHARDINGS)}"
        found.append(Problem("--sharding", what, hint, "request"))
    elif setting.sharding == "none" and setting.processes > 1:
        hint = "give --sharding ddp, fsdp, zero2 or zero3"
        what = f"{setting.processes} processes share their work in some way"
        found.append(Problem("--processes", what, hint, "request"))
    elif setting.sharded and setting.two_gradients:
        what = "shards what train.sam and orthogonalisation need whole"
        hint = "take ddp, or drop these"
        found.append(Problem("--sharding", what, hint, "request"))
    if setting.answers > setting.length:
        what = f"{setting.answers} of {setting.length} tokens"
        found.append(Problem("--answers", what, "give at most --length", "request"))
    if setting.bits and not setting.lora:
        what = "4-bit weights cannot be trained"
        found.append(Problem("adapter.bits", what, "set adapter.kind=lora", "request"))
    return found
