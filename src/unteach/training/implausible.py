"""Report settings of valid type that make no sense or are unusual."""

from collections.abc import Iterator
from typing import Any

from unteach.errors import Problem
from unteach.settings.request import Request
from unteach.training.learning_rate import automatic_rate, width

LARGEST = 0.1  # learning rate with Adam-like optimisers, which change every weight by about it
ANYWHERE = 100.0  # learning rate with plain gradients, which may be small
FAR, NEAR = 100, 1000  # factors above and below the rate that suits a model
MANY = 1000  # epochs
HEAVY = 1000.0  # weight of the retain term; nothing is forgotten above it
SCALED = 100  # ratio of alpha to rank
MOST = 0.9  # dropout, or warm-up as a share of the steps


def insensible(request: Request, config: Any) -> list[Problem]:
    """Return errors for senseless settings and notes for unusual ones.

    Args:
        request: as the user wrote it; settings left out are None.
        config: the model's configuration; None if unknown.
    """
    return [
        *_rate(request, config),
        *_retain(request),
        *_training(request),
        *_sizes(request, config),
    ]


def _wrong(where: str, what: str, hint: str) -> Problem:
    return Problem(where, what, hint, "request")


def _rate(request: Request, config: Any) -> Iterator[Problem]:
    where, rate, decay = (
        "train.learning_rate",
        request.train.learning_rate,
        request.train.weight_decay,
    )
    suits = _suits(request, config)
    if rate is None:
        return
    plain = request.train.optim in ("sgd", "adagrad", "adafactor")
    hint = f"set {where}={suits:g}" if suits else f"leave {where} out"
    if rate >= (ANYWHERE if plain else LARGEST):
        yield _wrong(where, f"is {rate:g}, by which no weight stays what it was", hint)
    elif suits and not plain and rate > FAR * suits:
        yield Problem(
            where, f"is {rate:g}, {rate / suits:.0f} times what suits the model", hint, "note"
        )
    elif suits and not plain and rate < suits / NEAR:
        what = f"is {rate:g}: next to nothing will move ({suits:g} suits the model)"
        yield Problem(where, what, hint, "note")
    if rate * decay >= 1:
        what = f"is {decay:g}: times the learning rate of {rate:g} it takes every weight away"
        yield _wrong("train.weight_decay", what, "set it to 0.01 or less, or leave it out")


def _suits(request: Request, config: Any) -> float | None:
    if config is None:
        return None
    given = request.adapter
    lora = given.kind == "lora" or request.adapter_only or given.bits or given.init == "fila"
    return automatic_rate(config, adapter=bool(lora))


def _retain(request: Request) -> Iterator[Problem]:
    """Yield problems of a retain term that is impossible or has no effect."""
    term, weight = request.train.retain, request.train.retain_weight
    if term == "none" and weight:
        what = f"is {weight:g}, and train.retain is none: there is no term to weigh"
        yield _wrong("train.retain_weight", what, "leave one of them out")
    elif not request.retain and (term not in (None, "none") or weight):
        where, value = ("train.retain", term) if term else ("train.retain_weight", f"{weight:g}")
        hint = f"give --retain a file of what the model should keep, or leave {where} out"
        yield _wrong(where, f"is {value}, and there is no retain data", hint)
    elif weight is not None and weight > HEAVY:
        what = f"is {weight:g}: beside the retain term nothing is forgotten"
        yield Problem("train.retain_weight", what, "1 is usual", "note")
    elif weight == 0 and request.retain and term != "none":
        what = "is 0, so the retain data are scored and not trained on"
        yield Problem("train.retain_weight", what, "leave it out to train on them", "note")


def _training(request: Request) -> Iterator[Problem]:
    train = request.train
    if isinstance(train.stop_at, float | int) and train.stop_at >= 1:
        what = "is 1, which every probability is below: training would stop at once"
        yield _wrong("train.stop_at", what, "give a lower one, holdout, or 0 to never stop early")
    if train.sam >= 1:
        what = f"is {train.sam:g}, a radius that no weight stays whole within"
        yield _wrong("train.sam", what, "its authors take 0.01; 0 is none")
    if train.epochs and train.epochs > MANY:
        what = f"is {train.epochs:g} passes over the forget set"
        yield Problem("train.epochs", what, "10 are usual", "note")
    if train.weight_decay > 1:
        what = f"is {train.weight_decay:g}: the weights shrink more than they learn"
        yield Problem("train.weight_decay", what, "0.01 is usual", "note")
    if train.max_grad_norm < 1 / NEAR:
        what = f"is {train.max_grad_norm:g}: every gradient is scaled down to next to nothing"
        yield Problem("train.max_grad_norm", what, "1 is usual", "note")
    if train.warmup_ratio > MOST:
        what = f"is {train.warmup_ratio:g}: the rate rises through nearly all of training"
        yield Problem("train.warmup_ratio", what, "0.1 is usual", "note")


def _sizes(request: Request, config: Any) -> Iterator[Problem]:
    adapter, wide = request.adapter, width(config) if config else None
    if wide and adapter.kind != "full" and adapter.rank > wide and _chosen(request):
        what = (
            f"is {adapter.rank}, above the model's width of {wide}: no adapter is of low rank then"
        )
        yield _wrong("adapter.rank", what, f"give {min(16, wide)} or so, or set adapter.kind=full")
    if adapter.alpha and adapter.alpha > SCALED * adapter.rank:
        what = f"is {adapter.alpha:g}, more than {SCALED} times the rank of {adapter.rank}"
        yield Problem("adapter.alpha", what, f"{2 * adapter.rank} is usual", "note")
    if adapter.dropout > MOST:
        what = f"is {adapter.dropout:g}: adapters see next to nothing"
        yield Problem("adapter.dropout", what, "0 to 0.1 are usual", "note")


def _chosen(request: Request) -> bool:
    """Whether the user gave the rank; a default is not reported."""
    return "rank" in request.adapter.model_fields_set
