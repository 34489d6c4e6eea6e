"""Suggest settings with which a run fits a device, fewest changes first."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations

from unteach.sizing.setting import SizeSettings
from unteach.sizing.size import Size, size_of

MOST_CHANGES, MOST_PROCESSES = 3, 1024

Change = tuple[str, Callable[[SizeSettings], SizeSettings]]
"""Text of a change as the user writes it, and a function that applies it."""


@dataclass(frozen=True)
class Advice:
    """Changes that make a run fit.

    Attributes:
        changes: as the user writes them.
        total: peak bytes of the device with them.
    """

    changes: tuple[str, ...]
    total: float


def advise(size: Size, room: float) -> list[Advice]:
    """Return all smallest sets of changes with which a run needs at most `room` bytes.

    Nothing if even three changes do not suffice.
    """
    setting = size.setting
    kinds = [kind for kind in _kinds(setting) if kind]
    for count in range(1, MOST_CHANGES + 1):
        found = [a for some in combinations(kinds, count) if (a := _mildest(setting, some, room))]
        if found:
            return found
    return []


def _mildest(setting: SizeSettings, kinds: tuple[list[Change], ...], room: float) -> Advice | None:
    """Choose the mildest sufficient change of each kind, given the strongest of later kinds."""
    if size_of(_apply(setting, [kind[-1] for kind in kinds])).total > room:
        return None
    chosen: list[Change] = []
    for place, kind in enumerate(kinds):
        rest = [other[-1] for other in kinds[place + 1 :]]
        for change in kind:
            if size_of(_apply(setting, [*chosen, change, *rest])).total <= room:
                chosen.append(change)
                break
    total = size_of(_apply(setting, chosen)).total
    return Advice(tuple(text for text, _ in chosen), total)


def _apply(setting: SizeSettings, changes: list[Change]) -> SizeSettings:
    for _, change in changes:
        setting = change(setting)
    return setting


def _kinds(setting: SizeSettings) -> Iterator[list[Change]]:
    """Yield the kinds of change, each mildest first; kinds that affect the result least first."""
    if not setting.checkpointing:
        yield [("train.gradient_checkpointing=true", lambda s: replace(s, checkpointing=True))]
    yield [_batch(setting, size) for size in _halves(setting.batch)]
    if not setting.cpu and setting.chunk_rows is None:
        yield [("train.extra.chunk_rows=256", lambda s: replace(s, chunk_rows=256))]
    if not setting.evaluate_bits:
        yield [("evaluate.bits=4", lambda s: replace(s, evaluate_bits=4))]
    if not setting.two_gradients:
        yield [_processes(count) for count in _doubles(setting)]
    if not setting.lora:
        yield [
            (f"train.optim={name}", lambda s, name=name: replace(s, optim=name))
            for name in ("adamw_8bit", "adafactor")
            if name != setting.optim
        ]
        yield [
            ("adapter.kind=lora", lambda s: replace(s, lora=True)),
            ("adapter.bits=4", lambda s: replace(s, lora=True, bits=4)),
        ]
    elif not setting.bits and not setting.fila:
        yield [("adapter.bits=4", lambda s: replace(s, bits=4))]


def _halves(batch: int) -> list[int]:
    found = []
    while batch > 1:
        batch //= 2
        found.append(batch)
    return found


def _batch(setting: SizeSettings, size: int) -> Change:
    text = f"train.batch_size={size} train.gradient_accumulation_steps={-(-setting.pairs // size)}"
    return text, lambda s: replace(s, batch=min(s.batch, size))


def _doubles(setting: SizeSettings) -> list[int]:
    count, found = max(setting.processes, 1), []
    while count * 2 <= MOST_PROCESSES:
        count *= 2
        found.append(count)
    return found


def _processes(count: int) -> Change:
    def change(setting: SizeSettings) -> SizeSettings:
        own = -(-setting.pairs // count)
        sharding = "fsdp" if setting.sharding in ("none", "ddp") else setting.sharding
        batch = min(setting.batch, own)
        return replace(setting, processes=count, sharding=sharding, batch=batch)

    return f"--processes {count}, sharded (FSDP)", change
