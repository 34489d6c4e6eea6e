"""`unteach search`: try, judge, choose, and confirm on data that the search never read."""

import shlex
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from unteach.errors import Problem, UserError, in_one_line
from unteach.evaluation.identity import identity_of
from unteach.evaluation.known import require_known
from unteach.evaluation.results import ROWS
from unteach.files import write_text
from unteach.files.rows import read_rows
from unteach.progress import NoProgress, ProgressListener, duration
from unteach.settings.request import Request
from unteach.tuning.folder import identity_with, working
from unteach.tuning.judge import Judge, Marks
from unteach.tuning.pages import HTML, MARKDOWN, RESULT, YAML, write
from unteach.tuning.request import BEST, SearchRequest, search_request
from unteach.tuning.result import Line, SearchResult, lines_of, settings_words
from unteach.tuning.space import RANKS, Choice, Space
from unteach.tuning.study import DATABASE, close, finished, opened, reached, spent
from unteach.tuning.workbench import GivenUp, Workbench

OURS = (DATABASE, YAML, RESULT, MARKDOWN, HTML, BEST)


def search(
    asked: SearchRequest | None = None, listener: ProgressListener | None = None, **fields: Any
) -> SearchResult:
    """Search for the best method and settings within a budget of time, and confirm the winner.

    A search that was cut off goes on when the same request is given again; a larger budget
    continues one that is done.

    Args:
        asked: the settings.
        listener: receives the progress; None for no progress.
        fields: those of `search_request` in its place: `model`, `forget`, `holdout`, `budget`, ...

    Raises:
        UserError: all problems, before any weights are loaded; or no trial could be finished.

    Example:
        result = search(model="my-model", forget="forget.jsonl", retain="retain.jsonl",
                        holdout="holdout.jsonl", budget="20m", out="searched")
        result.best.settings, result.confirmed
    """
    if asked is not None and fields:
        raise TypeError("give a SearchRequest, or its fields")
    asked = asked or search_request(**fields)
    listener = listener or NoProgress()
    listener.stage("checking what each method needs")
    bench = Workbench(asked, listener)
    able = bench.able()
    for name, problems in bench.why_not.items():
        listener.notes(
            [Problem(f"--methods {name}", f"is left out: {in_one_line(problems)}", "", "note")]
        )
    own = asked.model_dump(mode="json", include={"methods", "adapter", "ranks", "seed"})
    whole = next(iter(able.values()))
    identity = identity_with(identity_of(whole)[0], own)
    with working(asked.out, identity, OURS, overwrite=asked.run.overwrite) as again:
        if again:
            listener.stage("going on with the trials that are there")
        judge = bench.judge()
        listener.notes(require_known(judge.original, whole.request))
        study = opened(asked.out, space_of(asked, tuple(able)), asked.seed)
        _try_all(study, bench, judge, listener)
        return _ended(study, bench, judge, listener)


def space_of(asked: SearchRequest, methods: tuple[str, ...]) -> Space:
    """Return what a search may choose from; what the request fixes is not varied."""
    kinds = {"method": (), "both": ("full", "lora")}.get(asked.adapter, (asked.adapter,))
    ranks = asked.ranks or (RANKS if asked.adapter in ("lora", "both") else ())
    train = asked.run.train
    return Space(
        methods,
        rate=train.learning_rate is None,
        weight=bool(asked.run.retain) and train.retain_weight is None and train.retain != "none",
        adapters=kinds,
        ranks=ranks,
    )


def _try_all(study: Any, bench: Workbench, judge: Judge, listener: ProgressListener) -> None:
    """Try until the budget is spent: the last trial that begins within it is finished."""
    asked = bench.asked
    space = space_of(asked, tuple(name for name in asked.methods if name not in bench.why_not))
    while spent(study) < asked.budget:
        if asked.trials and finished(study) >= asked.trials:
            return
        trial = study.ask()
        _try(study, trial, space.choose(trial), bench, judge, listener)


def _try(
    study: Any,
    trial: Any,
    choice: Choice,
    bench: Workbench,
    judge: Judge,
    listener: ProgressListener,
) -> None:
    began, at = time.monotonic(), []

    def tell(quarter: int, marks: Any) -> bool:
        at[:] = [(quarter, marks)]
        return reached(trial, quarter, marks)

    words = f"trial {trial.number}: {choice.method}, {settings_words(_settings(bench, choice))}"
    try:
        marks = bench.train(choice, judge, tell)
        close(study, trial, marks, time.monotonic() - began)
        said = f"forgotten {marks.forgotten:.2f}, kept {marks.kept:.2f}"
    except GivenUp:
        quarter, marks = at[0]
        close(study, trial, marks, time.monotonic() - began, whole=False)
        said = f"given up at {'a quarter' if quarter == 1 else 'half'} of the training"
    except UserError as error:
        said = in_one_line(error.problems)
        trial.set_user_attr("why", said)
        close(study, trial, None, time.monotonic() - began)
    left = bench.asked.budget - spent(study)
    rest = f"{duration(left)} of the budget left" if left > 0 else "the budget is spent"
    listener.stage(f"{words}: {said}; {rest}")


def _settings(bench: Workbench, choice: Choice) -> dict[str, Any]:
    """Return the settings of a choice by their names in a request."""
    request = bench.request(choice)
    found: dict[str, Any] = {}
    if choice.rate is not None:
        found["train.learning_rate"] = request.train.learning_rate
    if choice.weight is not None and request.train.retain_weight is not None:
        found["train.retain_weight"] = request.train.retain_weight
    found |= {f"method.{name}": value for name, value in choice.options.items()}
    found |= {"adapter.kind": choice.adapter} if choice.adapter else {}
    return found | ({"adapter.rank": choice.rank} if choice.rank else {})


def _ended(study: Any, bench: Workbench, judge: Judge, listener: ProgressListener) -> SearchResult:
    asked = bench.asked
    trials = study.get_trials(deepcopy=False)
    lines = lines_of(trials, lambda choice: _settings(bench, choice))
    best = next((line for line in lines if line.value is not None), None)
    if best is None:
        what = f"none of {len(lines)} trials could be finished"
        reasons = {line.why for line in lines if line.why}
        hint = f"give a longer --budget; {'; '.join(sorted(reasons))[:400]}"
        raise UserError(Problem("--budget", what, hint))
    request = bench.request(best.choice)
    plain = request.model_copy(update={"overwrite": False})
    write_text(asked.out / YAML, plain.to_yaml())
    (asked.out / YAML).chmod(0o644)
    confirmed = marks = None
    if asked.confirm:
        from unteach import pipeline

        listener.stage("confirming: the winner is trained in full, and asked what no trial read")
        confirmed = pipeline.run(request, listener)
        marks = _marks_of(request, judge)
    result = SearchResult(
        lines=lines,
        best=best,
        judged=judge.words,
        skipped={name: in_one_line(problems) for name, problems in bench.why_not.items()},
        facts=_facts(study, lines, asked),
        folder=asked.out,
        confirmed=confirmed,
        marks=marks,
        next=_next(asked, request),
    )
    write(result)
    return result


def _marks_of(request: Request, judge: Judge) -> Marks | None:
    """Return the scores of the confirmed model from its rows; None if they cannot be computed."""
    files = {file.stem: file for file in (request.out / ROWS).glob("*.jsonl")}
    rows = {name: read_rows(file)[0] for name, file in files.items()}
    if judge.base:  # it was not asked about the second half
        return None
    return Judge(rows["original"], rows.get("retrained")).marks(rows["unlearned"])


def _facts(study: Any, lines: tuple[Line, ...], asked: SearchRequest) -> dict[str, Any]:
    states = [line.state for line in lines]
    return {
        "trials": len(lines),
        **{state.replace(" ", "_"): states.count(state) for state in dict.fromkeys(states)},
        "seconds": round(spent(study), 1),
        "budget_seconds": asked.budget,
        "seed": asked.seed,
        "unteach": version("unteach"),
        "optuna": version("optuna"),
    }


def _next(asked: SearchRequest, request: Request) -> str:
    """Return the next command."""
    if not asked.confirm:
        return shlex.join(["unteach", "run", str(asked.out / YAML)])
    command = ["unteach", "attack", "--model", str(request.out), "--original", request.model]
    command += ["--forget", request.forget]
    files = {"retain": request.source("retain"), "holdout": request.source("holdout")}
    for flag, value in {"retrained": request.retrained, **files}.items():
        command += [f"--{flag}", value] if value else []
    return shlex.join([*command, "--out", str(Path(asked.out) / "attacks")])
