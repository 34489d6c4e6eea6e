"""`unteach verify --rerun`: the removal once more, and its weights beside those."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unteach.checks.request import check
from unteach.errors import Problem, UserError
from unteach.evaluation.identity import identity_of
from unteach.evaluation.results import versions
from unteach.files import RUN, in_words, read_sealed
from unteach.progress import NoProgress, ProgressListener
from unteach.settings.request import FILE, load

NAMES = (
    "unteach",
    "torch",
    "transformers",
    "peft",
    "devices",
    "a_second_time",
)  # what bits depend on


@dataclass(frozen=True, kw_only=True)
class Rerun:
    """What came of it.

    Attributes:
        tensors: how many were compared.
        differ: name -> the largest difference of a number in it; infinite where it has another
            shape or type, or is missing on one side.
        same_inputs: whether request, models, code, libraries and files of data are those of then,
            as far as the run's mark tells; None where it has none.
        changed: versions, processes and threads that are others than then, in words.
    """

    tensors: int
    differ: dict[str, float]
    same_inputs: bool | None
    changed: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether every bit of every weight is the same."""
        return not self.differ


def rerun(folder: Path, listener: ProgressListener | None = None) -> Rerun:
    """Repeat the removal of a result in a temporary folder, with the settings that it records.

    Nothing is evaluated. What the result holds is left as it is; verify it first.

    Raises:
        UserError: it is no result of a run, or what the request names is not there any more.
    """
    from unteach import pipeline
    from unteach.processes.main import join

    if not (folder / FILE).is_file() or not any(folder.glob("*.safetensors")):
        hint = "give the folder that `unteach run` wrote (--out)"
        raise UserError(Problem(str(folder), "is no result of a run", hint, "request"))
    listener = listener or NoProgress()
    held = read_sealed(folder / RUN) or {}
    request = load(folder / FILE)
    join(request.device)
    with (
        in_words(folder.absolute().parent),
        tempfile.TemporaryDirectory(
            prefix=f".{folder.name}.rerun-", dir=folder.absolute().parent
        ) as beside,
    ):
        out = Path(beside) / "out"
        listener.stage("checking the request")
        intake = check(request.model_copy(update={"out": out, "overwrite": False}))
        listener.notes(intake.notes)
        mark = held.get("mark")
        same = identity_of(intake)[1] == mark if mark else None
        out.mkdir()
        known = held.get("facts", {}).get(pipeline.KNOWN, ())
        facts = pipeline.remove(intake, out, listener, known=known)
        listener.stage("comparing the weights")
        count, differ = compared(folder, out)
    return Rerun(
        tensors=count,
        differ=differ,
        same_inputs=same,
        changed=tuple(_changed(held.get("facts", {}), {**facts, **versions()})),
    )


def compared(one: Path, other: Path) -> tuple[int, dict[str, float]]:
    """How many tensors two folders have, and those in which they differ, by the largest difference.

    Example:
        >>> import torch
        >>> from safetensors.torch import save_file
        >>> folders = [Path(tempfile.mkdtemp()) for _ in range(2)]
        >>> for k, folder in enumerate(folders):
        ...     save_file({"a": torch.ones(2), "b": torch.full((2,), 0.5 * k)},
        ...               folder / "model.safetensors")
        >>> compared(*folders)
        (2, {'b': 0.5})
    """
    places = [_places(folder) for folder in (one, other)]
    names = sorted({name for found in places for name in found})
    differ = {}
    for name in names:
        if not all(name in found for found in places):
            differ[name] = float("inf")
        elif (gap := _gap(*(_tensor(found[name], name) for found in places))) is not None:
            differ[name] = gap
    return len(names), differ


def _places(folder: Path) -> dict[str, Path]:
    from safetensors import safe_open

    found = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as opened:
            found |= dict.fromkeys(opened.keys(), file)
    return found


def _tensor(file: Path, name: str) -> Any:
    from safetensors import safe_open

    with safe_open(file, "pt") as opened:
        return opened.get_tensor(name)


def _gap(one: Any, other: Any) -> float | None:
    """None where every bit is the same."""
    import torch

    if one.shape != other.shape or one.dtype != other.dtype:
        return float("inf")
    if torch.equal(*(each.reshape(-1).view(torch.uint8) for each in (one, other))):
        return None
    return float((one.double() - other.double()).abs().max())


def _changed(then: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    for name in NAMES:
        if name in then and then[name] != now.get(name):
            yield f"{name.replace('_', ' ')}: {then[name]} then, {now.get(name)} now"
