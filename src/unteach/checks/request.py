"""Check a whole request before any weights are loaded, and report all problems at once."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unteach.checks.automatic import method_of, teacher_problem, without_teacher
from unteach.checks.defaults import resolve
from unteach.checks.earlier import (
    EarlierData,
    earlier_notes,
    find_earlier,
    nothing_held,
    same_tokens,
    with_earlier,
)
from unteach.checks.gates import gate_problems
from unteach.checks.made_holdout import made_calibration, made_holdout_of
from unteach.checks.model import check_model
from unteach.checks.model_pair import ModelInfo, require_beside, shapes_problem
from unteach.checks.preset import with_preset
from unteach.checks.retraining import could_retrain, retraining_problems
from unteach.checks.token_ids import check_answers, check_refusals
from unteach.checks.trainable import check_training
from unteach.checks.training import training_problems
from unteach.data import (
    check_again,
    check_data,
    check_tokenizer,
    encode_all,
    read,
    try_tokenizer,
)
from unteach.data.calibration import calibrating_half
from unteach.data.halves import second_halves
from unteach.data.listing import shortened
from unteach.data.reworded import reworded
from unteach.errors import Problem, UserError
from unteach.files import check_out, check_room, overlap
from unteach.metrics.earlier import is_earlier
from unteach.models.source import pin_note, pinned
from unteach.models.unchanged import Ages, ages_of
from unteach.settings.request import FILE, MADE, Request, load
from unteach.types import ROLES, Example, Sequence


@dataclass(frozen=True, kw_only=True)
class CheckedRequest:
    """A request that was checked, with its method, tokenizer and examples.

    Attributes:
        request: the request with all defaults.
        method: the method, built with its options.
        tokenizer: of the model.
        groups: examples by role.
        sequences: the same, tokenised.
        calibration: tokenised holdout examples that set levels in training; none of them is in
            `groups`, which evaluate the result, unless there are too few to split.
        forms: tokenised examples by role with their questions in further wordings, trained on too.
        formed: the forget examples among them.
        earlier: earlier requests of the model; those that are asked have a group of their own.
        whole: all examples by role where `groups` has a half of them (`evaluate.half`), else empty.
        notes: notes for the user.
        ages: `ages` of the models' files at the time of the check.
    """

    request: Request
    method: Any
    tokenizer: Any
    groups: dict[str, list[Example]]
    sequences: dict[str, list[Sequence]]
    calibration: list[Sequence] = field(default_factory=list)
    forms: dict[str, list[Sequence]] = field(default_factory=dict)
    formed: list[Example] = field(default_factory=list)
    earlier: tuple[EarlierData, ...] = ()
    whole: dict[str, list[Example]] = field(default_factory=dict)
    notes: tuple[Problem, ...] = ()
    ages: Mapping[str, Ages] = field(default_factory=dict)


def check(request: Request) -> CheckedRequest:
    """Check everything at once; loads no weights and puts nothing on an accelerator.

    Raises:
        UserError: all problems of the request and of the data.
    """
    from unteach.models.loading import device_problem
    from unteach.training.implausible import insensible

    before = ages_of([request.model, request.retrained, request.base])
    problems: list[Problem] = []
    request, problems = _collect(problems, with_preset, request) or (request, problems)
    problems += [*training_problems(request), *_overlapping_inputs(request)]
    problems += [problem] if (problem := device_problem(request.device)) else []
    method = _collect(problems, _method, request)
    checked, request = _model(request, "model", problems)
    config, empty = (checked.config, checked.empty) if checked else (None, None)
    tokenizer = _collect(problems, _tokenizer, request) if config else None
    retrained = None
    if request.retrained:
        retrained, request = _model(request, "retrained", problems)
    problems += insensible(request, config)
    problems += retraining_problems(request, method) if method else []
    groups = _groups(request, problems)
    problems += _collect(problems, _alternates, request, method, groups) or []
    problems += check_data(groups)
    earlier = _collect(problems, find_earlier, request) or ()
    again = {one.request: [*one.examples] for one in earlier if one.examples}
    problems += check_again(groups, {asked.name: found for asked, found in again.items()})
    groups |= {asked.group: found for asked, found in again.items()}
    sequences: dict[str, list[Sequence]] = {}
    wanted, notes = request, list[Problem]()
    problems += request.notes
    if method and config and tokenizer:
        request, notes = resolve(request, method, config, tokenizer)
        problems += notes
        problems += _collect(problems, check_training, request.adapter, method, empty) or []
        problems += check_tokenizer(tokenizer, groups, request.data.template)
        if not _tokenizer_failed(problems):
            problems += try_tokenizer(tokenizer, groups, request.data.template)
        for role, examples in groups.items() if not _tokenizer_failed(problems) else ():
            sequences[role], found = encode_all(
                examples,
                tokenizer,
                max_length=request.data.max_length or 2048,
                template=request.data.template,
            )
            problems += found
        problems += check_answers(
            empty,
            tokenizer,
            groups if not _tokenizer_failed(problems) else {},
            sequences,
            max_length=request.data.max_length or 2048,
            template=request.data.template,
        )
        problems += _collect(problems, _refusals, request, method, empty, tokenizer) or []
        _collect(problems, _choice, method, sequences.get("forget", []), request.train.seed)
        cut = request.data.max_length, request.data.template
        earlier = same_tokens(earlier, groups, sequences, cut) if sequences else earlier
        problems += [*earlier_notes(earlier), *nothing_held(request, earlier)]
        request = with_earlier(request, earlier, method)
    calibration: list[Sequence] = []
    formed = _formed(groups, request)
    forms = _forms(formed, tokenizer, request, problems) if sequences else {}
    if request.holdout == MADE and sequences.get("forget"):
        problems += _collect(problems, made_holdout_of, request, tokenizer, groups, sequences) or []
    whole: dict[str, list[Example]] = {}
    if request.evaluate.half == "second":
        whole, found = second_halves(groups)
        problems += found
    if sequences.get("holdout"):
        calibration, found = calibrating_half(groups, sequences)
        problems += found
        level = {sequence.id for sequence in calibration}
        shown = [s for s in forms.get("holdout", []) if s.id.partition("+")[0] in level]
        forms = {**forms, "holdout": shown} if forms else {}
    if groups.get("forget"):
        both = any(s.id.partition("/")[0] in _holdout_ids(groups) for s in calibration)
        also = list(request.evaluate.also)
        problems += gate_problems(request.gates, groups, shared=both, others=also)
    if method and not _tokenizer_failed(problems):
        found = teacher_problem(wanted, method, sequences, calibration, tokenizer)
        if found and (instead := without_teacher(wanted, found)):
            method, found = instead
            problems[:] = [problem for problem in problems if problem not in notes]
            request, notes = resolve(wanted, method, config, tokenizer)
            request = with_earlier(request, earlier, method)
            problems += notes
        problems += [found] if found else []
    if request.train.draw_back == "made" and sequences.get("forget"):  # the method is settled now
        made = _collect(problems, made_calibration, request, wanted, tokenizer, groups, sequences)
        request, calibration, found = made or (request, calibration, [])
        problems += found
    known = ModelInfo(config, tokenizer) if config and tokenizer else None
    if retrained and known:
        _collect(problems, _check_comparable, request, "retrained", retrained.config, known)
    if request.base and method and known:
        problems += _collect(problems, _base, request, method, known, empty) or []
    if not _is_done(request):
        unfit = check_out(request.out, overwrite=request.overwrite)
        problems += unfit or check_room(request.out, written(request))
    notes = tuple(p for p in problems if p.kind == "note")
    if len(notes) < len(problems):
        raise UserError(*sorted(problems, key=lambda p: p.kind == "note"))
    return CheckedRequest(
        request=request,
        method=method,
        tokenizer=tokenizer,
        groups=groups,
        sequences=sequences,
        calibration=calibration,
        forms=forms,
        formed=formed.get("forget", []),
        earlier=earlier,
        whole=whole,
        notes=notes,
        ages=before,
    )


def replayed(intake: CheckedRequest, known: Collection[str] = ()) -> list[Sequence]:
    """The sequences of earlier requests that training holds; none unless the request wants it.

    Args:
        intake: the checked request.
        known: groups that are known again already: held, they would stay so.
    """
    asked = [one.request.group for one in intake.earlier if one.examples]
    groups = [group for group in asked if group not in known] if intake.request.train.replay else []
    return [sequence for group in groups for sequence in intake.sequences.get(group, [])]


def _formed(groups: dict[str, list[Example]], request: Request) -> dict[str, list[Example]]:
    """The examples with their questions in further wordings, where the request wants some."""
    count, seed = request.train.forms, request.train.seed
    return {role: reworded(groups.get(role, []), count, seed) for role in ROLES if count}


def _forms(
    formed: dict[str, list[Example]], tokenizer: Any, request: Request, problems: list[Problem]
) -> dict[str, list[Sequence]]:
    """The same, tokenised; problems of the questions themselves were reported before."""
    found = {}
    for role, examples in formed.items():
        found[role], _ = encode_all(
            examples,
            tokenizer,
            max_length=request.data.max_length or 2048,
            template=request.data.template,
        )
    if formed and not found["forget"]:
        what = "finds no question in the forget set that could be put in other words"
        problems.append(Problem("train.forms", what, "leave it out", "note"))
    return found


def _overlapping_inputs(request: Request) -> list[Problem]:
    """Find inputs that the result would replace."""
    named = [("--model", request.model), ("--retrained", request.retrained)]
    named += [("--base", request.base)]
    named += [(f"--{role}", request.source(role)) for role in ROLES]
    named += [(f"evaluate.also.{name}", file) for name, file in request.evaluate.also.items()]
    named += [("--plugin", plugin) for plugin in request.plugins]
    named += [("--after", folder) for folder in request.after]
    return overlap(request.out, [*named, ("data.refusals", request.data.refusals)])


def _holdout_ids(groups: Mapping[str, list[Example]]) -> set[str]:
    return {example.id for example in groups.get("holdout", [])}


def _is_done(request: Request) -> bool:
    """Whether `out` holds the result of this request; the run compares the data later.

    Then nothing is written, so `out` need not be writable.
    """
    try:
        return not request.overwrite and load(request.out / FILE).asked() == request.asked()
    except UserError:
        return False


def _base(request: Request, method: Any, model: ModelInfo, empty: Any) -> list[Problem]:
    """Check that the base model can be the teacher or the start of training. Raises UserError."""
    base, remote_code = str(request.base), request.trust_remote_code
    start = method.trains_on == "retain"
    if not method.asks_base() and not start:
        what = f"{method.name} has no teacher that is made of the base model, so it is not read"
        hint = "take --method unseen, or drop --base"
        return [Problem(f"--base {base}", what, hint, "note")]
    checked = check_model(
        base, "--base", trust_remote_code=remote_code, device=request.device, training=start
    )
    _check_comparable(request, "base", checked.config, model)
    unlike = shapes_problem(checked.empty, empty, f"--base {base}") if start else None
    return [unlike] if unlike else could_retrain(request, method)


def _check_comparable(request: Request, name: str, config: Any, model: ModelInfo) -> None:
    """Check that a model can be evaluated on the sequences of `--model`. Raises UserError."""
    require_beside(
        getattr(request, name),
        f"--{name}",
        config,
        model,
        length=request.data.max_length or 2048,
        trust_remote_code=request.trust_remote_code,
    )


def written(request: Request) -> int:
    """Return the minimum bytes of weights that a run writes; 0 if unknown."""
    if request.adapter_only or request.dtype != "auto":
        return 0
    return sum(file.stat().st_size for file in Path(request.model).glob("model*.safetensors"))


def _tokenizer_failed(problems: list[Problem]) -> bool:
    """Whether the tokenizer itself has a problem, which every example would report again."""
    return any(p.where in ("tokenizer", "data.template") and p.kind != "note" for p in problems)


def _collect(problems: list[Problem], function: Any, *args: Any) -> Any:
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


def _alternates(request: Request, method: Any, groups: dict) -> list[Problem]:
    """Find forget examples without an alternate answer, if the method trains on one."""
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


def _refusals(request: Request, method: Any, empty: Any, tokenizer: Any) -> list[Problem]:
    file, one = request.data.refusals, request.data.refusal
    return check_refusals(empty, tokenizer, method, refusals=file, refusal=one)


def _choice(method: Any, forget: list[Sequence], seed: int) -> None:
    """Check that the method selects some token, if its selector does not run the model."""
    from unteach.selectors import SELECTORS

    name = method.choosing()
    if not name or not forget or SELECTORS.get(name).asks_model:
        return
    if not any(choice.chosen for choice in method.choose(forget, None, seed)):
        what = f"chooses no token in any of the {len(forget)} forget answers"
        raise UserError(Problem(f"method {method.name}", what, method.nothing, "request"))


def _model(request: Request, name: str, problems: list[Problem]) -> tuple[Any, Request]:
    """Check a model; return it, and the request with the model's hub commit."""
    model, flag = getattr(request, name), f"--{name}"
    training = name == "model"
    checked = _collect(
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
    from unteach.models.loading import load_tokenizer

    return load_tokenizer(request.model, trust_remote_code=request.trust_remote_code)


def _groups(request: Request, problems: list[Problem]) -> dict[str, list[Example]]:
    groups = {}
    sources = {role: request.source(role) for role in ROLES} | request.evaluate.also
    for role, source in sources.items():
        if source:
            groups[role], found = read(source, role)
            problems += found
    for name in filter(is_earlier, request.evaluate.also):
        what, hint = "is taken by earlier requests", "give another name"
        problems.append(Problem(f"evaluate.also.{name}", what, hint, "request"))
    for name in set(ROLES) & set(request.evaluate.also):
        hint = f"give --{name}, or another name"
        problems.append(Problem(f"evaluate.also.{name}", "is taken", hint, "request"))
    return groups
