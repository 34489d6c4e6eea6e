"""The models of a run, evaluated on its own data: the original, the unlearned, the retrained."""

from dataclasses import replace
from pathlib import Path

from unteach.checks.request import CheckedRequest
from unteach.errors import Problem
from unteach.evaluation.cache import default_folder
from unteach.evaluation.check import CheckedEvaluation, ModelRef
from unteach.evaluation.request import Evaluation
from unteach.evaluation.rows import ask_model, rows_of
from unteach.metrics.earlier import is_forgotten
from unteach.progress import ProgressListener
from unteach.settings.request import Request
from unteach.suites import SUITES, AskSettings, Group
from unteach.suites.ask import ModelAnswers, endless_notes

KEPT = "its numbers were kept by an earlier run or evaluation: it is not asked again"


class RunEvaluation:
    """The evaluation of a run's models; all are asked the same, which is tokenised once.

    Args:
        intake: the checked request of the run.
    """

    def __init__(self, intake: CheckedRequest):
        request = intake.request
        self.request, self._start, self._tokenizer = request, start_of(intake), intake.tokenizer
        # The cache has no texts: where `keep_text` wants them, the models are prompted again.
        self._cache = default_folder() if request.evaluate.cache else None
        self.plan = CheckedEvaluation(
            asked=Evaluation(
                models={"original": request.model},
                keep_text=request.keep_text,
                bits=request.evaluate.bits,
                dtype=request.dtype,
                device=request.device,
                trust_remote_code=request.trust_remote_code,
            ),
            suite=SUITES.get("own"),
            options={},
            groups=_groups(intake),
            settings=settings_of(request),
            places={"original": self._place(request.model)},
            ages=intake.ages,
        )

    def plan_for(self, name: str, path: str) -> CheckedEvaluation:
        """The plan with one more model; the rows of models that were given may be cached."""
        given = name != "unlearned" and not self.request.keep_text
        cache = self._cache if given else None
        places = {**self.plan.places, name: self._place(path)}
        return replace(
            self.plan, asked=self.plan.asked.model_copy(update={"cache": cache}), places=places
        )

    def answers(self, name: str, path: str, listener: ProgressListener) -> ModelAnswers:
        """Score one model, or take its rows from the cache."""
        found = rows_of(name, self.plan_for(name, path), listener)
        if found.counts.get("from") == "cache":
            listener.notes([Problem(f"evaluating: {name}", KEPT, kind="note")])
            listener.notes(endless_notes(found))
        return found

    def _place(self, path: str) -> ModelRef:
        """A model in memory and in messages; an adapter is loaded onto the start of training."""
        base = self._start if Path(path, "adapter_config.json").exists() else path
        return ModelRef(
            path=path, base=base, tokenizer=self._tokenizer, flag=_flag(path, self.request)
        )


def evaluate(path: str, intake: CheckedRequest, listener: ProgressListener) -> ModelAnswers:
    """Score one model on disk as a run does, without the cache."""
    plan = RunEvaluation(intake).plan_for("model", path)
    return ask_model("model", plan, listener)


def settings_of(request: Request) -> AskSettings:
    """How the models of a run are asked."""
    return AskSettings(
        max_length=request.data.max_length or 2048,
        template=request.data.template,
        max_new_tokens=request.evaluate.max_new_tokens,
        tokens_per_batch=request.evaluate.tokens_per_batch,
    )


def _groups(intake: CheckedRequest) -> dict[str, Group]:
    from unteach.suites.own import sample

    limit = intake.request.evaluate.max_examples
    return {
        role: Group(examples=examples if is_forgotten(role) else sample(examples, limit))
        for role, examples in intake.groups.items()
    }


def _flag(path: str, request: Request) -> str:
    """Name of a model in messages: its flag, or "the model in" for one that was written."""
    if path in (request.model, request.retrained):
        return "--model" if path == request.model else "--retrained"
    return "the model in"


def start_of(intake: CheckedRequest) -> str:
    """Path of the model that is trained: `--model`, or `--base` for methods that retrain."""
    request = intake.request
    return str(request.base) if intake.method.trains_on == "retain" else request.model
