"""Make torch deterministic, and describe how far a repeated run gives the same result."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """Inside the context, torch uses deterministic algorithms, or raises if there is none.

    The two environment variables are read when CUDA is first used, so they stay set.

    Args:
        wanted: whether to do anything.

    Example:
        >>> with deterministic(True):
        ...     torch.are_deterministic_algorithms_enabled()
        True
        >>> torch.are_deterministic_algorithms_enabled()
        False
    """
    if not wanted:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # no workspace shared by streams
    os.environ.setdefault("FLASH_ATTENTION_DETERMINISTIC", "1")  # transformers passes it on
    before = torch.are_deterministic_algorithms_enabled()
    benchmark = torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        torch.backends.cudnn.benchmark = benchmark


def repeats(device: str, *, ordered: bool, tf32: bool = False, threads: int = 1) -> str:
    """Describe for the report what the same request gives on the same machine a second time.

    Args:
        device: torch's device type.
        ordered: whether sums had a fixed order (`train.deterministic`).
        tf32: whether float32 products are rounded to TF32.
        threads: CPU threads of one process.

    Example:
        >>> repeats("cpu", ordered=False, threads=4)
        'the same bits, with as many threads (4)'
    """
    if device == "cpu":
        return f"the same bits, with as many threads ({threads})"
    if device != "cuda":
        return f"not known for {device}: its sums may be taken in another order each time"
    result = (
        "the same bits in training, with the same GPU, driver and libraries"
        if ordered
        else "nearly the same, not the same bits: sums by index and attention's backward pass add "
        "in whatever order threads come; train.deterministic=true orders them"
    )
    return result + ("; float32 products are rounded to TF32, as no CPU does" if tf32 else "")


def repeats_here(device: torch.device, *, ordered: bool) -> str:
    """Return `repeats` for this process."""
    tf32 = device.type == "cuda" and torch.get_float32_matmul_precision() != "highest"
    return repeats(device.type, ordered=ordered, tf32=tf32, threads=torch.get_num_threads())
