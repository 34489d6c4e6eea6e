"""Check that requested memory savings (4 bits, optimisers, Liger kernels) are available here."""

from typing import Any

from transformers import Trainer
from transformers.training_args import OptimizerNames
from transformers.utils.import_utils import (
    is_bitsandbytes_available,
    is_liger_kernel_available,
)

from unteach.errors import Problem
from unteach.models.loading import device_problem, pick_device
from unteach.registry import did_you_mean
from unteach.settings.request import Request
from unteach.training.config import LIGER_LOSSES, UnlearningConfig
from unteach.types import Paper

QLORA = Paper(
    title="QLoRA: Efficient Finetuning of Quantized LLMs",
    authors="Tim Dettmers and Artidoro Pagnoni and Ari Holtzman and Luke Zettlemoyer",
    year=2023,
    arxiv="2305.14314",
    where="section 3: NF4, and its scales quantised once more",
    venue="NeurIPS 2023",
)
INSTALL = 'pip install "unteach[{}]"'
OWN_WAY = ("galore", "apollo", "lomo")  # these depend on layer names, or step in backward hooks
OPTIMISERS = [o.value for o in OptimizerNames if not any(name in o.value for name in OWN_WAY)]


def memory_problems(request: Request) -> list[Problem]:
    """Return problems of memory savings that are not available here."""
    return [*_bits(request), *_optimiser(request), *_kernels(request)]


def bits_notes(request: Request) -> list[Problem]:
    """Return notes on how 4-bit loading affects the scores."""
    if request.evaluate.bits:
        what = "every model is scored in 4 bits; as it is written it may score otherwise"
        return [Problem("evaluate.bits", what, "leave it out where memory allows", "note")]
    if request.adapter.bits:
        what = "4 bits are for training; what is written and scored is in the model's own precision"
        hint = "set evaluate.bits=4 where the device has no room for that"
        return [Problem("adapter.bits", what, hint, "note")]
    return []


def why_no_optimiser(name: str, settings: str | None = None) -> str:
    """Return transformers' error for an optimiser; "" if there is none.

    Example:
        >>> why_no_optimiser("adamw_torch_npu_fused")
        'Trainer failed to import FusedAdamW from torch_npu.'
        >>> why_no_optimiser("adafactor")
        ''
    """
    options: dict[str, Any] = {"optim": name, "optim_args": settings}
    try:
        args = UnlearningConfig(output_dir="unused", use_cpu=True, **options)
        Trainer.get_optimizer_cls_and_kwargs(args)
    except (ImportError, ValueError) as error:
        return str(error)
    return ""


def _bits(request: Request) -> list[Problem]:
    settings = {"adapter.bits": request.adapter.bits, "evaluate.bits": request.evaluate.bits}
    if is_bitsandbytes_available():
        return []
    what, hint = "bitsandbytes is not installed", INSTALL.format("qlora")
    return [Problem(where, what, hint, "request") for where, bits in settings.items() if bits]


def _optimiser(request: Request) -> list[Problem]:
    where, name = "train.optim", request.train.optim
    if name not in OPTIMISERS:
        hint = f"{did_you_mean(name, OPTIMISERS).strip()} Known: {', '.join(OPTIMISERS)}".strip()
        return [Problem(where, f'"{name}" is no optimiser here', hint, "request")]
    if why := why_no_optimiser(name, request.train.extra.get("optim_args")):
        hint = "take adamw_torch_fused or adafactor"
        hint = INSTALL.format("qlora") + f", or {hint}" if "bitsandbytes" in why else hint
        return [Problem(where, f"{name}: {why}", hint, "request")]
    if "paged" in name and (kind := _device_type(request)) in ("cpu", "mps"):
        what = f"{name} pages between a GPU's memory and the CPU's, and the device is {kind}"
        return [Problem(where, what, f"take {name.removeprefix('paged_')}", "request")]
    return []


def _kernels(request: Request) -> list[Problem]:
    extra, where = request.train.extra, "train.extra.use_liger_kernel"
    if not extra.get("use_liger_kernel"):
        return []
    problems = []
    if not is_liger_kernel_available():
        hint = INSTALL.format("liger")
        problems.append(Problem(where, "liger-kernel is not installed", hint, "request"))
    if (kind := _device_type(request)) in ("cpu", "mps"):
        what = f"its kernels are for GPUs, and the device is {kind}"
        problems.append(Problem(where, what, "drop it", "request"))
    kernels = extra.get("liger_kernel_config") or {}
    if losses := [name for name in LIGER_LOSSES if kernels.get(name)]:
        what = f"{' and '.join(losses)} would replace a loss that unteach does not use"
        place = "train.extra.liger_kernel_config"
        problems.append(Problem(place, what, "drop it; the other kernels stay", "request"))
    return problems


def _device_type(request: Request) -> str | None:
    return None if device_problem(request.device) else pick_device(request.device).type
