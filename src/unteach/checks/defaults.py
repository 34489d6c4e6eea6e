"""Fill in the defaults of a request from the method's plan and the model's size."""

import os
from dataclasses import asdict
from typing import Any

from unteach.data import context_length
from unteach.errors import Problem
from unteach.settings.request import MADE, Request
from unteach.settings.sections import AdapterSettings


def resolve(
    request: Request, method: Any, config: Any, tokenizer: Any
) -> tuple[Request, list[Problem]]:
    """Return the request with all defaults, and notes on deviations from the method's plan."""
    from unteach.methods import unbound
    from unteach.training.learning_rate import suiting_rate

    plan, train, notes = method.training_defaults(), request.train, []
    adapter = _adapter(request, plan, notes)
    sampled = request.retain == MADE and plan.retain == "nll"
    retain = train.retain or ("kl" if sampled else plan.retain)  # KL to the one that was sampled
    weight = plan.retain_weight if train.retain_weight is None else train.retain_weight
    made_up = False
    if method.moves_weight() and (retain == "none" or not request.retain):
        notes.append(unbound(method.name))
    elif made_up := _uses_made_up_retain(request, method):
        retain, weight = "kl", 1.0
        what = "none given; where names are found, what the model says of made-up people is held"
        hint = "give --retain a file of what the model should keep, where you have one"
        notes.append(Problem("--retain", what, hint, "note"))
    elif retain != "none" and not request.retain:
        what = f"none given, so nothing holds what {method.name} would keep by its retain term"
        hint = "give --retain a file of what the model should keep; --retain made holds a part"
        notes.append(Problem("--retain", what, hint, "note"))
    held = request.retain or made_up
    if retain == "none" or not held or not (weight or method.moves_weight()):
        retain, weight = "none", 0.0
    rate = suiting_rate(plan, config, adapter=adapter.kind == "lora")
    stop_at = plan.stop_at if train.stop_at is None else train.stop_at
    train = train.model_copy(
        update={
            "learning_rate": train.learning_rate or rate,
            "epochs": train.epochs or float(plan.epochs),
            "retain": retain,
            "retain_weight": weight,
            "stop_at": stop_at or 0.0,
            "draw_back": draw_back_of(request, method, plan),
            "rounds": train.rounds or plan.rounds,
            "adam_epsilon": train.adam_epsilon or plan.adam_epsilon,
        }
    )
    context = context_length(config, tokenizer)
    if request.data.max_length and request.data.max_length > context:
        what = f"is {request.data.max_length}, and the model reads {context} tokens: these it is"
        notes.append(Problem("data.max_length", what, "", "note"))
    data = request.data.model_copy(
        update={"max_length": min(request.data.max_length or context, context)}
    )
    options = {"name": method.name, **asdict(method)}
    changes = {"method": options, "adapter": adapter, "train": train, "data": data}
    return request.model_copy(update=changes), notes


def draw_back_of(request: Request, method: Any, plan: Any) -> str:
    """Return `train.draw_back`; with sharded weights it is "never" unless the user sets it.

    "made" is an attempt: it becomes "never" where no holdout can be made of the data. A method
    whose rounds end at its teacher's level has no need of one.
    """
    from unteach.processes.launcher import sharding_asked

    if request.train.draw_back:
        return request.train.draw_back
    taught = request.base and method.asks_base()  # its level is nearer than the holdout's
    may = (plan.draw_back and not taught) or request.train.stop_at == "holdout"
    if not may or sharding_asked(os.environ):
        return "never"
    if request.holdout:
        return "holdout"
    return "made" if plan.rounds == 1 and request.source("retain") else "never"


def _uses_made_up_retain(request: Request, method: Any) -> bool:
    """Whether the method uses made-up examples in place of a retain file."""
    from unteach.methods import Method

    overrides = type(method).made_up_retain is not Method.made_up_retain
    return overrides and not request.retain and request.train.retain is None


def _changed_settings(given: AdapterSettings) -> list[str]:
    """Return the names of adapter settings that differ from their defaults."""
    plain = {
        **AdapterSettings().model_dump(),
        "kind": given.kind,
        "init": given.init,
        "bits": given.bits,
    }
    plain["alpha"] = 2.0 * given.rank if given.alpha == 2.0 * given.rank else None
    return [name for name, value in given.model_dump().items() if value != plain[name]]


def _adapter(request: Request, plan: Any, notes: list[Problem]) -> AdapterSettings:
    adapter = request.adapter
    lora = request.adapter_only or adapter.init == "fila" or adapter.bits
    kind = adapter.kind or ("lora" if lora else plan.adapter)
    init = adapter.init or (plan.init if kind == "lora" else "default")
    if init == "fila" and not request.retain:
        what = "FILA weighs the forget set against the retain set, and none is given"
        hint = "adapters start by default instead; give --retain to use FILA"
        notes.append(Problem("adapter.init", what, hint, "note"))
        init = "default"
    if init == "fila" and adapter.bits:
        what = "FILA takes a part out of the base weights, and those of a 4-bit base are packed"
        hint = "set adapter.init=default, or leave adapter.bits out"
        notes.append(Problem("adapter.init", what, hint, "request"))
    alpha = adapter.alpha or 2.0 * adapter.rank
    if kind == "full" and (unused := _changed_settings(adapter)):
        what = "all weights are trained, so there are no adapters that it could be of"
        hint = "set adapter.kind=lora to train adapters, or leave it out"
        notes.append(Problem(", ".join(f"adapter.{name}" for name in unused), what, hint, "note"))
    return adapter.model_copy(update={"kind": kind, "init": init, "alpha": alpha})
