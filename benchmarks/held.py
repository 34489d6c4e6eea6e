"""What training holds, to the byte: every allocation on the CPU, as torch's profiler tells it."""

import gc
from collections.abc import Callable
from typing import Any

from torch.profiler import ProfilerActivity, profile, record_function
from transformers import TrainerCallback

MARK = "unteach: "


class Marks(TrainerCallback):
    """Names the moments in the profile, and counts what stands at some of them."""

    def __init__(self):
        self.standing: dict[str, int] = {}

    def on_step_begin(self, args, state, control, model=None, **kwargs):
        self.standing["weights"] = _bytes([*model.parameters(), *model.buffers()])
        mark("forward to backward")

    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs):
        self.standing["gradients"] = _bytes(p.grad for p in model.parameters())
        mark("optimiser step")

    def on_step_end(self, args, state, control, optimizer=None, **kwargs):
        states = (v for s in optimizer.state.values() for v in s.values() if hasattr(v, "nbytes"))
        self.standing["optimiser state"] = _bytes(states)
        mark("after")


def held(work: Callable[[Marks], Any]) -> dict[str, int]:
    """The most that was allocated between marks while a trainer was made and ran, in bytes.

    Args:
        work: makes model and trainer, and trains, with these marks among the callbacks.
    """
    marks = Marks()
    gc.collect()  # what another run left would be freed in this one
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        work(marks)
    events = found.profiler.kineto_results.events()  # type: ignore[union-attr]
    told = sorted(
        (e.start_ns(), e.name(), e.nbytes())
        for e in events
        if e.name() == "[memory]" or e.name().startswith(MARK)
    )
    now, at, most, stands = 0, "before training", {"before training": 0}, None
    for _, name, size in told:
        if name == "[memory]":
            now += size
        else:
            at = name.removeprefix(MARK)
            if at == "after":  # the same after each step; what gloo's threads free is not told
                now = stands = now if stands is None else stands
        most[at] = max(most.get(at, 0), now)
    return marks.standing | most


def mark(name: str) -> None:
    """Name what follows in the profile."""
    with record_function(MARK + name):
        pass


def _bytes(tensors: Any) -> int:
    """Of a process's own part, where they are in shards; tied ones once."""
    own = [getattr(t, "_local_tensor", t) for t in tensors if t is not None]
    return sum({(s := t.untyped_storage())._cdata: s.nbytes() for t in own}.values())
