"""Define the request of a search: the run, the search space and the budget."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from unteach.errors import Problem, UserError
from unteach.settings.messages import told
from unteach.settings.request import Request, load
from unteach.settings.sections import Count, Name, Positive, Section, Seed

METHODS = ("unseen", "undial", "unilogit", "loku", "npo")
BEST = "best"  # folder of the confirmed model
BUDGET = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d)?")
SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


class SearchRequest(Section):
    """Settings of a search.

    Attributes:
        run: the request that is varied; its `out` is where the confirmed model goes.
        out: the folder to make.
        methods: the methods that are tried.
        budget: seconds for all trials together; the confirmation comes on top.
        trials: end after so many trials, if the budget allows them; None for as many as it allows.
        adapter: what is trained: "method" as each method has it, "full", "lora", or "both".
        ranks: ranks of the adapters that are tried, where adapters are.
        seed: of what the search draws.
        confirm: train the winner in full and evaluate it on the half that the search never read.
    """

    run: Request
    out: Path
    methods: Annotated[tuple[Name, ...], Field(min_length=1)] = METHODS
    budget: Positive = 1200.0
    trials: Count | None = None
    adapter: Literal["method", "full", "lora", "both"] = "method"
    ranks: tuple[Count, ...] = ()
    seed: Seed = 0
    confirm: bool = True


def search_request(
    run: Request | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    budget: str | float | None = None,
    methods: str | Sequence[str] | None = None,
    ranks: str | Sequence[int] | None = None,
    settings: Mapping[str, Any] | None = None,
    **more: Any,
) -> SearchRequest:
    """Make the settings of a search.

    Args:
        run: the request that is varied; None makes it of `more`.
        out: the folder to make; `unteach-search` when left out.
        budget: seconds, or a text such as "20m".
        methods: names, or a text with commas between them; "all" is every method.
        ranks: ranks of adapters, likewise.
        settings: other settings of the request by name, `{"train.epochs": 5}`.
        more: further fields of `SearchRequest`, and without `run` those of a `Request`: `model`,
            `forget`, `retain`, `holdout`, ...; None is left out.

    Raises:
        UserError: all that is wrong with them.
    """
    folder = Path(out or "unteach-search")
    given = {k: v for k, v in more.items() if v is not None}
    run = run or request_of({**given, "out": folder}, set(SearchRequest.model_fields), settings)
    given = {k: v for k, v in given.items() if k in SearchRequest.model_fields}
    problems = [*_missing(), *_of_run(run)]
    readers: dict[str, tuple[Any, Any]] = {
        "budget": (budget, seconds_of),
        "ranks": (ranks, _numbers),
    }
    for name, (value, read) in readers.items():
        try:
            given |= {} if value is None else {name: read(value)}
        except UserError as error:
            problems += error.problems
    names, found = named_methods(methods, run.plugins)
    problems += found
    half = run.evaluate.model_copy(update={"half": "second"})
    run = run.model_copy(update={"out": folder / BEST, "evaluate": half})
    try:
        asked = SearchRequest(run=run, out=folder, methods=names or METHODS, **given)
    except ValidationError as error:
        problems += out_of_bounds(error)
    if problems:
        raise UserError(*problems)
    return asked  # pyright: ignore[reportPossiblyUnboundVariable]


def request_of(
    fields: dict[str, Any], others: set[str], settings: Mapping[str, Any] | None
) -> Request:
    """Return the request that fields make; those of `others` but `out` are left out.

    Raises:
        UserError: all problems of the request.
    """
    own = {k: v for k, v in fields.items() if k not in others or k == "out"}
    plain = {k: os.fspath(v) if isinstance(v, os.PathLike) else v for k, v in own.items()}
    return load(None, plain, [f"{k}={json.dumps(v)}" for k, v in (settings or {}).items()])


def seconds_of(budget: str | float) -> float:
    """Return the seconds of a budget.

    Raises:
        UserError: it is no time.

    Example:
        >>> seconds_of("20m"), seconds_of("1.5h"), seconds_of(30)
        (1200.0, 5400.0, 30.0)
    """
    found = BUDGET.fullmatch(str(budget).strip())
    seconds = float(found[1]) * SECONDS[found[2] or "s"] if found else 0.0
    if seconds <= 0:
        hint = "write 90s, 20m or 2h"
        raise UserError(Problem("--budget", f"is {told(budget)}, no time", hint, "request"))
    return seconds


def out_of_bounds(error: ValidationError) -> list[Problem]:
    """Return a problem for each flag whose value is out of its bounds."""
    flags = ["--" + "-".join(map(str, e["loc"][:1])) for e in error.errors()]
    return [Problem(flag, "is out of its bounds", "", "request") for flag in flags]


def alone(command: str) -> list[Problem]:
    """Return a problem if a launcher started several processes for a command of one process."""
    if int(os.environ.get("WORLD_SIZE", "1")) <= 1:
        return []
    hint = "start it without accelerate or torchrun"
    return [Problem(command, "runs in one process", hint, "request")]


def named_methods(
    names: str | Sequence[str] | None, plugins: list[str]
) -> tuple[tuple[str, ...], list[Problem]]:
    """Return the named methods, each once, and the problems of unknown ones."""
    from unteach.methods import METHODS as KNOWN
    from unteach.methods import load_plugin
    from unteach.registry import nearest
    from unteach.settings.messages import named

    for plugin in plugins:
        load_plugin(plugin)
    if names is None:
        return (), []
    parts = re.findall(r"[^,\s]+", names) if isinstance(names, str) else map(str, names)
    asked = tuple(dict.fromkeys(parts))
    if asked == ("all",):
        return tuple(KNOWN), []
    problems = []
    for name in asked:
        if name not in KNOWN:
            what = f"{named(name, KNOWN)} is not a method"
            problems.append(Problem("--methods", what, nearest(name, KNOWN), "request"))
    if not asked:
        problems.append(Problem("--methods", "names none", "write npo,undial or all", "request"))
    return asked, problems


def _missing() -> list[Problem]:
    """Return a problem if Optuna is not installed."""
    if find_spec("optuna"):
        return []
    what = "is not installed, and it chooses what is tried"
    return [Problem("optuna", what, 'pip install "unteach[search]"', "request")]


def _of_run(run: Request) -> list[Problem]:
    """Return the settings of a request that a search does not support."""
    problems = alone("search")
    if run.method_options or run.method_name != "auto":
        hint = "name methods with --methods; their options are what is searched"
        problems.append(Problem("method", "is fixed by the request", hint, "request"))
    if not (run.holdout or run.retrained or run.base):
        what = "none given, so nothing says how likely answers are that no model saw"
        hint = "give --holdout a file of texts like the forget set, or --retrained or --base"
        problems.append(Problem("--holdout", what, hint, "request"))
    if not (run.holdout or run.retain):
        what = "neither it nor a holdout is given, so nothing says what a trial harms"
        problems.append(Problem("--retain", what, "give --retain or --holdout", "request"))
    return problems


def _numbers(ranks: str | Sequence[int]) -> tuple[int, ...]:
    found = re.findall(r"[^,\s]+", ranks) if isinstance(ranks, str) else [str(x) for x in ranks]
    if not found or not all(re.fullmatch(r"[1-9]\d{0,3}", x) for x in found):
        raise UserError(Problem("--ranks", f"is {told(ranks)}", "write 8,16,32", "request"))
    return tuple(dict.fromkeys(map(int, found)))
