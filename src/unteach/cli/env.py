"""`unteach env`: print versions and devices for a bug report."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer

from unteach.cli._json import show_json
from unteach.cli._options import option

LIBRARIES = (
    "unteach", "torch", "transformers", "tokenizers", "peft", "accelerate", "datasets",
    "safetensors", "numpy", "scipy", "pydantic", "typer",
)  # fmt: skip
EXTRAS = ("matplotlib", "spacy", "bitsandbytes", "deepspeed", "liger-kernel", "lm-eval", "gguf")


def env(json: Annotated[bool, option("Print JSON.", flags="--json")] = False) -> None:
    """Print versions and devices for a bug report, without paths, names or data.

    Examples:
      $ unteach env
    """
    found = environment()
    if json:
        show_json({name.replace(" ", "_"): value for name, value in found.items()})
        return
    width = max(map(len, found))
    for name, value in found.items():
        shown = ", ".join(value) or "none" if isinstance(value, list) else str(value)
        typer.echo(f"{name:<{width}}  {shown}")


def environment() -> dict[str, Any]:
    """Return the versions of Python and libraries, the system, and the devices torch sees."""
    import torch

    installed = {name: found for name in LIBRARIES if (found := _version(name))}
    cuda = torch.cuda.is_available()
    count = torch.cuda.device_count() if cuda else 0
    gigabytes = [torch.cuda.get_device_properties(k).total_memory / 1e9 for k in range(count)]
    names = [torch.cuda.get_device_name(k) for k in range(count)]
    return {
        **installed,
        "extras": [f"{name} {found}" for name in EXTRAS if (found := _version(name))],
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processors": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "threads of torch": torch.get_num_threads(),
        "devices": [f"{n} ({size:.0f} GB)" for n, size in zip(names, gigabytes, strict=True)],
        "cuda": torch.version.cuda or "not built in",
        "mps": torch.backends.mps.is_available(),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
