"""Compute the memory of one device at each stage of a run, from the traced model."""

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from unteach.head.find import ON_ACCELERATOR, ON_CPU
from unteach.inference.budget import answering_tokens, cache_bytes
from unteach.sizing.optimisers import state_bytes, step_bytes
from unteach.sizing.setting import SizeSettings
from unteach.sizing.trace import SCAN, TracedModel

FLOAT = 4  # bytes
BROADCAST = 250 << 20  # bytes that DDP broadcasts at once
BLOCK = 1 << 19  # elements of a block of logits on a CPU, as in losses.byrows
BLOCKS = 5  # blocks that formulas over the whole vocabulary hold at once (measured)

Parts = dict[str, float]
"""Bytes by what uses them."""


@dataclass(frozen=True)
class Moment:
    """A stage of a run, and the memory of a device in it.

    Attributes:
        name: of the stage.
        parts: bytes by what uses them.
    """

    name: str
    parts: Parts

    @property
    def total(self) -> float:
        """Total bytes."""
        return sum(self.parts.values())


def moments(setting: SizeSettings, found: TracedModel) -> list[Moment]:
    """Return the stages of a run in order; the device must hold the largest."""
    held = _held(setting, found)
    gradients = held.pop("gradients")
    standing = held | _original_head(setting, found)
    carried = {"gradients": gradients} if setting.accumulation > 1 else {}
    if setting.two_gradients:
        standing["a second gradient"] = gradients
    work = step_bytes(setting.optim, found.trained, cpu=setting.cpu) * _share(setting)
    if setting.bits:
        standing["a layer widened from 4 bits"] = found.largest
    passing = standing | _gathered(setting, found) | carried
    after = {"activations": found.kept} | _loss(setting, found)
    last = {"gradients": gradients, "the optimiser's work": work}
    return [
        Moment("loading", _loading(setting, found)),
        Moment("before training", _before_training(setting, found)),
        Moment("forward", passing | {"activations": found.forward}),
        Moment("loss", passing | after),
        Moment("backward", passing | _backward(setting, found, gradients)),
        Moment("optimiser step", standing | last),
        Moment("evaluation", _evaluation(setting, found)),
    ]


def _evaluation(setting: SizeSettings, found: TracedModel) -> Parts:
    """Memory of evaluation, one model at a time; sharded under FSDP, but not in 4 bits."""
    import torch

    each = getattr(torch, setting.dtype)
    shards = setting.sharding == "fsdp" and not setting.evaluate_bits
    weights = found.weights(each.itemsize, setting.evaluate_bits)
    parts = {"weights": weights / setting.processes if shards else weights}
    if shards:  # the head stays gathered after its first use; the embedding is freed like a layer
        largest = found.unit if found.tied else max(found.unit, found.root)
        parts["gathered layers"] = each.itemsize * (found.unit + found.root + largest)
    head = {"head of the model asked before": each.itemsize * found.head[0] * found.head[1]}
    comparing = {"a forward without gradients": max(found.scan, _comparison_bytes(setting, found))}
    reading, answering = _generation(setting, found, each)
    if setting.cpu:  # the head is copied on a CPU
        reading, answering = reading | head, answering | head
    return parts | max(comparing | head, reading, answering, key=lambda some: sum(some.values()))


def _generation(setting: SizeSettings, found: TracedModel, each: Any) -> tuple[Parts, Parts]:
    """Memory of generation: at the prefill, and at the end, when a layer's cache is copied."""
    like: Any = SimpleNamespace(config=setting.config, dtype=each, device=SimpleNamespace(
        type="cpu" if setting.cpu else "accelerator"))  # fmt: skip
    most = 2 * setting.examples * setting.length  # tokens of all prompts and answers
    cache = min(answering_tokens(like, SCAN), most) * cache_bytes(like)
    layers = setting.config.get_text_config().num_hidden_layers
    name = "answers under way, at most"
    forward: Parts = {"a forward without gradients": found.scan}
    # On an accelerator the prefill takes more tokens at once than `scan` has.
    beside: Parts = {} if setting.cpu else forward
    return forward | {name: cache / 2}, beside | {name: cache * (1 + 1 / layers)}


def _comparison_bytes(setting: SizeSettings, found: TracedModel) -> float:
    """Bytes after the forward pass: a chunk of logits of two models."""
    vocabulary = found.head[0]
    texts = max(min(SCAN // setting.length, setting.examples), 1)
    most = texts * min(setting.answers, setting.length - 1)
    rows = min(most, limit_of(replace(setting, chunk_rows=None), found))
    blocks = BLOCKS * min(rows * vocabulary, BLOCK) if setting.cpu else 0
    return FLOAT * (2 * rows * vocabulary + blocks)


def _share(setting: SizeSettings) -> float:
    """Share of the gradients and the optimiser state on one device."""
    return 1 / setting.processes if setting.sharded else 1


def base_of(setting: SizeSettings, found: TracedModel) -> float:
    """Return the bytes of the base weights in training, without adapters."""
    each = setting.weight_dtype.itemsize
    if setting.sharding.startswith("zero") and setting.autocast:  # DeepSpeed converts to 16 bits
        each = min(each, 2)
    return found.weights(each, setting.bits)


def _held(setting: SizeSettings, found: TracedModel) -> Parts:
    """Memory that the device holds from the end of the first step on."""
    part = 1 if setting.whole else 1 / setting.processes
    numbers = found.moved
    state = state_bytes(setting.optim, found.trained)
    gradients = FLOAT * numbers
    if setting.sharding.startswith("zero") and setting.autocast:
        # DeepSpeed trains copies in float32 of weights in half precision: 2 + 2 + 12 bytes (ZeRO,
        # arXiv 1910.02054, section 3.1).
        state, gradients = state + FLOAT * numbers, 2 * numbers
    parts = {
        "weights": base_of(setting, found) * part,
        "adapters": found.adapters * part,
        "optimiser state": state * _share(setting),
        "gradients": gradients * _share(setting),
    }
    if setting.sharding == "ddp":
        parts["DDP's buckets"] = gradients
    return parts


def _original_head(setting: SizeSettings, found: TracedModel) -> Parts:
    """Memory of the original model's head, if the loss reads its logits."""
    if "reference_logits" not in setting.reads:
        return {}
    numbers = found.head[0] * found.head[1]
    copied = found.head_bytes == FLOAT and setting.autocast
    if not found.head_trained and not copied:
        return {}
    return {"head of the model before": numbers * (2 if copied else found.head_bytes)}


def _loading(setting: SizeSettings, found: TracedModel) -> Parts:
    """Memory of loading: FSDP moves one layer at a time to the device, DeepSpeed all at once."""
    whole = base_of(setting, found)
    if setting.sharding != "fsdp":
        return {"weights": whole}
    parts: Parts = {"weights": whole / setting.processes}
    if setting.reads & {"alternate", "selected"}:  # generated or selected before sharding
        return parts | {"the whole model, to be asked": whole}
    if setting.cpu:
        return parts
    each = setting.weight_dtype.itemsize
    return parts | {"a layer before it is shared out": each * max(found.unit, found.root)}


def _before_training(setting: SizeSettings, found: TracedModel) -> Parts:
    """Memory while the original model is evaluated before training; already sharded, if at all."""
    part = 1 if setting.whole else 1 / setting.processes
    parts: Parts = {"weights": base_of(setting, found) * part, "adapters": found.adapters * part}
    parts |= _original_head(setting, found)
    if setting.fila and not setting.fisher_cpu:
        parts["FILA's squared gradients"] = FLOAT * found.targeted
    if setting.asks_before:
        parts["gathered layers"] = _gathered(setting, found).get("gathered layers", 0)
        parts["a forward without gradients"] = max(found.scan, _scoring_bytes(setting, found))
    sent = (
        min(base_of(setting, found) + found.adapters, BROADCAST) if setting.sharding == "ddp" else 0
    )
    if sent > parts.get("a forward without gradients", 0):  # the two do not overlap
        parts.pop("a forward without gradients", None)
        parts["DDP's first broadcast"] = sent
    return parts


def _scoring_bytes(setting: SizeSettings, found: TracedModel) -> float:
    """Bytes of the head when the answers are scored, after the forward pass."""
    if not setting.reads & {"reference_logps", "selected"}:
        return 0
    vocabulary, width = found.head
    texts = max(min(SCAN // setting.length, setting.examples), 1)
    most = texts * min(setting.answers, setting.length - 1)
    rows = min(most, limit_of(setting, found))
    states = (texts * setting.length + most) * width * found.state_bytes
    blocks = BLOCKS * min(rows * vocabulary, BLOCK) if setting.cpu else 0
    return states + FLOAT * (rows * vocabulary + blocks)


def _gathered(setting: SizeSettings, found: TracedModel) -> Parts:
    """Memory of gathered shards: this layer, the next, and the embedding or the head."""
    if setting.whole:
        return {}
    size = 2 if setting.autocast else FLOAT
    return {"gathered layers": size * (2 * found.unit + found.root)}


def limit_of(setting: SizeSettings, found: TracedModel) -> int:
    """Return the number of rows of logits in a chunk, as `head.find.chunk_rows` does."""
    budget, least = (ON_CPU, 64) if setting.cpu else (ON_ACCELERATOR, 256)
    return setting.chunk_rows or max(budget // (FLOAT * found.head[0]), least)


def _rows(setting: SizeSettings) -> dict[str, int]:
    """Number of rows of each group in one forward pass; a group is processed together."""
    answer_rows = setting.batch * min(setting.answers, setting.length - 1)
    rows = {"forget": answer_rows}
    if "alternate" in setting.reads:
        rows["alternate"] = answer_rows
    if "prompt" in setting.reads:
        rows["prompt"] = setting.batch * (setting.length - 1) - answer_rows
    if setting.retain != "none":
        rows["retain"] = answer_rows
    if setting.replay:
        rows["replay"] = answer_rows
    return rows


def _loss(setting: SizeSettings, found: TracedModel) -> Parts:
    """Memory of the loss in addition to the activations; see `rowengine.rows`."""
    from unteach.losses.retain import retain_reads

    vocabulary, width = found.head
    rows = _rows(setting)
    of_forget = "reference_logits" in setting.method.needs()
    of_retain = "reference_logits" in retain_reads(setting.retain)
    held = {"retain": of_retain, "replay": True}
    before = sum(n for kind, n in rows.items() if held.get(kind, of_forget))
    of_retain = of_retain or setting.replay
    states = sum(rows.values()) * 2 + before
    if setting.reads_hidden:
        states += 3 * sum(rows.values())
    most = min(limit_of(setting, found), max(rows.values()))
    logits = FLOAT * vocabulary * most * (2 if of_forget or of_retain else 1)
    if setting.cpu:
        blocks = BLOCKS if of_forget or of_retain else 1
        logits += blocks * FLOAT * min(most * vocabulary, BLOCK)
    elif setting.autocast:
        logits += 2 * vocabulary * most  # their gradient in bfloat16, for the matrix products
    head = 0
    if found.head_trained:
        head = FLOAT * vocabulary * width
        if setting.autocast:
            head *= 2  # the gradient of the last chunk, before it is added
    if setting.autocast and found.head_bytes == FLOAT and setting.whole:
        head += 2 * vocabulary * width
    return {
        "final states of answers": states * width * found.state_bytes,
        "logits of a chunk": logits,
        "head, for the loss": head,
    }


def _backward(setting: SizeSettings, found: TracedModel, gradients: float) -> Parts:
    """Peak memory of the backward pass, in which activations are freed and gradients appear."""
    vocabulary, width = found.head
    waits = found.head_trained and (found.tied or setting.accumulation == 1)
    head = FLOAT * vocabulary * width if waits else 0
    # Gradients of the rows, scattered into the hidden states of all tokens, group by group.
    spread = 2 * setting.texts * setting.length * width * found.state_bytes
    each = gradients / max(found.moved, 1)
    worst = max(
        found.backward,
        key=lambda point: point[1] + each * point[0] * (setting.accumulation == 1),
        default=(0, 0),
    )
    done = gradients if setting.accumulation > 1 else each * worst[0]
    first = found.backward[0][1] + spread if found.backward else 0
    if first > worst[1] + (0 if setting.accumulation > 1 else done):
        worst, done = (0, int(first)), gradients if setting.accumulation > 1 else 0.0
    if setting.whole:
        return {"activations": worst[1], "gradients": done, "head, for the loss": head}
    # The largest gradients, and a copy of them in the order of the processes.
    size = 2 if setting.autocast else FLOAT
    sent = 0 if setting.lora else 2 * size * max(found.unit, found.root)
    return {
        "activations": worst[1],
        "gradients": done,
        "gradients before they are shared out": sent,
    }
