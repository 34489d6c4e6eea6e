"""WMDP and general ability, asked through lm-evaluation-harness (`pip install "unteach[eval]"`)."""

from collections.abc import Mapping
from copy import deepcopy
from functools import partial
from hashlib import sha256
from importlib import import_module
from json import dumps
from math import isfinite, nan
from numbers import Real
from pathlib import Path
from re import sub
from typing import Any

from unteach.errors import Problem, UserError
from unteach.suites import _known_tasks as known
from unteach.suites._base import SUITES, Group, Suite
from unteach.suites._harness_tasks import OPTIONS, checked, load, manager_of, understood
from unteach.suites._quiet import Told, quiet, silent
from unteach.types import Score

WIDTH = 1.96  # standard errors on either side of a mean: 95% of a normal distribution
SHARES = ("acc", "exact_match", "f1", "em")
RESAMPLES = 1000  # of metrics that are no mean, whose standard error is bootstrapped


def read(
    folder: Path | None, options: Mapping[str, str], *, suite: str = "general"
) -> dict[str, Group]:
    """No groups: the harness asks by itself. Checks all that can be checked without a model.

    Args:
        folder: must be None; a folder of task files is the option `include_path`.
        options: of the suite; defaults are filled in.
        suite: "wmdp" or "general".

    Raises:
        UserError: the harness is not installed, an option is wrong, a task is not known, or a data
            set is not at hand.
    """
    asked = understood(suite, options)
    if folder is not None:
        hint = "give a folder of task files as the option include_path"
        raise UserError(Problem("--data", f"the suite {suite} reads no files", hint, "request"))
    manager = manager_of(suite, asked.include_path)
    one_of_each = {}
    for config in checked(suite, asked, manager):
        if config["task"] in manager.task_index:
            one_of_each.setdefault(config.get("dataset_path", config["task"]), config["task"])
    with quiet(silent):
        load(suite, sorted(one_of_each.values()), manager)
    return {}


def evaluate(
    model: Any,
    tokenizer: Any,
    options: Mapping[str, str],
    *,
    suite: str = "general",
    progress: Told = silent,
) -> dict[str, dict[str, Score]]:
    """Every number of every task, and of groups of tasks that define one.

    Args:
        model: a causal language model; set to evaluation mode.
        tokenizer: its tokenizer; left as it is.
        options: of the suite; defaults are filled in.
        suite: "wmdp" or "general".
        progress: told what is being done, and how far it is.

    Returns:
        Scores by task and metric. A metric bears the name of its filter where it has one
        (`exact_match_strict_match`). Intervals are value +- 1.96 standard errors.

    Raises:
        UserError: as `read`; or the tokenizer has no chat template and one is asked for.
    """
    asked = understood(suite, options)
    if asked.chat_template and not getattr(tokenizer, "chat_template", None):
        where = f"suite {suite}, option chat_template"
        raise UserError(Problem(where, "the tokenizer has none", "give no", "request"))
    manager = manager_of(suite, asked.include_path)
    checked(suite, asked, manager)
    with quiet(progress):
        harness: Any = import_module("lm_eval.evaluator")
        models: Any = import_module("lm_eval.models.huggingface")
        tasks = load(suite, asked.tasks, manager)
        found = harness.simple_evaluate(
            model=models.HFLM(
                pretrained=model,
                backend="causal",
                tokenizer=deepcopy(tokenizer),  # it is given a pad token where it has none
                batch_size=asked.batch_size,
            ),
            tasks=tasks,
            task_manager=manager,
            num_fewshot=asked.num_fewshot,
            limit=asked.limit,
            apply_chat_template=asked.chat_template,
            bootstrap_iters=RESAMPLES,
            log_samples=False,
        )
    return scores(found or {})


def scores(found: Mapping[str, Any]) -> dict[str, dict[str, Score]]:
    """Scores from what lm-evaluation-harness returns, by task and metric.

    Example:
        >>> right = {"acc,none": 0.5, "acc_stderr,none": 0.1, "sample_len": 20, "alias": "mine"}
        >>> scores({"results": {"mine": right}})["mine"]["acc"]
        Score(value=0.5, n=20, low=0.304, high=0.696, note='')
    """
    return {
        task: {
            _name(key): _score(key, value, values)
            for key, value in values.items()
            if "," in key and not key.split(",")[0].endswith("_stderr") and _is_number(value)
        }
        for task, values in found.get("results", {}).items()
    }


def versions(options: Mapping[str, str], *, suite: str = "general") -> dict[str, Any]:
    """What the numbers depend on beside the model: what a cache or a report should name.

    Data sets are not among it: the tasks ask the hub for the newest. Pin one with
    `dataset_kwargs: {revision: ...}` in a task file of your own.

    Args:
        options: of the suite; defaults are filled in.
        suite: "wmdp" or "general".

    Returns:
        "lm_eval", its version; "tasks": each one's version, number of answered examples, and the
        hash of its definition; and the options that decide a number.
    """
    asked = understood(suite, options)
    configs = checked(suite, asked, manager_of(suite, asked.include_path))
    return {
        "lm_eval": import_module("lm_eval").__version__,
        "limit": asked.limit,
        "chat_template": asked.chat_template,
        "tasks": {config["task"]: _facts(config, asked.num_fewshot) for config in configs},
    }


def should_be(task: str) -> str:
    """What a score of a well unlearned model is like.

    Example:
        >>> should_be("wmdp_bio"), should_be("hellaswag")
        ('low (0.25 is chance)', 'high')
    """
    forget = task == "wmdp" or task.startswith("wmdp_")
    return f"low ({known.chance(task)} is chance)" if forget else "high"


def _facts(config: dict[str, Any], num_fewshot: int | None) -> dict[str, Any]:
    own = config.get("num_fewshot")
    text = dumps(config, sort_keys=True, default=str)
    return {
        "version": (config.get("metadata") or {}).get("version"),
        "num_fewshot": own or 0 if own == 0 or num_fewshot is None else num_fewshot,
        "definition": sha256(text.encode()).hexdigest()[:12],
    }


def _score(key: str, value: Any, values: Mapping[str, Any]) -> Score:
    metric, name = key.split(",", 1)
    value, n = float(value), values.get("sample_count", {}).get(key, values.get("sample_len", 0))
    if not isfinite(value):
        return Score(None, n, note="the harness gave no finite number")
    found = values.get(f"{metric}_stderr,{name}")
    error = float(found) if found is not None and _is_number(found) else nan
    if not isfinite(error):
        return Score(value, n)
    if error == 0:
        return Score(value, n, note="all answers score alike: no spread to make an interval of")
    low, high = value - WIDTH * error, value + WIDTH * error
    if metric.startswith(SHARES):
        low, high = max(low, 0.0), min(high, 1.0)
    return Score(value, n, low, high)


def _name(key: str) -> str:
    metric, name = key.split(",", 1)
    return metric if name == "none" else f"{metric}_{sub(r'[^0-9a-zA-Z]+', '_', name)}"


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


SUITES.add(
    "wmdp",
    Suite(
        name="wmdp",
        version=1,
        help="WMDP: questions on dangerous knowledge, or other tasks of lm-evaluation-harness.",
        read=partial(read, suite="wmdp"),
        harness=partial(evaluate, suite="wmdp"),
        options=OPTIONS["wmdp"],
        papers=(known.WMDP, known.HARNESS),
    ),
)
SUITES.add(
    "general",
    Suite(
        name="general",
        version=1,
        help="General ability (MMLU, ARC, HellaSwag, ...) through lm-evaluation-harness.",
        read=partial(read, suite="general"),
        harness=partial(evaluate, suite="general"),
        options=OPTIONS["general"],
        papers=(
            known.MMLU,
            known.ARC,
            known.HELLASWAG,
            known.GSM8K,
            known.TRUTHFULQA,
            known.WINOGRANDE,
            known.HARNESS,
        ),
    ),
)
