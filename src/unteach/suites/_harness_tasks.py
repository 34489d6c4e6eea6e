"""Select tasks of lm-evaluation-harness, check that they can be run, and load them."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from unteach.errors import Problem, UserError, require
from unteach.registry import did_you_mean
from unteach.suites._base import SuiteOption
from unteach.suites._options import chosen
from unteach.suites._quiet import quiet, silent

_COMMON = {
    "limit": SuiteOption(help="questions of each task, from its start; empty for all", default=""),
    "batch_size": SuiteOption(help="texts of one forward, or auto", default="8"),
    "num_fewshot": SuiteOption(
        help="answered examples before each question; empty for the task's own number, which is "
        "also kept where that is 0 by its definition",
        default="",
    ),
    "chat_template": SuiteOption(
        help="whether questions are put in the model's chat template",
        default="no",
        values=("no", "yes"),
    ),
    "include_path": SuiteOption(
        help="a folder of your own task files (YAML); they may run code beside them", default=""
    ),
}
_TASKS = "names of lm-evaluation-harness's tasks, groups or tags, with commas between"
OPTIONS = {
    "wmdp": {"tasks": SuiteOption(help=_TASKS, default="wmdp"), **_COMMON},
    "general": {
        "tasks": SuiteOption(
            help=_TASKS,
            default="mmlu,arc_easy,arc_challenge,hellaswag,gsm8k,truthfulqa_mc2,winogrande",
        ),
        **_COMMON,
    },
}
# Keys of a group's definition that are about the group itself; all others apply to its tasks.
OF_GROUPS = ("group", "group_alias", "task", "tag", "aggregate_metric_list", "metadata")

# Values of `dataset_path` that name a file format or custom code instead of a data set.
FORMATS = {"json", "csv", "parquet", "arrow", "text", "None"}


class HarnessOptions(NamedTuple):
    """The parsed options."""

    tasks: list[str]
    limit: int | None
    batch_size: int | str
    num_fewshot: int | None
    chat_template: bool
    include_path: str


def understood(suite: str, options: Mapping[str, str]) -> HarnessOptions:
    """Parse the options and fill in defaults. Raises UserError with all wrong ones."""
    given = chosen(suite, OPTIONS[suite], options)
    problems: list[Problem] = []

    def number(name: str, least: int, also: tuple[str, ...] = ("",)) -> Any:
        text = given[name]
        if text in also:
            return text or None
        if text.isdecimal() and int(text) >= least:
            return int(text)
        where, hint = f"suite {suite}, option {name}", f"give a whole number from {least} on"
        problems.append(Problem(where, f'"{text}" is no value of it', hint, "request"))

    tasks = list(dict.fromkeys(name.strip() for name in given["tasks"].split(",")))
    if "" in tasks:
        where = f"suite {suite}, option tasks"
        problems.append(Problem(where, "holds an empty name", "", "request"))
    if given["include_path"] and not Path(given["include_path"]).is_dir():
        where = f"suite {suite}, option include_path"
        what = f"{given['include_path']} is no folder"
        problems.append(Problem(where, what, "", "request"))
    parsed = HarnessOptions(
        tasks=tasks,
        limit=number("limit", 1),
        batch_size=number("batch_size", 1, also=("auto",)),
        num_fewshot=number("num_fewshot", 0),
        chat_template=given["chat_template"] == "yes",
        include_path=given["include_path"],
    )
    require(*problems)
    return parsed


def manager_of(suite: str, include_path: str) -> Any:
    """The task manager of the harness. Raises UserError when the harness is not installed."""
    try:
        return _indexed(include_path)
    except ImportError:
        where, what = f"--suite {suite}", "needs lm-evaluation-harness"
        raise UserError(Problem(where, what, 'pip install "unteach[eval]"', "request")) from None


@cache
def _indexed(include_path: str) -> Any:
    """Index all tasks; cached, since reading the definitions takes seconds."""
    with quiet(silent):
        return import_module("lm_eval.tasks").TaskManager(include_path=include_path or None)


def checked(suite: str, asked: HarnessOptions, manager: Any) -> list[dict[str, Any]]:
    """The definitions of all single tasks behind the requested names.

    Raises:
        UserError: a name is unknown, a task appears twice, or it cannot be run here.
    """
    where = f"suite {suite}, option tasks"
    problems, found = [], {}
    for name in asked.tasks:
        if name not in manager.task_index:
            close = did_you_mean(name, manager.all_tasks, cutoff=0.7).strip()
            hint = f"{close} The harness lists its tasks: lm-eval ls tasks".strip()
            problems.append(Problem(where, f'there is no task "{name}"', hint, "request"))
            continue
        for config in _leaves(manager.task_index, name):
            task, other = config["task"], found.get(config["task"], (name,))[0]
            if other != name:
                what = f"{other} and {name} both hold {task}"
                problems.append(Problem(where, what, "ask for one of them", "request"))
            problems += [
                Problem(where, f"{task} {what}", "", "request") for what in _beyond(config)
            ]
            found[task] = (name, config)
    require(*problems)
    return [config for _, config in found.values()]


def _leaves(index: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The single tasks of a group or a tag, with the settings of the group; or the task itself."""
    entry = index[name]
    config = entry.cfg or {"task": sorted(entry.tags)}
    if not isinstance(config.get("task"), list):
        return [{**config, "task": name}]
    leaves = []
    shared = {key: value for key, value in config.items() if key not in OF_GROUPS}
    for member in config["task"]:
        own = {"task": member} if isinstance(member, str) else member
        inner = own.get("group") or own["task"]
        over = {**shared, **{key: value for key, value in own.items() if key not in OF_GROUPS}}
        found = _leaves(index, inner) if inner in index else [own]
        leaves += [{**leaf, **over} for leaf in found]
    return leaves


def _beyond(config: dict[str, Any]) -> list[str]:
    """Reasons why a task cannot be run here."""
    reasons = {"doc_to_image": "shows pictures", "doc_to_audio": "plays sounds"}
    found = [reason for key, reason in reasons.items() if config.get(key)]
    return found + ["would run code that the model writes"] * bool(config.get("unsafe_code"))


def load(suite: str, names: list[str], manager: Any) -> list[Any]:
    """Load tasks and groups of these names with their data."""
    problems, tasks = [], []
    for name in names:
        try:
            found = manager.load([name])
        except Exception as error:  # a task may be the user's own code and raise anything
            problems.append(_load_problem(suite, name, manager, error))
            continue
        group = found["groups"].get(name)
        tasks += [group] if group is not None else found["tasks"].values()
    require(*problems)
    return tasks


def _load_problem(suite: str, name: str, manager: Any, error: Exception) -> Problem:
    where = f"suite {suite}, task {name}"
    if not isinstance(error, OSError):
        return Problem(where, f"cannot be set up: {type(error).__name__}", _first_line(error))
    sets = {str(config.get("dataset_path")) for config in _leaves(manager.task_index, name)}
    named = " and ".join(sorted(sets - FORMATS))
    what = f"needs the data set {named}, which is not at hand" if named else "lacks its data"
    hint = "run it once with a network, or give a task file on local data: option include_path"
    return Problem(where, f"{what}: {_first_line(error)}", hint)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")[:200]
