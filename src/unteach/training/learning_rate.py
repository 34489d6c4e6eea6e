"""Choose a learning rate from the model's width if the user gives none."""

from math import log
from typing import Any

from unteach.methods import MethodDefaults

MEASURED = 576  # the largest width at which we measured ourselves


def automatic_rate(
    config: Any, *, adapter: bool, power: int | float = 2, factor: float = 1.0
) -> float:
    """Return the learning rate for full fine-tuning or for adapters.

    Papers on unlearning use 1e-5 for models of width 2048 and more, and ten times that for
    adapters. Smaller models need more: 1e-3 at width 192 and 128 was found by trial (NOTES.md), so
    the rate grows as (2048 / width) ** power, up to 1e-3.

    Args:
        config: the model's configuration.
        adapter: whether adapters are trained.
        power: from the method; 1 for losses unbounded below, which destroy a small model at 1e-3.
        factor: from the method; more than 1 for losses whose minimum is the desired end state.

    Example:
        >>> from types import SimpleNamespace
        >>> automatic_rate(SimpleNamespace(hidden_size=2048), adapter=False)
        1e-05
        >>> automatic_rate(SimpleNamespace(hidden_size=192), adapter=False, power=1)
        0.00011
    """
    rate = factor * 1e-5 * max(2048 / (width(config) or 2048), 1) ** power * (10 if adapter else 1)
    return float(f"{min(rate, 1e-3):.1e}")


def width(config: Any) -> int | None:
    """Return the width of the model's hidden states; None if its configuration lacks it."""
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    return getattr(text, "hidden_size", None) or getattr(text, "n_embd", None)


def suiting_rate(plan: MethodDefaults, config: Any, *, adapter: bool) -> float:
    """Return the automatic rate for a model with a method's defaults.

    Some methods need more than 1e-5 at width 2048, where all weights of a model with a billion of
    them are trained (third-party measurements on TOFU). Up to width 576, where our own end, the
    rate is `automatic_rate`'s; between the two widths its logarithm is interpolated.

    Example:
        >>> from types import SimpleNamespace
        >>> plan = MethodDefaults(rate_at_2048=5e-5)
        >>> [suiting_rate(plan, SimpleNamespace(hidden_size=w), adapter=False)
        ...  for w in (192, 576, 2048, 4096)]
        [0.001, 0.00013, 5e-05, 5e-05]
    """
    rate = automatic_rate(config, adapter=adapter, power=plan.power, factor=plan.rate_factor)
    size = width(config) or 2048
    if adapter or not plan.rate_at_2048 or size <= MEASURED:
        return rate
    known = plan.rate_factor * 1e-5 * (2048 / MEASURED) ** plan.power
    share = min(log(size / MEASURED) / log(2048 / MEASURED), 1.0)
    return float(f"{known ** (1 - share) * plan.rate_at_2048**share:.1e}")
