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


MOVED = {"report_to"}  # from train.extra to train
OLD_PLACE = "the old place goes away"


def under_new_names(section: str, values: Any) -> Any:
    """The values of a section, with old names replaced, and what stood in `train.extra` moved.

    An old name beside its new one is left, so that it is refused as unknown.

    Example:
        >>> under_new_names("train", {"batch": 4, "epochs": 2})
        {'batch_size': 4, 'epochs': 2}
        >>> under_new_names("train", {"extra": {"report_to": "wandb", "bf16": True}})
        {'extra': {'bf16': True}, 'report_to': 'wandb'}
    """
    if not isinstance(values, dict):
        return values
    renamed = RENAMED.get(section, {})
    names = {old: new for old, new in renamed.items() if new not in values}
    values = {names.get(name, name): value for name, value in values.items()}
    extra = values.get("extra")
    moved = MOVED & ({*extra} - {*values}) if section == "train" and isinstance(extra, dict) else {}
    if not moved:
        return values
    kept = {name: value for name, value in extra.items() if name not in moved}
    return {**values, "extra": kept, **{name: _several(extra[name]) for name in moved}}


def _several(value: Any) -> Any:
    """Trackers as a list; transformers takes one, several, or "none"."""
    if isinstance(value, str) or value is None:
        return [] if value in ("none", None) else value
    return [one for one in value if one != "none"] if isinstance(value, list) else value


def renaming_notes(values: dict[str, Any]) -> list[Problem]:
    """A note for each old name, and for each setting of `train.extra` that has its own name now."""
    found = [
        Problem(
            f"{section}.{old}", f"is called {section}.{new} now", "the old name goes away", "note"
        )
        for section, names in RENAMED.items()
        for old, new in names.items()
        if isinstance(values.get(section), dict) and old in values[section]
    ]
    train = values.get("train")
    extra = train.get("extra") if isinstance(train, dict) else None
    if not isinstance(train, dict) or not isinstance(extra, dict):
        return found
    moved = [
        Problem(f"train.extra.{name}", f"is called train.{name} now", OLD_PLACE, "note")
        for name in sorted(MOVED)
        if name in extra and name not in train
    ]
    return found + moved
