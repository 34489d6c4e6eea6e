"""Estimate the size of a run: device memory at each stage, host memory and disk space."""

from dataclasses import dataclass

from unteach.sizing.base_model import base_moments
from unteach.sizing.beside import disk, host
from unteach.sizing.optimisers import known
from unteach.sizing.parts import Moment, Parts, limit_of, moments
from unteach.sizing.setting import SizeSettings
from unteach.sizing.trace import TracedModel, traced


@dataclass(frozen=True, kw_only=True)
class Size:
    """The size of a run, in bytes per process.

    Attributes:
        setting: the settings of the estimate.
        found: the traced model.
        moments: device memory by stage, in order.
        host: host memory.
        disk: bytes in the output folder and the temporary folder.
    """

    setting: SizeSettings
    found: TracedModel
    moments: tuple[Moment, ...]
    host: Parts
    disk: Parts

    @property
    def peak(self) -> Moment:
        """The stage with the most device memory."""
        return max(self.moments, key=lambda moment: moment.total)

    @property
    def training(self) -> Moment:
        """The stage with the most device memory before evaluation."""
        return max(self.moments[:-1], key=lambda moment: moment.total)

    @property
    def total(self) -> float:
        """Bytes that the device must hold."""
        return self.peak.total

    @property
    def chunk(self) -> int:
        """Rows of logits in a chunk."""
        return limit_of(self.setting, self.found)

    @property
    def notes(self) -> list[str]:
        """What the estimate leaves out or assumes."""
        setting, found = self.setting, []
        if setting.processes > 1:
            found.append(
                "every process of a machine loads the whole model for itself: eight take eight "
                "times the host memory of one"
            )
        if setting.sharding.startswith("zero"):
            found += [
                "DeepSpeed takes the whole model onto each device before it shares it out",
                "under DeepSpeed evaluation is not in shards: each device holds a whole model "
                "then; evaluate.bits=4 makes it smaller",
            ]
        if setting.sharding == "fsdp" and setting.evaluate_bits:
            found.append("models in 4 bits are asked whole on each device, not in shards")
        if not known(setting.optim):
            found.append(f"{setting.optim} is not known here; its state is taken for AdamW's")
        if setting.bits:
            found.append("activations over 4 bits are taken for those of an unpacked base")
        return found


def size_of(setting: SizeSettings) -> Size:
    """Estimate the size of a run; builds its model without weights and runs it on fake tensors.

    Example:
        >>> from unteach.methods import build
        >>> from unteach.sizing.shapes import config_of
        >>> setting = SizeSettings(model="llama-1b", config=config_of("llama-1b"), lora=False,
        ...                        method=build("graddiff", {}), retain="nll", batch=1, pairs=1)
        >>> size = size_of(setting)
        >>> f"{size.found.parameters:,}"
        '1,235,814,400'
        >>> round(size.disk["a checkpoint of training"] / 1e9, 1)
        14.8
    """
    found = traced(setting)
    return Size(
        setting=setting,
        found=found,
        moments=(*base_moments(setting), *moments(setting, found)),
        host=host(setting, found),
        disk=disk(setting, found),
    )
