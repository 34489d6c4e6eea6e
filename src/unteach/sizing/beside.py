"""Estimate the host memory and the disk space that a run needs."""

from unteach.inference.store import IN_MEMORY
from unteach.losses.replay import REPLAY_READS
from unteach.losses.retain import retain_reads
from unteach.methods import Method
from unteach.sizing.optimisers import state_bytes
from unteach.sizing.parts import FLOAT, Parts, base_of
from unteach.sizing.setting import SizeSettings
from unteach.sizing.trace import TracedModel

COMPARED = "states of the answers, before and after"
SIZES = {"float32": 4, "bfloat16": 2, "float16": 2, "float64": 8}


def kept_states(setting: SizeSettings, found: TracedModel) -> float:
    """Return the bytes of the original model's cached hidden states and log-probabilities."""
    of_forget, of_retain = setting.method.needs(), retain_reads(setting.retain)
    examples = setting.examples * (1 + setting.forms)
    rows = examples * min(setting.answers, setting.length - 1)
    groups = {"alternate": of_forget - {"reference_hidden"}} if "alternate" in of_forget else {}
    groups |= {"forget": of_forget, "retain": of_retain}
    groups |= {"replay": REPLAY_READS} if setting.replay else {}
    kinds = {"reference_logits", "reference_hidden"}
    times = sum(len(reads & kinds) for reads in groups.values())
    numbers = times * rows
    if {"prompt", "reference_logits"} <= of_forget:
        numbers += examples * (setting.length - 1) - rows
    answers = examples if "reference_logps" in of_forget else 0
    return numbers * found.head[1] * found.state_bytes + FLOAT * answers


def compared_states(setting: SizeSettings, found: TracedModel) -> float:
    """Return the bytes of one model's final states of the answers, kept while models are compared.

    The original's stay from its evaluation on (`inference.OriginalStates`), the unlearned model's
    while it is compared. Each goes to a file of its own where it is large.
    """
    rows = 2 * setting.examples * min(setting.answers, setting.length - 1)
    return rows * found.head[1] * SIZES[setting.dtype]


def host(setting: SizeSettings, found: TracedModel) -> Parts:
    """Return the host memory of one process; on a CPU, in addition to the device's memory."""
    parts: Parts = {}
    if setting.sharded:  # on a CPU too, in addition to the shards
        whole = found.weights(setting.weight_dtype.itemsize, setting.bits)
        parts["the model while it is loaded"] = whole + found.adapters
    elif not setting.cpu:
        parts["the model while it is loaded"] = found.parameters * _bytes_on_disk(setting)
    states = kept_states(setting, found)
    parts["kept of the model before"] = states if states <= IN_MEMORY else 0
    compared = compared_states(setting, found)
    parts[COMPARED] = 2 * compared if compared <= IN_MEMORY else 0
    if setting.sharded:
        parts["the whole model, in the main process"] = base_of(setting, found) + found.adapters
    if type(setting.method).finish is not Method.finish:
        parts["the weights as they began"] = FLOAT * found.moved
    if setting.draws_back:  # a second copy, of those after it, comes when gradients are gone
        copies = 1 if setting.cpu else 2
        parts["weights to draw the model back to"] = copies * FLOAT * found.moved
    if setting.fila:
        sums = 2 if setting.fisher_cpu else 1
        parts["FILA's squared gradients"] = sums * FLOAT * found.targeted
    return {name: size for name, size in parts.items() if size}


def disk(setting: SizeSettings, found: TracedModel) -> Parts:
    """Return the bytes in the output folder and the temporary folder."""
    states = kept_states(setting, found)
    compared = compared_states(setting, found)
    written = found.adapters * (2 if setting.fila else 1) if setting.adapter_only else None
    trained_bytes = found.adapters if setting.lora else FLOAT * found.parameters
    checkpoint = trained_bytes + state_bytes(setting.optim, found.trained)
    parts = {
        "what is written": written or found.parameters * _bytes_on_disk(setting),
        "a checkpoint of training": checkpoint,
        "the next one while it is written": checkpoint,
        "kept of the model before": states if states > IN_MEMORY else 0,
        COMPARED: 2 * compared if compared > IN_MEMORY else 0,
    }
    return {name: size for name, size in parts.items() if size}


def _bytes_on_disk(setting: SizeSettings) -> int:
    named = str(getattr(setting.config, "dtype", None) or "bfloat16").removeprefix("torch.")
    return SIZES.get(named, FLOAT)
