"""Everything that can be wrong with a model, found before a weight is loaded."""

from pathlib import Path
from typing import Any, NamedTuple

from unteach.errors import Problem, UserError
from unteach.models.source import holds_adapters_only, require, weights_problem


class CheckedModel(NamedTuple):
    """A model that was checked.

    Attributes:
        config: its configuration.
        empty: the model without content; None where weights are quantised.
        notes: what the user should know, though nothing is wrong.
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
    """A model's configuration, where its files hold all weights of a causal model, and no others.

    Reads the headers of the weight files, and no weights. Files that are not on this machine yet
    are looked at as they are loaded.

    Args:
        model: a folder or a hub id.
        flag: what messages call it by.
        trust_remote_code: run the code that the model brings with it.
        training: whether it is to be trained, not asked alone.
        bits: 4 where it is to be loaded in 4 bits.
        device: where it is to run.

    Raises:
        UserError: what is wrong with it, under its flag.
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
    from unteach.models.weights import built, dropped_note, fitted, headers

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
    except Exception as error:  # its class decides what is raised
        raise UserError(*(suspects(model, where) or [unbuilt(error, where)])) from error
    require(attention_problem(empty, where, on))
    if weights is None:
        return CheckedModel(config, empty)
    fit = fitted(empty, weights, where)
    note = dropped_note(fit.dropped, fit.model, where)
    return CheckedModel(config, fit.model, (note,) if note else ())


def _kind_of(device: str) -> str:
    """The kind of a device; "cpu" where there is none of that name, which is said elsewhere."""
    from unteach.models.loading import device_problem, pick_device

    return "cpu" if device_problem(device) else pick_device(device).type


def check_adapter(empty: Any, folder: str | Path, flag: str) -> None:
    """That the adapters of a folder fit a model without content, where that can be known.

    Raises:
        UserError: some are missing, have no place, or are of other shapes.
    """
    from unteach.adapters import put_on

    if empty is not None:
        put_on(empty, folder, f"{flag} {folder}")
