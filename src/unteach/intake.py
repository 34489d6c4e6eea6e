"""Everything that can be wrong with a request, found before a weight is loaded."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from unteach.automatic import AUTO, ELSE, method_of, teacher_problem
from unteach.data import (
    check_data,
    check_tokenizer,
    encode_all,
    read,
    try_tokenizer,
)
from unteach.data.calibration import calibrating_half
from unteach.data.listing import shortened
from unteach.defaults import resolve
from unteach.modelcheck import check_ids, check_model, check_training
from unteach.modelfiles import pin_note, pinned
from unteach.nouns import ROLES, Example, Problem, Sequence, UserError
from unteach.refused import told
from unteach.registry import did_you_mean
from unteach.request import FILE, Request, load
from unteach.rundir import check_out, check_room, overlap
from unteach.unchanged import Ages, ages_of


@dataclass(frozen=True, kw_only=True)
class Intake:
    """A request that was checked, with what it names.

    Attributes:
        request: with every default filled in.
        method: built with its options.
        tokenizer: of the model.
        groups: the examples of each role that was given.
        sequences: the same in tokens.
        calibration: holdout texts in tokens that set levels in training; none of them is in
            `groups`, which judge the result, unless there are too few to share.
        notes: what the user should know, though nothing is wrong.
        ages: of the models' files, as they were when they were checked.
    """

    request: Request
    method: Any
    tokenizer: Any
    groups: dict[str, list[Example]]
    sequences: dict[str, list[Sequence]]
    calibration: list[Sequence] = field(default_factory=list)
    notes: tuple[Problem, ...] = ()
    ages: Mapping[str, Ages] = field(default_factory=dict)


def check(request: Request) -> Intake:
    """Check everything at once; loads no weights and puts nothing on an accelerator.

    Raises:
        UserError: all problems, requests and data alike.
    """
    from unteach.engine.sensible import insensible
    from unteach.methods import build
    from unteach.models import device_problem

    before = ages_of([request.model, request.retrained, request.base])
    problems = [*_extra(request), *_schedule(request), *_without_adapters(request)]
    problems += [*_memory(request), *_stop(request), *_apart(request)]
    _attempt(problems, _deal, request)
    problems += [problem] if (problem := device_problem(request.device)) else []
    method = _attempt(problems, _method, request)
    checked, request = _model(request, "model", problems)
    config, empty = (checked.config, checked.empty) if checked else (None, None)
    tokenizer = _attempt(problems, _tokenizer, request) if config else None
    if request.retrained:
        _, request = _model(request, "retrained", problems)
    problems += insensible(request, config)
    groups = _groups(request, problems)
    problems += _attempt(problems, _alternates, request, method, groups) or []
    problems += check_data(groups)
    sequences: dict[str, list[Sequence]] = {}
    wanted, notes = request, list[Problem]()
    if method and config and tokenizer:
        request, notes = resolve(request, method, config, tokenizer)
        problems += notes
        problems += _attempt(problems, check_training, request.adapter, method, empty) or []
        problems += check_tokenizer(tokenizer, groups, request.data.template)
        if not _hopeless(problems):
            problems += try_tokenizer(tokenizer, groups, request.data.template)
        for role, examples in groups.items() if not _hopeless(problems) else ():
            sequences[role], found = encode_all(
                examples,
                tokenizer,
                max_length=request.data.max_length or 2048,
                template=request.data.template,
            )
            problems += found
        problems += check_ids(empty, tokenizer, sequences)
        _attempt(problems, _choice, method, sequences.get("forget", []), request.train.seed)
    calibration: list[Sequence] = []
    if sequences.get("holdout"):
        calibration, found = calibrating_half(groups, sequences)
        problems += found
    if method and not _hopeless(problems):
        found = teacher_problem(wanted, method, sequences, calibration, tokenizer)
        if found and found.kind == "request" and wanted.method_name == AUTO:
            method = build(ELSE, {})
            problems[:] = [problem for problem in problems if problem not in notes]
            request, notes = resolve(wanted, method, config, tokenizer)
            problems += notes
            found = replace(found, where="--method", what=f"auto is {ELSE} here: {found.what}")
            found = replace(found, kind="note")
        problems += [found] if found else []
    if request.base and method and tokenizer and config:
        problems += _attempt(problems, _base, request, method, config, tokenizer) or []
    if not _repeats(request):
        unfit = check_out(request.out, overwrite=request.overwrite)
        problems += unfit or check_room(request.out, _written(request))
    notes = tuple(p for p in problems if p.kind == "note")
    if len(notes) < len(problems):
        raise UserError(*sorted(problems, key=lambda p: p.kind == "note"))
    return Intake(
        request=request,
        method=method,
        tokenizer=tokenizer,
        groups=groups,
        sequences=sequences,
        calibration=calibration,
        notes=notes,
        ages=before,
    )


def _deal(request: Request) -> None:
    """That the processes at work can share a step."""
    from accelerate import PartialState

    from unteach.engine.deal import dealt

    dealt(request.train.batch, request.train.accumulation, PartialState().num_processes)


def _apart(request: Request) -> list[Problem]:
    """Inputs that the result would replace."""
    named = [("--model", request.model), ("--retrained", request.retrained)]
    named += [("--base", request.base)]
    named += [(f"--{role}", getattr(request, role)) for role in ROLES]
    named += [(f"evaluate.also.{name}", file) for name, file in request.evaluate.also.items()]
    named += [("--plugin", plugin) for plugin in request.plugins]
    return overlap(request.out, [*named, ("data.refusals", request.data.refusals)])


def _repeats(request: Request) -> bool:
    """Whether the result in `out` is of this request; whether of these data, the run finds out.

    Then nothing is to be written, so it may stand where nothing can be.
    """
    try:
        return not request.overwrite and load(request.out / FILE).asked() == request.asked()
    except UserError:
        return False


def _base(request: Request, method: Any, config: Any, tokenizer: Any) -> list[Problem]:
    """What keeps the base model from being the teacher. Raises UserError where it is no model."""
    from unteach.models import load_tokenizer
    from unteach.teachers.base import unlike

    base, own = str(request.base), request.trust_remote_code
    if "teacher_logits" not in method.needs():
        what = f"{method.name} has no teacher, so the base model is not read"
        hint = "take --method unseen, or drop --base"
        return [Problem(f"--base {base}", what, hint, "note")]
    checked = check_model(base, "--base", trust_remote_code=own, device=request.device)
    theirs = load_tokenizer(base, trust_remote_code=own)
    what, hint = unlike((checked.config, theirs), (config, tokenizer))
    return [Problem(f"--base {base}", what, hint, "request")] if what else []


def _written(request: Request) -> int:
    """Bytes of the weights that a run writes at the least; 0 where that is not known here."""
    if request.adapter_only or request.dtype != "auto":
        return 0
    return sum(file.stat().st_size for file in Path(request.model).glob("model*.safetensors"))


def _hopeless(problems: list[Problem]) -> bool:
    """Whether the tokenizer itself is at fault: then every example would say so again."""
    return any(p.where in ("tokenizer", "data.template") and p.kind != "note" for p in problems)


def _attempt(problems: list[Problem], function: Any, *args: Any) -> Any:
    try:
        return function(*args)
    except UserError as error:
        problems += error.problems
        return None


def _method(request: Request) -> Any:
    from unteach.methods import load_plugin

    for plugin in request.plugins:
        load_plugin(plugin)
    return method_of(request)


def _without_adapters(request: Request) -> list[Problem]:
    """What was asked of adapters, though all weights are to be trained."""
    what = "adapter.kind is full, so there is none"
    hint = "set adapter.kind=lora, or drop "
    asked = [
        ("--adapter-only", request.adapter_only),
        ("--init fila", request.adapter.init == "fila"),
        ("adapter.bits", request.adapter.bits),
    ]
    wrong = [flag for flag, given in asked if given and request.adapter.kind == "full"]
    return [Problem(flag, what, hint + flag, "request") for flag in wrong]


def _stop(request: Request) -> list[Problem]:
    """A level to stop at, or to draw back to, that nothing tells."""
    from unteach.engine.devices import sharding_asked

    train, found = request.train, list[Problem]()
    hint = "give --holdout a file of texts that the model never saw"
    for name, more in (("stop_at", ", or a probability"), ("draw_back", ", or set it to never")):
        if getattr(train, name) == "holdout" and not request.holdout:
            what = "is holdout, and there is none"
            found.append(Problem(f"train.{name}", what, hint + more, "request"))
    if train.draw_back == "holdout" and (shards := sharding_asked(os.environ)):
        what = f"is holdout, and weights in shards ({shards}) are not drawn back"
        found.append(Problem("train.draw_back", what, "leave it out, or take no shards", "request"))
    return found


def _alternates(request: Request, method: Any, groups: dict) -> list[Problem]:
    """What keeps forget examples from having another answer, where the method trains on one."""
    if not method:
        return []
    from unteach.data.alternates import alternates

    file, problems = request.data.refusals, []
    if file and method.alternates not in ("refusals", "generated"):
        what = f"{method.name} trains on no refusals, so the file is not read"
        problems.append(Problem("data.refusals", what, "idk and idk-dpo do", "note"))
    if "alternate" in method.needs():
        problems += alternates(groups.get("forget", []), method.alternates, file, 0)[1]
    return shortened(problems)


def _choice(method: Any, forget: list[Sequence], seed: int) -> None:
    """That some token is chosen, where that is known without asking the model."""
    from unteach.selectors import SELECTORS

    name = method.choosing()
    if not name or not forget or SELECTORS.get(name).asks_model:
        return
    if not any(choice.chosen for choice in method.choose(forget, None, seed)):
        what = f"chooses no token in any of the {len(forget)} forget answers"
        raise UserError(Problem(f"method {method.name}", what, method.nothing, "request"))


def _model(request: Request, name: str, problems: list[Problem]) -> tuple[Any, Request]:
    """A model as checked, and the request with the hub's commit in the model's place."""
    model, flag = getattr(request, name), f"--{name}"
    training = name == "model"
    checked = _attempt(
        problems,
        lambda: check_model(
            model,
            flag,
            trust_remote_code=request.trust_remote_code,
            training=training,
            bits=request.evaluate.bits,
            device=request.device,
        ),
    )
    if not checked:
        return None, request
    problems += checked.notes
    if note := pin_note(model, flag):
        problems.append(note)
    return checked, request.model_copy(update={name: pinned(model)})


def _tokenizer(request: Request) -> Any:
    from unteach.models import load_tokenizer

    return load_tokenizer(request.model, trust_remote_code=request.trust_remote_code)


def _groups(request: Request, problems: list[Problem]) -> dict[str, list[Example]]:
    groups = {}
    sources = {role: getattr(request, role) for role in ROLES} | request.evaluate.also
    for role, source in sources.items():
        if source:
            groups[role], found = read(source, role)
            problems += found
    for name in set(ROLES) & set(request.evaluate.also):
        hint = f"give --{name}, or another name"
        problems.append(Problem(f"evaluate.also.{name}", "is taken", hint, "request"))
    return groups


def _memory(request: Request) -> list[Problem]:
    from unteach.engine.memory import bits_notes, memory_problems

    return [*memory_problems(request), *bits_notes(request)]


def _schedule(request: Request) -> list[Problem]:
    from unteach.engine.config import SCHEDULES, why_no_schedule

    name = request.train.schedule
    if name in SCHEDULES:
        why = why_no_schedule(name, request.train.extra.get("lr_scheduler_kwargs"))
        hint = "set train.extra.lr_scheduler_kwargs={name: value}, or take linear or cosine"
        return [Problem("train.schedule", f"{name}: {why}", hint, "request")] if why else []
    hint = f"{did_you_mean(name, SCHEDULES).strip()} Known: {', '.join(SCHEDULES)}".strip()
    what = f"got {told(name, SCHEDULES)}, which is not a schedule"
    return [Problem("train.schedule", what, hint, "request")]


OWNED = {
    "learning_rate": "train.learning_rate",
    "num_train_epochs": "train.epochs",
    "per_device_train_batch_size": "train.batch",
    "gradient_accumulation_steps": "train.accumulation",
    "seed": "train.seed",
    "lr_scheduler_type": "train.schedule",
    "warmup_steps": "train.warmup",
    "weight_decay": "train.weight_decay",
    "max_grad_norm": "train.max_grad_norm",
    "rounds": "train.rounds",
    "optim": "train.optim",
    "retain": "train.retain",
    "retain_weight": "train.retain_weight",
    "stop_at": "train.stop_at",
    "sam": "train.sam",
    "packing": "train.packing",
    "activation_checkpointing": "train.checkpointing",
    "gradient_checkpointing": "train.checkpointing",
    "refusals": "data.refusals",
    "refusal": "data.refusal",
    "max_length": "data.max_length",
    "template": "data.template",
    "output_dir": "--out",
    "save_strategy": "train.checkpoint_minutes or train.checkpoint_steps",
    "save_steps": "train.checkpoint_steps",
    "save_total_limit": "nothing: the newest checkpoint is kept until the model is written",
    "save_only_model": "nothing: a run cannot go on from weights alone",
    "resume_from_checkpoint": "nothing: the same request goes on by itself",
    "eval_strategy": "nothing: unteach scores the model before and after training",
    "remove_unused_columns": "nothing: the trainer needs it as it is",
}


def _extra(request: Request) -> list[Problem]:
    if not request.train.extra:
        return []
    from unteach.engine.config import UnlearningConfig

    known = [f.name for f in fields(UnlearningConfig)]
    found = []
    for name in request.train.extra:
        where = f"train.extra.{name}"
        if name in OWNED:
            found.append(Problem(where, "has its own setting", f"use {OWNED[name]}", "request"))
        elif name not in known:
            hint = did_you_mean(name, known).strip()
            found.append(Problem(where, "transformers has no such argument", hint, "request"))
    return found or _refused(request)


def _refused(request: Request) -> list[Problem]:
    """What the trainer says of the values; what has a setting of its own is checked elsewhere."""
    from unteach.engine.unlearn import arguments

    plain = {"schedule": "linear", "optim": "sgd"}
    train = request.train.model_copy(update=plain)
    try:
        arguments(request.model_copy(update={"train": train}), "unused")
    except UserError as error:
        return list(error.problems)
    return []
