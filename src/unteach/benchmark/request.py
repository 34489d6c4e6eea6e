"""Define the request of a benchmark: the run that all cells share, its methods and seeds."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from unteach.errors import Problem, UserError
from unteach.settings.request import Request
from unteach.settings.sections import Count, Name, Positive, Section

EPOCHS = 10.0


class BenchRequest(Section):
    """Settings of a benchmark.

    Attributes:
        run: what all cells share; each has its own method, seed and folder.
        out: the folder to make.
        methods: the methods, in the order of the table.
        seeds: how many seeds each method is run with: 0, 1, 2, ...
        epochs: passes over the forget set, for every method; "own" is what each method has.
        tune: seconds of `unteach search` for each method before its cells; None for its defaults.
        keep_models: keep the weights of every cell.
    """

    run: Request
    out: Path
    methods: Annotated[tuple[Name, ...], Field(min_length=1)]
    seeds: Count = 3
    epochs: Positive | Literal["own"] = EPOCHS
    tune: Positive | None = None
    keep_models: bool = False


def bench_request(
    run: Request | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    methods: str | Sequence[str] | None = None,
    tune: str | float | None = None,
    settings: Mapping[str, Any] | None = None,
    **more: Any,
) -> BenchRequest:
    """Make the settings of a benchmark.

    Args:
        run: what all cells share; None makes it of `more`.
        out: the folder to make; `unteach-bench` when left out.
        methods: names, or a text with commas between them; "all" (as when left out) is every one.
        tune: time of a search for each method, in seconds or as "5m".
        settings: other settings of the request by name, `{"train.batch_size": 16}`.
        more: further fields of `BenchRequest`, and without `run` those of a `Request`: `model`,
            `forget`, `retain`, `holdout`, ...; None is left out.

    Raises:
        UserError: all that is wrong with them.
    """
    from unteach.tuning.request import alone, named_methods, out_of_bounds, request_of, seconds_of

    folder, problems = Path(out or "unteach-bench"), list[Problem]()
    given = {k: v for k, v in more.items() if v is not None}
    run = run or request_of({**given, "out": folder}, set(BenchRequest.model_fields), settings)
    given = {k: v for k, v in given.items() if k in BenchRequest.model_fields}
    if run.method_options or run.method_name != "auto":
        hint = "name methods with --methods"
        problems.append(Problem("method", "is fixed by the request", hint, "request"))
    problems += alone("bench")
    names, found = named_methods(methods or "all", run.plugins)
    problems += found
    try:
        given |= {"tune": seconds_of(tune)} if tune else {}
    except UserError as error:
        problems += [Problem("--tune", p.what, p.hint, p.kind) for p in error.problems]
    try:
        return _whole(problems, run=run, out=folder, methods=names, **given)
    except ValidationError as error:
        problems += out_of_bounds(error)
    raise UserError(*problems)


def _whole(problems: list[Problem], **fields: Any) -> BenchRequest:
    asked = BenchRequest(**fields)
    if asked.tune:
        from unteach.tuning.request import search_request

        try:
            search_request(asked.run, out=asked.out)
        except UserError as error:
            problems += error.problems
    if problems:
        raise UserError(*problems)
    return asked


def of_suite(name: str, folder: str | None, options: Mapping[str, str]) -> dict[str, Any]:
    """Return the files of a suite as the fields of a request.

    Raises:
        UserError: the suite is unknown or has nothing to train on, or files are missing.
    """
    from unteach.registry import nearest
    from unteach.suites import SUITES

    able = [n for n in SUITES if SUITES.get(n).training]
    suite = SUITES.get(name) if name in SUITES else None
    if suite is None or suite.training is None:
        what = "has nothing to train on" if suite else "is no suite"
        raise UserError(Problem("--suite", what, nearest(name, able, "These have"), "request"))
    found = suite.training(Path(folder) if folder else None, options)
    roles = {role: found.pop(role) for role in ("forget", "retain", "holdout") if role in found}
    return {**roles, "also": found}
