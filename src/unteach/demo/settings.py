"""Define the model sizes and the hyperparameters of the demo, found by trial (NOTES.md)."""

from dataclasses import dataclass
from typing import Any

from unteach.methods._headers import known


@dataclass(frozen=True)
class Preset:
    """Sizes of the world and of its models.

    Attributes:
        forget: number of people to forget; retain, holdout and lands likewise.
        hidden: hidden size of the model.
        layers: number of layers.
        vocabulary: vocabulary size of the tokenizer.
        epochs: epochs of the initial training.
        batch: examples per step.
        rate: learning rate.
        context: context length in tokens.
    """

    forget: int = 10
    retain: int = 90
    holdout: int = 20
    lands: int = 30
    hidden: int = 128
    layers: int = 2
    vocabulary: int = 2048
    epochs: int = 18
    batch: int = 32
    rate: float = 3e-3
    context: int = 128

    @property
    def people(self) -> dict[str, int]:
        """Arguments of `make_world`."""
        return {name: getattr(self, name) for name in ("forget", "retain", "holdout", "lands")}


PRESETS = {
    "default": Preset(),
    "tiny": Preset(forget=6, retain=24, holdout=6, lands=8, epochs=24, vocabulary=1024),
}


def settings(method: str) -> dict[str, Any]:
    """Return the settings for a method, tuned for the demo's world, which is far smaller."""
    return {
        "method": {"name": method, **OPTIONS.get(method, {})},
        "train": {"batch_size": 16, **TRAIN.get(method, {})},
        "adapter": ADAPTER.get(method, {}),
        "evaluate": {"max_examples": 200, "max_new_tokens": 24, "tokens_per_batch": 8192},
    }


def methods() -> list[str]:
    """Return the names of the methods that the demo can run: tuned ones first, then the others.

    Methods that train a base model on the retain set are left out: the demo has no base model.
    """
    registry = known()
    others = [name for name in registry if name not in TRAIN]
    return [*TRAIN, *(name for name in others if registry.get(name).trains_on == "forget")]


OPTIONS: dict[str, dict[str, Any]] = {
    "rmu": {"steering": 20.0},
}
ADAPTER: dict[str, dict[str, Any]] = {"loku": {"rank": 16}}
TRAIN: dict[str, dict[str, Any]] = {
    "unseen": {},
    "whp": {"learning_rate": 1e-3, "epochs": 20},
    "ascent": {"learning_rate": 3e-4, "epochs": 10, "stop_at": 0},
    "graddiff": {"learning_rate": 3e-4, "epochs": 10, "stop_at": 0},
    "npo": {"learning_rate": 5e-4, "epochs": 20, "retain_weight": 3},
    "undial": {},
    "unilogit": {},
    "loku": {"learning_rate": 1e-3, "epochs": 20},
    "kl-min": {"learning_rate": 3e-4, "epochs": 10, "stop_at": 0},
    "simnpo": {"learning_rate": 1e-3, "epochs": 20},
    "wga": {"learning_rate": 3e-4, "epochs": 10},
    "satimp": {"learning_rate": 1e-3, "epochs": 20},
    "ce-u": {"learning_rate": 1e-4, "epochs": 10, "stop_at": 0},
    "idk": {"learning_rate": 1e-3, "epochs": 10},
    "dpo": {"learning_rate": 5e-4, "epochs": 20},
    "idk-dpo": {"learning_rate": 5e-4, "epochs": 20},
    "altpo": {"learning_rate": 5e-4, "epochs": 20},
    "jensun": {"learning_rate": 1e-3, "epochs": 10},
    "pdu": {"learning_rate": 1e-3, "epochs": 20},
    "task-vector": {"learning_rate": 1e-3, "epochs": 10},
    "rmu": {"learning_rate": 1e-3, "epochs": 20, "retain_weight": 1},
    "dto": {},
    "masc": {"learning_rate": 3e-4, "epochs": 10},
    "palu": {"learning_rate": 3e-4, "epochs": 10},
    "etw": {"learning_rate": 3e-4, "epochs": 10, "stop_at": 0},
}
