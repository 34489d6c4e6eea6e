"""Attack the model of a run, after the run has evaluated it."""

from dataclasses import replace
from pathlib import Path

from unteach.attacks._base import Attack
from unteach.attacks._judge import PLAIN
from unteach.attacks._picture import CURVES
from unteach.attacks._plan import (
    AttackRequest,
    CheckedAttack,
    evaluation_of,
    foresee,
    subjects_of,
    unknown,
    whole_models,
)
from unteach.attacks._result import AttackResult, next_command
from unteach.attacks._subject import AttackSubject
from unteach.attacks._write import REPORT, table, write
from unteach.checks.model import CheckedModel
from unteach.checks.request import CheckedRequest
from unteach.checks.request import check as check_request
from unteach.errors import Problem, UserError
from unteach.evaluation.check import CheckedEvaluation, ModelRef
from unteach.evaluation.of_run import settings_of
from unteach.progress import ProgressListener
from unteach.report.attacked import Attacked, Worst
from unteach.settings.request import Request
from unteach.suites import SUITES, Group
from unteach.suites.own import sample
from unteach.types import ROLES

FOLDER = "attacks"
OPTIONS = "attack.options"


def checked(request: Request) -> CheckedRequest:
    """Check a request, its attacks included.

    Raises:
        UserError: all problems.
    """
    wrong, intake = list[Problem](), None
    try:
        foreseen(request)
    except UserError as error:
        wrong += error.problems
    try:
        intake = check_request(request)
    except UserError as error:
        wrong[:0] = error.problems
    if intake and not wrong:
        wrong += _missing(intake)
    notes = [problem for problem in wrong if problem.kind == "note"]
    if intake is None or len(notes) < len(wrong):
        raise UserError(*wrong)
    return replace(intake, notes=(*intake.notes, *notes))


def foreseen(request: Request) -> tuple[Attack, ...]:
    """Return the request's attacks with their options; loads no heavy library.

    Raises:
        UserError: all unknown names, unknown options and bad values; models in shards.
    """
    asked, problems = request.attack, list[Problem]()
    if asked.names:
        problems += whole_models()
    found: tuple[Attack, ...] = ()
    try:
        found = foresee(tuple(asked.names), options_of(request))
    except UserError as error:
        problems += map(_renamed, error.problems)
    if problems:
        raise UserError(*problems)
    return found


def options_of(request: Request) -> dict[str, str]:
    """Return the options of attacks as written on the command line.

    Example:
        >>> made = Request(model="m", forget="f", out="o",
        ...                attack={"options": {"relearn": {"steps": [4, 16], "batch": 8}}})
        >>> options_of(made)
        {'relearn.steps': '4,16', 'relearn.batch': '8'}
    """
    return {
        f"{attack}.{name}": ",".join(map(str, value)) if isinstance(value, list) else str(value)
        for attack, options in request.attack.options.items()
        for name, value in options.items()
    }


def _renamed(problem: Problem) -> Problem:
    """Rename the options in a problem to their names in a request."""
    where = problem.where.replace("--set ", f"--set {OPTIONS}.")
    hint = problem.hint.replace("--set ATTACK.OPTION", f"--set {OPTIONS}.ATTACK.OPTION")
    return replace(problem, where=where, hint=hint)


def _missing(intake: CheckedRequest) -> list[Problem]:
    """Return what the data lack for the attacks; loads no weights."""
    attacks = foreseen(intake.request)
    if not attacks:
        return []
    subject = AttackSubject(
        name="unlearned",
        load=lambda: None,
        tokenizer=intake.tokenizer,
        groups={name: group.examples for name, group in _groups(intake).items()},
        settings=settings_of(intake.request),
        seed=intake.request.train.seed,
    )
    return [_renamed(problem) for one in attacks for problem in one.missing(subject)]


def attack_run(
    intake: CheckedRequest, model: Path, start: str, folder: Path, listener: ProgressListener
) -> AttackResult:
    """Attack the model that a run wrote, and the models that it is compared with.

    The rows of each variant are kept in the folder, so that an interrupted run can resume.

    Args:
        intake: the checked request of the run.
        model: folder of the unlearned model.
        start: the model that its adapters belong to, if the run wrote only adapters.
        folder: folder for the rows of the variants.
        listener: receives progress.

    Raises:
        UserError: writing to disk failed, or a model was changed meanwhile.
    """
    from unteach.attacks.run import carried_out

    request = intake.request
    asked = _asked(request, str(model), folder)
    plan = _plan(intake, asked, model, start)
    notes = [problem for problem in _missing(intake) if problem.kind == "note"]
    found = CheckedAttack(
        asked=asked,
        plan=plan,
        attacks=foreseen(request),
        subjects=subjects_of(asked, plan),
        notes=(*notes, *unknown(asked)),
    )
    result = carried_out(found, listener)
    told = _asked(request, str(request.out), Path(f"{request.out}-attacks"))
    given = told.model_dump(mode="json", exclude={"overwrite", "out"})
    return replace(result, request=given, next=next_command(told, result.worst))


def keep(result: AttackResult, folder: Path) -> Attacked:
    """Write the result beside a run's report; return the report's section on attacks."""
    write(result, folder / FOLDER, parts=False)
    files = [name for name in (REPORT, CURVES) if (folder / FOLDER / name).exists()]
    return section(result, tuple(f"{FOLDER}/{name}" for name in files))


def section(result: AttackResult, beside: tuple[str, ...]) -> Attacked:
    """Return the section of a report on the attacks.

    Args:
        result: the result of the attacks.
        beside: paths of the files with more, relative to the report.
    """
    names = dict.fromkeys(line.attack for line in result.lines)
    lines = {name: line for name in names if (line := result.of(name))}
    return Attacked(
        headline=result.headline,
        worst=result.worst.attack if result.worst else "",
        of={
            name: Worst(
                variant="" if line.variant == PLAIN else line.variant,
                recovery=line.recovery,
                utility=line.kept.get("unlearned"),
                closeness=line.closeness,
            )
            for name, line in lines.items()
        },
        closeness=result.closeness,
        under=result.furthest.attack if result.furthest else "",
        cells=table(result),
        papers=tuple(result.papers.values()),
        notes=result.notes,
        beside=beside,
    )


def _asked(request: Request, model: str, out: Path) -> AttackRequest:
    return AttackRequest(
        model=model,
        forget=request.forget,
        out=out,
        original=request.model,
        retrained=request.retrained,
        retain=request.source("retain"),
        holdout=request.source("holdout"),
        attacks=tuple(dict.fromkeys(request.attack.names)),
        options=options_of(request),
        limit=request.attack.limit,
        seed=request.train.seed,
        max_length=request.data.max_length,
        template=request.data.template,
        max_new_tokens=request.evaluate.max_new_tokens,
        tokens_per_batch=request.evaluate.tokens_per_batch,
        dtype=request.dtype,
        device=request.device,
        trust_remote_code=request.trust_remote_code,
    )


def _plan(
    intake: CheckedRequest, asked: AttackRequest, model: Path, start: str
) -> CheckedEvaluation:
    """Return the checked evaluation of the models; checks of the run are not repeated."""
    from unteach.models.loading import load_config

    request = intake.request
    base = start if (model / "adapter_config.json").exists() else str(model)
    paths = {"original": (request.model, request.model), "unlearned": (str(model), base)}
    if request.retrained:
        paths["retrained"] = request.retrained, request.retrained
    config = load_config(request.model, trust_remote_code=request.trust_remote_code)
    return CheckedEvaluation(
        asked=evaluation_of(asked),
        suite=SUITES.get("own"),
        options={},
        groups=_groups(intake),
        settings=settings_of(request),
        places={
            name: ModelRef(
                path=path, base=under, checked=CheckedModel(config), tokenizer=intake.tokenizer
            )
            for name, (path, under) in paths.items()
        },
    )


def _groups(intake: CheckedRequest) -> dict[str, Group]:
    """Return the examples for evaluation, without the calibrating half of the holdout."""
    limit = intake.request.attack.limit
    return {
        role: Group(examples=sample(intake.groups[role], limit))
        for role in ROLES
        if intake.groups.get(role)
    }


__all__ = ["attack_run", "checked", "foreseen", "keep"]
