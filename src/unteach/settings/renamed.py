"""Settings that had another name in the release before: both names are accepted, with a note."""

from typing import Any

from unteach.errors import Problem

RENAMED = {
    "train": {
        "batch": "batch_size",
        "accumulation": "gradient_accumulation_steps",
        "schedule": "lr_scheduler_type",
        "warmup": "warmup_ratio",
        "checkpointing": "gradient_checkpointing",
    }
}


def under_new_names(section: str, values: Any) -> Any:
    """The values of a section, with old names replaced.

    An old name beside its new one is left, so that it is refused as unknown.

    Example:
        >>> under_new_names("train", {"batch": 4, "epochs": 2})
        {'batch_size': 4, 'epochs': 2}
    """
    if not isinstance(values, dict):
        return values
    renamed = RENAMED.get(section, {})
    names = {old: new for old, new in renamed.items() if new not in values}
    return {names.get(name, name): value for name, value in values.items()}


def renaming_notes(values: dict[str, Any]) -> list[Problem]:
    """A note for each old name in the values of a request."""
    return [
        Problem(
            f"{section}.{old}", f"is called {section}.{new} now", "the old name goes away", "note"
        )
        for section, names in RENAMED.items()
        for old, new in names.items()
        if isinstance(values.get(section), dict) and old in values[section]
    ]
