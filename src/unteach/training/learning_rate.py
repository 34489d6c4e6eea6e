"""Choose a learning rate from the model's width if the user gives none."""

from typing import Any

from unteach.methods import MethodDefaults


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
    """Return the automatic rate for a model with a method's defaults."""
    return automatic_rate(config, adapter=adapter, power=plan.power, factor=plan.rate_factor)
