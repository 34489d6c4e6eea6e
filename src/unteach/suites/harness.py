"""Run WMDP and general benchmarks with lm-evaluation-harness (`pip install "unteach[eval]"`)."""

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

WIDTH = 1.96  # standard errors on each side of the mean: 95% of a normal distribution
SHARES = ("acc", "exact_match", "f1", "em")
RESAMPLES = 1000  # bootstrap samples for the standard error of metrics that are not means


def read(
    folder: Path | None, options: Mapping[str, str], *, suite: str = "general"
) -> dict[str, Group]:
    """Check the options, tasks and data sets without a model; there are no groups to return.

    Args:
        folder: must be None; a folder of task files is the option `include_path`.
        options: of the suite; defaults are filled in.
        suite: "wmdp" or "general".

    Raises:
        UserError: the harness is not installed, an option is wrong, a task is not known, or a data
            set cannot be loaded.
    """
    parsed = understood(suite, options)
    if folder is not None:
        hint = "give a folder of task files as the option include_path"
        raise UserError(Problem("--data", f"the suite {suite} reads no files", hint, "request"))
    manager = manager_of(suite, parsed.include_path)
    one_of_each = {}
    for config in checked(suite, parsed, manager):
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
    """Scores of every task, and of groups of tasks that define a score of their own.

    Args:
        model: a causal language model; set to evaluation mode.
        tokenizer: of the model; not changed.
        options: of the suite; defaults are filled in.
        suite: "wmdp" or "general".
        progress: called with stage, done and total.

    Returns:
        Scores by task and metric. The name of a metric ends with its filter where it has one
        (`exact_match_strict_match`). Intervals are value +- 1.96 standard errors.

    Raises:
        UserError: as `read`; or a chat template was requested and the tokenizer has none.
    """
    parsed = understood(suite, options)
    if parsed.chat_template and not getattr(tokenizer, "chat_template", None):
        where = f"suite {suite}, option chat_template"
        raise UserError(Problem(where, "the tokenizer has none", "give no", "request"))
    manager = manager_of(suite, parsed.include_path)
    checked(suite, parsed, manager)
    with quiet(progress):
        harness: Any = import_module("lm_eval.evaluator")
        models: Any = import_module("lm_eval.models.huggingface")
        tasks = load(suite, parsed.tasks, manager)
        results = harness.simple_evaluate(
            model=models.HFLM(
                pretrained=model,
                backend="causal",
                tokenizer=deepcopy(tokenizer),  # the harness adds a pad token where there is none
                batch_size=parsed.batch_size,
            ),
            tasks=tasks,
            task_manager=manager,
            num_fewshot=parsed.num_fewshot,
            limit=parsed.limit,
            apply_chat_template=parsed.chat_template,
            bootstrap_iters=RESAMPLES,
            log_samples=False,
        )
    return scores(results or {})


def scores(found: Mapping[str, Any]) -> dict[str, dict[str, Score]]:
    """Convert the results of lm-evaluation-harness to scores by task and metric.

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
    """Versions and settings that the scores depend on, for cache keys and reports.

    Revisions of data sets are not included: the tasks load the newest ones from the hub. Pin one
    with `dataset_kwargs: {revision: ...}` in a task file of your own.

    Args:
        options: of the suite; defaults are filled in.
        suite: "wmdp" or "general".

    Returns:
        "lm_eval": its version; "tasks": version, number of few-shot examples and hash of the
        definition of each task; and the options that change a score.
    """
    parsed = understood(suite, options)
    configs = checked(suite, parsed, manager_of(suite, parsed.include_path))
    return {
        "lm_eval": import_module("lm_eval").__version__,
        "limit": parsed.limit,
        "chat_template": parsed.chat_template,
        "tasks": {config["task"]: _facts(config, parsed.num_fewshot) for config in configs},
    }


def should_be(task: str) -> str:
    """The score that a well unlearned model should have, in words.

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
