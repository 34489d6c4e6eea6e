"""Train one choice after another on a model that is loaded once, and judge each."""

import copy
import gc
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from unteach.checks.request import CheckedRequest, check, training_data
from unteach.errors import Problem, UserError
from unteach.metrics.rows import Groups
from unteach.progress import NoProgress, ProgressListener
from unteach.settings.request import Request
from unteach.tuning.first_half import searched
from unteach.tuning.judge import Judge, Marks
from unteach.tuning.request import SearchRequest
from unteach.tuning.space import Choice
from unteach.types import ROLES

Tell = Callable[[int, Marks], bool]
"""Called with the quarter of the training that is done; returns whether to give up."""
QUARTERS = (1, 2)  # of a training's first round, after which it is judged
LIMIT = 400  # examples of each group that judge


class GivenUp(Exception):
    """Raised when a trial is pruned."""


class Workbench:
    """Holds the data and the models of a search, and trains its trials.

    Args:
        asked: the settings of the search.
        listener: receives the stages.
    """

    def __init__(self, asked: SearchRequest, listener: ProgressListener | None = None):
        self.asked, self.listener = asked, listener or NoProgress()
        self.why_not: dict[str, tuple[Problem, ...]] = {}
        self._intakes: dict[tuple[str, str | None], CheckedRequest] = {}
        self._models: dict[str, Any] = {}

    def able(self) -> dict[str, CheckedRequest]:
        """Return the request of each method that can run with these inputs.

        The reasons of the others are in `why_not`.

        Raises:
            UserError: none can.
        """
        found = {}
        for name in self.asked.methods:
            try:
                found[name] = self.intake(name, None)
            except UserError as error:
                self.why_not[name] = tuple(p for p in error.problems if p.kind != "note")
        if not found:
            problems = dict.fromkeys(p for of in self.why_not.values() for p in of)
            raise UserError(*problems)
        return found

    def intake(self, method: str, adapter: str | None) -> CheckedRequest:
        """Return the checked request of a method, with whole files."""
        if (method, adapter) not in self._intakes:
            run = self.asked.run
            changes: dict[str, Any] = {"method": {"name": method}}
            if adapter:
                changes["adapter"] = run.adapter.model_copy(update={"kind": adapter})
            self._intakes[method, adapter] = check(run.model_copy(update=changes))
        return self._intakes[method, adapter]

    def request(self, choice: Choice) -> Request:
        """Return the request that trains a choice, with nothing else filled in."""
        run, settled = self.asked.run, self.intake(choice.method, choice.adapter).request
        adapter: dict[str, Any] = {"kind": choice.adapter} if choice.adapter else {}
        adapter |= {"rank": choice.rank} if choice.rank else {}
        return run.model_copy(
            update={
                "method": {"name": choice.method, **choice.options},
                "train": run.train.model_copy(update=_train(choice, settled)),
                "adapter": run.adapter.model_copy(update=adapter),
            }
        )

    def judge(self) -> Judge:
        """Ask the original, and what never saw the data, what the trials are asked."""
        intake = searched(next(iter(self._intakes.values())))
        run = intake.request
        self.listener.stage("asking the original about the half that is searched")
        original = self.rows(lambda: self._copied(run, run.model), intake)
        retrained = base = None
        if run.retrained:
            self.listener.stage("asking the retrained model the same")
            retrained = self.rows(lambda: _given(run, run.retrained, "--retrained"), intake)
        elif run.base and not run.holdout:
            self.listener.stage("asking the base model the same")
            base = self.rows(lambda: _given(run, run.base, "--base"), intake)
        return Judge(original, retrained, base)

    def rows(self, model: Any, intake: CheckedRequest) -> Groups:
        """Return the rows of a model for the searched examples, without generated answers."""
        from unteach.evaluation.of_run import settings_of
        from unteach.suites import Group
        from unteach.suites.ask import score_groups
        from unteach.suites.own import sample

        groups = {
            role: Group(examples=sample(intake.groups[role], LIMIT), generate=False)
            for role in ROLES
            if intake.groups.get(role)
        }
        return score_groups(model, intake.tokenizer, groups, settings_of(intake.request)).rows

    def train(self, choice: Choice, judge: Judge, tell: Tell) -> Marks:
        """Train a choice on the searched half and judge it.

        Raises:
            GivenUp: `tell` said so on the way.
            UserError: training broke the model, or the choice cannot be trained.
        """
        from unteach import pipeline
        from unteach.training.unlearn import unlearn_model

        intake = _set(searched(self.intake(choice.method, choice.adapter)), choice)
        quiet = NoProgress()
        try:
            taught = pipeline.base_rows(intake, quiet)
            model = self._fresh(intake)
            watch = _rungs(lambda it: judge.marks(self.rows(it, intake)), tell, intake)
            done = unlearn_model(
                model, intake.tokenizer, intake.method, training_data(intake), intake.request,
                quiet, teacher_rows=taught, callbacks=watch,
            )  # fmt: skip
            return judge.marks(self.rows(done.model, intake))
        finally:
            model = done = taught = None
            _free()

    def _fresh(self, intake: CheckedRequest) -> Any:
        """Return a copy of the model as it was loaded, on its device and ready to train."""
        from unteach import pipeline
        from unteach.evaluation.of_run import start_of

        request = intake.request
        if request.adapter.bits:  # packed weights are not copied
            return pipeline.load_to_train(request, start_of(intake))
        model = self._copied(request, start_of(intake))
        return model.float() if request.adapter.kind == "full" else model

    def _copied(self, request: Request, path: str) -> Any:
        from unteach.models.loading import pick_device

        kept = self._pristine(request, path)
        return copy.deepcopy(kept).to(pick_device(request.device))

    def _pristine(self, request: Request, path: str) -> Any:
        """Return a model in host memory that nothing changes; loaded once."""
        from unteach.models.loading import load_model

        if path not in self._models:
            flag = "--model" if path == request.model else "--base"
            model: Any = load_model(
                path, flag=flag, dtype=request.dtype, device=request.device,
                trust_remote_code=request.trust_remote_code,
            )  # fmt: skip
            self._models[path] = model.to("cpu")
        return self._models[path]


def _train(choice: Choice, settled: Request) -> dict[str, Any]:
    """Return the training settings of a choice; factors are of the method's own."""
    changes: dict[str, Any] = {}
    if choice.rate is not None:
        changes["learning_rate"] = _short((settled.train.learning_rate or 0.0) * choice.rate)
    if choice.weight is not None and settled.train.retain != "none":
        changes["retain_weight"] = _short((settled.train.retain_weight or 0.0) * choice.weight)
    return changes


def _set(intake: CheckedRequest, choice: Choice) -> CheckedRequest:
    """Return a checked request with the numbers of a choice in it."""
    from unteach.methods import build

    request, plain = intake.request, intake.request.method_options  # every option, filled in
    method: Any = build(choice.method, {**plain, **choice.options})
    adapter = request.adapter
    if choice.rank:
        sizes = {"rank": choice.rank, "alpha": 2.0 * choice.rank}
        adapter = adapter.model_copy(update=sizes)
    train = request.train.model_copy(update=_train(choice, request))
    changes = {"train": train, "adapter": adapter}
    changes |= {"method": {"name": method.name, **asdict(method)}}
    return replace(intake, request=request.model_copy(update=changes), method=method)


def _rungs(look: Callable[[Any], Marks], tell: Tell, intake: CheckedRequest) -> list[Any]:
    """Return the callback that judges between steps; none where half a training says nothing."""
    from transformers import TrainerCallback

    from unteach.methods import Method

    method, rounds = intake.method, intake.request.train.rounds or 1
    if method.trains_on == "retain" or type(method).finish is not Method.finish:
        return []

    class Rungs(TrainerCallback):
        at: dict[int, int]

        def on_train_begin(self, args, state, control, **kwargs):
            self.at = {math.ceil(state.max_steps / rounds * k / 4): k for k in QUARTERS}

        def on_step_end(self, args, state, control, model=None, **kwargs):
            quarter = self.at.get(state.global_step)
            if quarter is None or model is None:
                return
            training = model.training
            marks = look(model.eval())
            model.train(training)
            if tell(quarter, marks):
                raise GivenUp

    return [Rungs()]


def _given(request: Request, path: str | None, flag: str) -> Any:
    """Load a model that is asked once."""
    from unteach.evaluation.loading import load

    assert path is not None
    return load(
        path, path, dtype=request.dtype, device=request.device, bits=request.evaluate.bits,
        trust_remote_code=request.trust_remote_code, flag=flag,
    )  # fmt: skip


def _short(value: float) -> float:
    return float(f"{value:.3g}")


def _free() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
