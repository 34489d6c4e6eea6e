"""A learning rate that suits the model's size, when the user gives none."""

from typing import Any


def automatic_rate(config: Any, *, adapter: bool) -> float:
    """The learning rate for full fine-tuning or for adapters.

    The field's papers use 1e-5 for models of width 2048 and more; the small models of our demo
    (width 128 and 192) want 1e-3. Between them the rate falls with the square of the width.
    Adapters take ten times that, as the papers do (1e-4 at 2048).

    Example:
        >>> from types import SimpleNamespace
        >>> automatic_rate(SimpleNamespace(hidden_size=2048), adapter=False)
        1e-05
    """
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    width = getattr(text, "hidden_size", None) or getattr(text, "n_embd", None) or 2048
    rate = 1e-5 * max(2048 / width, 1) ** 2
    return float(f"{min(rate, 1e-3) * (10 if adapter else 1):.1e}")
