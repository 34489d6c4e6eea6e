"""Define the request of an attack run, and check it before it starts."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from unteach.attacks._base import ATTACKS, Attack, attack_of, standard_attacks
from unteach.attacks._subject import AttackSubject
from unteach.errors import Problem, UserError
from unteach.evaluation.check import CheckedEvaluation, check
from unteach.evaluation.request import Evaluation
from unteach.evaluation.rows import loader
from unteach.registry import did_you_mean
from unteach.settings.messages import told
from unteach.settings.sections import Count, Section, Seed
from unteach.types import Example

PARTS = "parts"
RESULT = "attacks.json"
OPTION = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?")
WORDINGS = ("paraphrased_question", "paraphrased_questions")


class AttackRequest(Section):
    """The request of an attack run: models, data, attacks and output.

    Attributes:
        model: the unlearned model: a folder or a hub id.
        forget: the forget set: a file or a dataset id.
        out: folder to write to; if it holds an earlier run of attacks, that run is resumed.
        original: the model before unlearning; without it there is no recovery.
        retrained: a model that never saw the forget set: a recovery of 0.
        retain: the retain set, which shows the utility of a model under attack.
        holdout: records like the forget set that no model saw: a recovery of 0 if there is no
            retrained model.
        attacks: names of the attacks; by default all standard ones.
        options: options of the attacks, such as `{"relearn.steps": "4,16"}`.
        limit: maximum number of examples of each group, drawn with seed 0; None for all.
        seed: seed of everything random in the attacks.
        max_length: maximum tokens of one text; None is the model's context length.
        template: how prompt and answer are joined.
        max_new_tokens: maximum tokens of a generated answer.
        tokens_per_batch: padded tokens of one forward.
        overwrite: replace `out` if it holds something else than an earlier run of attacks.
        dtype: data type of the weights.
        device: device of the models; "auto" is the first accelerator, else the CPU.
        trust_remote_code: run the Python code that comes with a model.
    """

    model: str
    forget: str
    out: Path = Path("unteach-attacks")
    original: str | None = None
    retrained: str | None = None
    retain: str | None = None
    holdout: str | None = None
    attacks: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        default_factory=standard_attacks
    )
    options: dict[str, str] = Field(default_factory=dict)
    limit: Count | None = 200
    seed: Seed = 0
    max_length: Annotated[int, Field(ge=8)] | None = None
    template: Literal["auto", "chat", "plain", "none"] = "auto"
    max_new_tokens: Count | None = None
    tokens_per_batch: Count = 4096
    overwrite: bool = False
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str = "auto"
    trust_remote_code: bool = False


def attack_request(**given: Any) -> AttackRequest:
    """Return the request with the given fields; None takes the default.

    Raises:
        UserError: all missing and invalid fields.

    Example:
        >>> attack_request(model="m", forget="f.jsonl", attacks=("int4",)).limit
        200
    """
    try:
        return AttackRequest(**{key: value for key, value in given.items() if value is not None})
    except ValidationError as error:
        raise UserError(*map(_explained, error.errors())) from None


def _explained(error: Any) -> Problem:
    flag = "--" + ".".join(map(str, error["loc"])).replace("_", "-").replace("attacks", "attack")
    if error["type"] == "missing":
        return Problem(flag, "is not given", f"add {flag}", "request")
    return Problem(flag, f"got {told(error['input'])}", error["msg"], "request")


@dataclass(frozen=True, kw_only=True)
class CheckedAttack:
    """A checked attack run.

    Attributes:
        asked: the request.
        plan: models, examples and settings, as in an evaluation.
        attacks: the attacks, in the order given.
        subjects: the models to attack, by name: original, unlearned, retrained.
        notes: what the user should know.
    """

    asked: AttackRequest
    plan: CheckedEvaluation
    attacks: tuple[Attack, ...]
    subjects: dict[str, AttackSubject]
    notes: tuple[Problem, ...] = ()


def foresee(names: tuple[str, ...], options: dict[str, str]) -> tuple[Attack, ...]:
    """Return the attacks with their options; loads no heavy library.

    Args:
        names: names of the attacks.
        options: options as `attack.option` -> value.

    Raises:
        UserError: all unknown names, unknown options and bad values.
    """
    problems, found = list[Problem](), list[Attack]()
    for name in dict.fromkeys(names):
        own = {k.partition(".")[2]: v for k, v in options.items() if k.partition(".")[0] == name}
        try:
            found.append(attack_of(name, own))
        except UserError as error:
            problems += error.problems
    for key in options:
        of, dot, _ = key.partition(".")
        if dot and of in names:
            continue
        known = ", ".join(name for name in names if name in ATTACKS)
        listed = f"write --set ATTACK.OPTION=value, with an attack that is run: {known}"
        hint = f"{did_you_mean(of, list(ATTACKS)).strip()} {listed}".strip()
        where = f"--set {key}" if OPTION.fullmatch(key) else "--set"
        problems.append(Problem(where, "belongs to no attack that is run", hint, "request"))
    if problems:
        raise UserError(*problems)
    return tuple(found)


def checked(asked: AttackRequest) -> CheckedAttack:
    """Check a request; loads no weights.

    Raises:
        UserError: all problems.
    """
    problems = whole_models()
    attacks, plan = (), None
    try:
        attacks = foresee(asked.attacks, asked.options)
    except UserError as error:
        problems += error.problems
    try:
        plan = check(evaluation_of(asked))
    except UserError as error:
        problems += map(_renamed, error.problems)
    notes: list[Problem] = []
    subjects = subjects_of(asked, plan) if plan else {}
    for attack in attacks if subjects else ():
        for problem in attack.missing(subjects["unlearned"]):
            (notes if problem.kind == "note" else problems).append(problem)
    if problems or plan is None:
        raise UserError(*problems)
    found = (*map(_renamed, plan.notes), *notes, *unknown(asked))
    return CheckedAttack(asked=asked, plan=plan, attacks=attacks, subjects=subjects, notes=found)


def whole_models() -> list[Problem]:
    """Return a problem if the launcher shards models; an attack changes a whole one."""
    from unteach.processes.launcher import sharding_asked

    if sharding_asked(os.environ) != "FSDP":
        return []
    what = "puts models in shards, and an attack needs a whole one on each device"
    hint = "start the processes without FSDP: `unteach attack --processes N`, or torchrun"
    return [Problem("--attack", what, hint, "request")]


def unknown(asked: AttackRequest) -> list[Problem]:
    """Return notes on what cannot be known because a model or a file is not given."""
    found = []
    if not asked.original:
        what = "is not given, so the share of forgotten data that is recovered is not known"
        found.append(Problem("--original", what, "give the model before unlearning", "note"))
    if not asked.retrained and asked.holdout:
        what = (
            "is not given, so the holdout is used in its place, and closeness to a model that "
            "never saw the data is not known"
        )
        found.append(
            Problem("--retrained", what, "give a model trained without the forget set", "note")
        )
    if not asked.retrained and not asked.holdout:
        what = "is not given, nor --holdout, so neither recovery nor what can be guessed is known"
        found.append(Problem("--retrained", what, "give one of the two", "note"))
    if not asked.retain:
        what = "is not given, so it is not known whether an attack breaks the model"
        found.append(
            Problem("--retain", what, "give a file of records that the model should keep", "note")
        )
    return found


def is_ours(out: Path) -> bool:
    """Whether a folder holds an earlier run of attacks, which can be resumed."""
    return (out / RESULT).is_file() or (out / PARTS / ".salt").is_file()


def evaluation_of(asked: AttackRequest) -> Evaluation:
    """Return the request as that of an evaluation of the same models and files."""
    roles = {role: getattr(asked, role) for role in ("forget", "retain", "holdout")}
    same = ("original", "retrained", "limit", "max_length", "template", "max_new_tokens",
            "tokens_per_batch", "dtype", "device", "trust_remote_code", "out")  # fmt: skip
    return Evaluation(
        models={"unlearned": asked.model},
        options={role: source for role, source in roles.items() if source},
        overwrite=asked.overwrite or is_ours(asked.out),
        **{name: getattr(asked, name) for name in same},
    )


def _renamed(problem: Problem) -> Problem:
    """Rename the flag --reference-model of `evaluate` to --original in a problem."""
    found = {
        name: getattr(problem, name).replace("--reference-model", "--original")
        for name in ("where", "what", "hint")
    }
    return replace(problem, **found)


def subjects_of(asked: AttackRequest, plan: CheckedEvaluation) -> dict[str, AttackSubject]:
    """Return the models to attack by name, with the data and settings that all share."""
    groups = {
        role: [replace(e, paraphrase="", perturbed=(), alternate="") for e in group.examples]
        for role, group in plan.groups.items()
    }
    wordings = _wordings(asked, groups["forget"]) | _wordings(asked, groups.get("holdout", []))
    before = plan.places.get("original")
    return {
        name: AttackSubject(
            name=name,
            load=merged(loader(place, plan)),
            original=merged(loader(before, plan)) if before else None,
            tokenizer=place.tokenizer,
            groups=groups,
            wordings=wordings,
            settings=plan.settings,
            layers=place.config.get_text_config().num_hidden_layers,
            seed=asked.seed,
        )
        for name, place in plan.places.items()
    }


def merged(load: Callable[[], Any]) -> Callable[[], Any]:
    """Wrap a loader so that adapters are merged into the weights, as before quantisation."""

    def loaded() -> Any:
        model = load()
        if not hasattr(model, "peft_config"):
            return model
        from unteach.adapters import merge

        return merge(model).eval()

    return loaded


def _wordings(asked: AttackRequest, examples: list[Example]) -> dict[str, tuple[str, ...]]:
    """Return other wordings of the questions by example id, from the columns that have them."""
    from unteach.data.readers.sources import records

    roles = {example.id.partition("-")[0] for example in examples}
    found = {}
    for role in roles:
        given, _ = records(str(getattr(asked, role)))
        for number, (_, record) in enumerate(given):
            if isinstance(record, dict) and (texts := _texts(record)):
                found[f"{role}-{number}"] = texts
    return found


def _texts(record: dict) -> tuple[str, ...]:
    values = [record.get(name) for name in WORDINGS]
    each = [x for value in values for x in (value if isinstance(value, list) else [value])]
    return tuple(text for text in each if isinstance(text, str) and text.strip())
