"""Keep the trials of a search in an Optuna study on disk, which a killed search goes on with."""

from pathlib import Path
from typing import Any

from unteach.tuning.judge import Marks
from unteach.tuning.space import Space

DATABASE = "study.db"
NAME = "search"
DEFAULT = "default"  # marks the trials of each method as it is without search
HALVING = 2


def opened(folder: Path, space: Space, seed: int) -> Any:
    """Open the study of a folder, or begin it with every method's defaults.

    Trials are chosen by a tree-structured Parzen estimator over the space of each method, and
    given up by successive halving: at a quarter and at half of a training only the better half of
    those that came so far go on.

    The database holds numbers and names of settings alone. A trial that a killed process left
    unfinished is queued again.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = optuna.storages.RDBStorage(f"sqlite:///{folder.absolute() / DATABASE}")
    study = optuna.create_study(
        study_name=NAME, storage=storage, load_if_exists=True, direction="maximize",
        pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=HALVING),
    )  # fmt: skip
    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        kept = {DEFAULT: True} if trial.user_attrs.get(DEFAULT) else {}
        study.enqueue_trial(trial.params, user_attrs=kept)
    if not study.get_trials(deepcopy=False):
        for name in space.methods:
            study.enqueue_trial(space.default(name), user_attrs={DEFAULT: True})
    study.sampler = _sampler(seed + len(study.get_trials(deepcopy=False)))
    return study


def _sampler(seed: int) -> Any:
    """Return the sampler; a search that goes on does not repeat what it drew before."""
    import warnings

    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `group` is experimental in Optuna
        return optuna.samplers.TPESampler(
            seed=seed, multivariate=True, group=True, warn_independent_sampling=False
        )


def spent(study: Any) -> float:
    """Return the seconds that all trials took, those of earlier calls among them."""
    return sum(t.user_attrs.get("seconds", 0.0) for t in study.get_trials(deepcopy=False))


def finished(study: Any) -> int:
    """Return how many trials came to an end."""
    return sum("seconds" in t.user_attrs for t in study.get_trials(deepcopy=False))


def reached(trial: Any, quarter: int, marks: Marks) -> bool:
    """Record what a trial comes to on its way; return whether it is given up.

    The defaults of the methods are trained in full: they are what the others are compared with.
    """
    trial.report(marks.value, quarter)
    return bool(trial.should_prune()) and not trial.user_attrs.get(DEFAULT)


def close(
    study: Any, trial: Any, marks: Marks | None, seconds: float, *, whole: bool = True
) -> None:
    """Record the end of a trial: in full, given up on its way, or broken where it has no marks."""
    from optuna.trial import TrialState

    if marks:
        trial.set_user_attr("forgotten", marks.forgotten)
        trial.set_user_attr("kept", marks.kept)
    trial.set_user_attr("seconds", round(seconds, 2))
    if marks and whole:
        study.tell(trial, marks.value)
    else:
        study.tell(trial, state=TrialState.PRUNED)
