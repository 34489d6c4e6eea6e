"""The user's own data: how likely its answers are, and what the model says when asked."""

from random import Random
from typing import Any

from unteach.nouns import Example, Row
from unteach.suites._base import Group, Settings
from unteach.suites.ask import Told, ask


def evaluate(
    model: Any,
    tokenizer: Any,
    groups: dict[str, list[Example]],
    settings: Settings,
    *,
    progress: Told = lambda what, done, total: None,
) -> dict[str, list[Row]]:
    """The rows of every group; see `ask`."""
    asked = {name: Group(examples=examples) for name, examples in groups.items()}
    return ask(model, tokenizer, asked, settings, progress=progress).rows


def sample(examples: list[Example], limit: int, *, seed: int = 0) -> list[Example]:
    """At most `limit` of the examples, in their order, drawn by the seed."""
    if len(examples) <= limit:
        return examples
    chosen = sorted(Random(seed).sample(range(len(examples)), limit))
    return [examples[i] for i in chosen]
