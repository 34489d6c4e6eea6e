"""Measure the memory of a model's forward and backward pass on fake tensors.

The model is built, adapted and run as in training, on tensors that have a shape but no data
(torch's `FakeTensorMode`), and their bytes are counted. So the activations are those of the model's
own code, with the attention, checkpointing and precision of training, without a formula for them.
If all layers are alike, the model is run with two and with three layers: each further layer adds
the difference.
"""

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from unittest.mock import patch

import torch
from torch import nn

from unteach.errors import Problem, UserError
from unteach.models.supported import unbuilt
from unteach.sizing.live import Live
from unteach.sizing.setting import SizeSettings

PACKED = 0.5 + 1 / 64 + 4 / (64 * 256)  # bytes of a 4-bit weight with its share of the scales
Points = tuple[tuple[int, int], ...]
SCAN = 4096  # padded tokens of a forward of the original model, as in rowengine.reference


class Weight(tuple):
    """A trained weight: its shape, and whether it is an embedding."""

    embedding: bool = False

    @property
    def numel(self) -> int:
        """Number of elements."""
        return int(torch.Size(self).numel())


@dataclass(frozen=True, kw_only=True)
class TracedModel:
    """Sizes of a model and of its forward and backward pass, in bytes where nothing else is said.

    Attributes:
        parameters: number of parameters without adapters, tied ones counted once.
        packable: number of parameters that can be quantised to 4 bits.
        buffers: size of the buffers.
        adapters: size of the adapters.
        trained: shapes of the trained weights.
        head: shape of the head, (rows, width).
        head_bytes: size of one element of the head.
        head_trained: whether the head is trained.
        tied: whether the head is tied to the embedding.
        state_bytes: size of one element of the last hidden states.
        kept: size of what a forward pass saves for the backward pass, with the last hidden states.
        forward: peak of the forward pass, above the weights.
        backward: steps of the backward pass: (elements of gradients so far, bytes beside them).
        scan: peak of a forward pass without gradients over 4096 tokens.
        unit: number of elements of the largest layer, which is gathered at once when sharded.
        root: number of elements of the largest group outside the layers: embedding, or last norm
            and head; if these are tied, all of it.
        largest: size of the largest linear weight in the precision of the matrix products.
        targeted: number of elements of the base weights that have an adapter.
    """

    parameters: int
    packable: int
    buffers: int
    adapters: int
    trained: tuple[Weight, ...]
    head: tuple[int, int]
    head_bytes: int
    head_trained: bool
    tied: bool
    state_bytes: int
    kept: int
    forward: int
    backward: Points
    scan: int
    unit: int
    root: int
    largest: int
    targeted: int

    @property
    def moved(self) -> int:
        """Number of trained elements."""
        return sum(weight.numel for weight in self.trained)

    def weights(self, each: float, bits: int | None = None) -> float:
        """Return the size of the base weights, with `each` bytes per element, or in 4 bits."""
        packed = self.packable if bits else 0
        return (self.parameters - packed) * each + packed * PACKED + self.buffers


def traced(setting: SizeSettings) -> TracedModel:
    """Build the model of a setting and run it on fake tensors."""
    # Fields that do not matter here get a fixed value, so that the result is cached across them.
    same = replace(
        setting, optim="", chunk_rows=None, pairs=setting.batch, answers=0, cpu=False,
        examples=min(setting.examples, max(SCAN // setting.length, 1)),
        sharding="none" if setting.pass_dtype == setting.weight_dtype else "fsdp", processes=1,
        fila=False, fisher_cpu=False, sam=False, adapter_only=False, bits=None, evaluate_bits=None,
        forms=0, base=None,
    )  # fmt: skip
    return _traced(same, setting.config.to_json_string(use_diff=False))


@lru_cache(maxsize=64)
def _traced(setting: SizeSettings, _shape: str) -> TracedModel:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with warnings.catch_warnings(action="ignore"):
        with torch.device("meta"):
            model = _build(setting)
        base = _count(model, setting)
        try:
            with FakeTensorMode(), _masks(setting):
                _meta_to_fake(model)
                return TracedModel(**base, **_measure(model, setting))
        except Exception as error:  # a model's code may not run on fake tensors
            what = f"{setting.config.model_type}'s code does not run without content "
            what += f"({type(error).__name__}), so its activations are not known"
            hint = "take a dense model of the same width and depth for an estimate"
            raise UserError(Problem("--model", what, hint)) from error


@contextmanager
def _masks(setting: SizeSettings) -> Iterator[None]:
    """Switch off masks for unpadded batches; transformers would read the mask's data for that."""
    if setting.padded:
        yield
        return
    with patch("transformers.masking_utils.find_packed_sequence_indices", lambda *a, **k: None):
        yield


def _meta_to_fake(model: Any) -> None:
    """Replace meta tensors by fake tensors, since models do not run on the meta device."""
    same: dict[int, Any] = {}
    for module in model.modules():
        for held in (module._parameters, module._buffers):
            for name, old in held.items():
                if old is None:
                    continue
                if id(old) not in same:
                    new: Any = torch.empty(old.shape, dtype=old.dtype)
                    if isinstance(old, nn.Parameter):
                        new = nn.Parameter(new, requires_grad=old.requires_grad)
                    same[id(old)] = new
                held[name] = same[id(old)]


def _build(setting: SizeSettings) -> Any:
    from transformers import AutoModelForCausalLM

    from unteach.adapters import LoraSettings, add_lora
    from unteach.training.prepare import freeze

    config = copy.deepcopy(setting.config)  # from_config writes the dtype into it
    if setting.attention:
        config._attn_implementation = setting.attention
    try:
        model: Any = AutoModelForCausalLM.from_config(config, dtype=setting.pass_dtype)
    except Exception as error:  # depends on the model's class
        raise UserError(unbuilt(error, f"--model {setting.model}")) from error
    if setting.lora:
        model = add_lora(model, LoraSettings(rank=setting.rank, targets=setting.targets))
    layers = config.get_text_config().num_hidden_layers
    freeze(model, lambda name: setting.method.trainable(name, layers))
    if setting.checkpointing:
        enable = getattr(model, "activation_checkpointing_enable", None)
        (enable or model.gradient_checkpointing_enable)({"use_reentrant": False})
    model.train()
    for module in model.modules():
        # transformers before 5.23 draws a random number per OPT layer even if layerdrop is 0.
        if getattr(module, "layerdrop", None) == 0:
            module.training = False
    return model


def _count(model: Any, setting: SizeSettings) -> dict[str, Any]:
    from unteach.adapters.lora import adapted_weight, lora_layers

    embedding = model.get_input_embeddings()
    head = model.get_output_embeddings()
    base_parameters = [p for name, p in model.named_parameters() if "lora_" not in name]
    inner = {id(p) for p in base_parameters}
    base = getattr(model, "base_model", model) if setting.lora else model
    tied = head.weight is embedding.weight
    adapted = lora_layers(model).values() if setting.lora else ()
    layers = _layers(base)
    outside = sum(p.numel() for p in model.parameters())
    outside -= sum(p.numel() for p in layers.parameters())
    modules = [m for m in model.modules() if isinstance(m, nn.Linear) and m is not head]
    matrices = {id(m.weight): m.weight.numel() for m in modules if id(m.weight) in inner}
    return {
        "parameters": sum(p.numel() for p in base_parameters),
        "packable": sum(matrices.values()),
        "buffers": sum(b.nbytes for b in model.buffers()),
        "adapters": sum(4 * p.numel() for n, p in model.named_parameters() if "lora_" in n),
        "tied": tied,
        "trained": tuple(
            _weight(p, p is embedding.weight) for p in model.parameters() if p.requires_grad
        ),
        "head": tuple(head.weight.shape),
        "head_bytes": setting.weight_dtype.itemsize,
        "head_trained": head.weight.requires_grad,
        "unit": max(sum(p.numel() for p in layer.parameters()) for layer in layers),
        "root": outside if tied else max(outside - embedding.weight.numel(), outside // 2),
        "largest": max(matrices.values(), default=0) * setting.product_bytes,
        "targeted": sum(adapted_weight(layer).numel() for layer in adapted),
    }


def _weight(parameter: Any, embedding: bool) -> Weight:
    found = Weight(parameter.shape)
    found.embedding = embedding
    return found


def _layers(model: Any) -> nn.ModuleList:
    lists = [m for m in model.modules() if isinstance(m, nn.ModuleList) and len(m)]
    return max(lists, key=lambda m: sum(p.numel() for p in m.parameters()))


def _measure(model: Any, setting: SizeSettings) -> dict[str, Any]:
    """Measure the passes of all layers; if the layers are alike, extrapolate from two and three."""
    layers = _layers(model)
    count = len(layers)
    if count < 4 or not _layers_alike(layers, setting):
        return _measure_passes(model, setting)
    found = []
    for few in (3, 2):
        del layers[few:]
        found.append(_measure_passes(model, setting))
    three, two = found
    more = count - 2
    made = {k: v + more * (three[k] - v) for k, v in two.items() if k != "backward"}
    return made | {"backward": _extrapolated(two["backward"], three["backward"], more)}


def _layers_alike(layers: Any, setting: SizeSettings) -> bool:
    kinds = getattr(setting.config.get_text_config(), "layer_types", None) or [""]
    looks = {
        (type(x), tuple((n, p.shape, p.dtype, p.requires_grad) for n, p in x.named_parameters()))
        for x in layers
    }
    return len(looks) == len(set(kinds)) == 1


def _extrapolated(two: Points, three: Points, more: int) -> Points:
    """Extrapolate the steps of the backward pass; layers in between are taken as linear."""
    half = len(two) // 2

    def moved(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
        return a[0] + more * (b[0] - a[0]), a[1] + more * (b[1] - a[1])

    first = [moved(a, b) for a, b in zip(two[:half], three, strict=False)]
    last = [moved(a, b) for a, b in zip(two[half:], three[half - len(two) :], strict=True)]
    return (*first, *last)


def _measure_passes(model: Any, setting: SizeSettings) -> dict[str, Any]:
    grown: dict[int, int] = {}
    so_far = 0
    tensors = [*model.parameters(), *model.buffers()]
    live = Live(tensors, lambda now: grown.__setitem__(so_far, max(grown.get(so_far, 0), now)))
    weights, live.peak = live.now, live.now
    gradients: list[Any] = []

    def take(parameter: Any) -> None:
        nonlocal so_far
        so_far += parameter.grad.numel()
        parameter.grad = None

    for parameter in model.parameters():
        if parameter.requires_grad:
            gradients.append(parameter.register_post_accumulate_grad_hook(take))
    inputs = _inputs(setting, setting.texts, setting.length)
    hidden = {"output_hidden_states": True} if setting.reads_hidden else {}
    with live:
        with _precision(setting):
            found = _backbone(model)(**inputs, **hidden, use_cache=False)
        final = found.last_hidden_state
        forward, kept, grown = live.peak - weights, live.now - weights, {}
        loss = (final * 1.0).sum()  # so that the gradient of `final` is a separate tensor
        del found
        state = final.element_size()
        del final
        if loss.requires_grad:
            loss.backward()
    for handle in gradients:
        handle.remove()
    backward = tuple((k, most - weights) for k, most in sorted(grown.items()))
    passed = {"state_bytes": state, "kept": kept, "forward": forward, "backward": backward}
    return passed | {"scan": _scan(model, setting)}


def _scan(model: Any, setting: SizeSettings) -> int:
    texts = max(min(SCAN // setting.length, setting.examples), 1)
    inputs = _inputs(setting, texts, setting.length)
    live = Live([*model.parameters(), *model.buffers()])
    weights = live.now
    with live, torch.no_grad(), _precision(setting):
        _backbone(model.eval())(**inputs, use_cache=False)
    model.train()
    return live.peak - weights


def _inputs(setting: SizeSettings, texts: int, length: int) -> dict[str, Any]:
    inputs = {"input_ids": torch.zeros(texts, length, dtype=torch.long)}
    if setting.padded:
        inputs["attention_mask"] = torch.ones(texts, length, dtype=torch.long)
    return inputs


def _backbone(model: Any) -> Any:
    """Return the model without its head; the row engine replaces the head."""
    inner = model.get_base_model() if hasattr(model, "peft_config") else model
    return getattr(inner, inner.base_model_prefix)


def _precision(setting: SizeSettings) -> Any:
    """Return CPU autocast, also as a substitute for an accelerator's."""
    return torch.autocast("cpu", dtype=torch.bfloat16) if setting.autocast else nullcontext()
