"""Check a model before its weights are loaded."""

from pathlib import Path
from typing import Any, NamedTuple

from unteach.errors import Problem, UserError, require
from unteach.models.source import holds_adapters_only, weights_problem


class CheckedModel(NamedTuple):
    """A model that was checked.

    Attributes:
        config: its configuration.
        empty: the model on the meta device; None if its weights are quantised.
        notes: notes for the user.
    """

    config: Any
    empty: Any = None
    notes: tuple[Problem, ...] = ()


def check_model(
    model: str,
    flag: str,
    *,
    trust_remote_code: bool = False,
    training: bool = False,
    bits: int | None = None,
    device: str = "auto",
) -> CheckedModel:
    """Check that a model is causal and that its files hold exactly its weights.

    Reads only the headers of the weight files. Files that are not on this machine yet are checked
    when they are loaded.

    Args:
        model: a folder or a hub id.
        flag: the flag that messages name.
        trust_remote_code: run code in the model's repository.
        training: whether it will be trained; else it is only evaluated.
        bits: 4 if it will be loaded in 4 bits.
        device: the device it will run on.

    Raises:
        UserError: the problems of the model; they name its flag.
    """
    from unteach.models.config_values import suspects
    from unteach.models.loading import load_config
    from unteach.models.quantised import packed_gaps
    from unteach.models.supported import (
        attention_problem,
        kind_problem,
        quantised_as,
        quantised_problem,
        unbuilt,
    )
    from unteach.models.weight_files import headers
    from unteach.models.weights import built, dropped_note, fitted

    where = f"{flag} {model}"
    if holds_adapters_only(model):
        hint = "give a whole model: put them on their base, merge_and_unload(), save_pretrained()"
        raise UserError(Problem(where, "holds adapters only", hint, "request"))
    config = load_config(model, flag=flag, trust_remote_code=trust_remote_code)
    on = _kind_of(device)
    require(kind_problem(config, where))
    require(quantised_problem(config, model, where, training=training, bits=bits, device=on))
    require(weights_problem(model, flag))
    weights = headers(model, where)
    if quantised_as(config):
        require(packed_gaps(config, weights, where, trust_remote_code=trust_remote_code))
        return CheckedModel(config)
    try:
        empty = built(config, trust_remote_code=trust_remote_code)
    except Exception as error:  # depends on the model's class
        raise UserError(*(suspects(model, where) or [unbuilt(error, where)])) from error
    require(attention_problem(empty, where, on))
    if weights is None:
        return CheckedModel(config, empty)
    fit = fitted(empty, weights, where)
    note = dropped_note(fit.dropped, fit.model, where)
    return CheckedModel(config, fit.model, (note,) if note else ())


def _kind_of(device: str) -> str:
    """Return the type of a device; "cpu" for an invalid name, which `device_problem` reports."""
    from unteach.models.loading import device_problem, pick_device

    return "cpu" if device_problem(device) else pick_device(device).type


def check_adapter(empty: Any, folder: str | Path, flag: str) -> None:
    """Check that the adapters in a folder fit a model on the meta device; None is not checked.

    Raises:
        UserError: adapter weights are missing, unexpected, or of another shape.
    """
    from unteach.adapters import put_on

    if empty is not None:
        put_on(empty, folder, f"{flag} {folder}")
