"""Find the teacher of a distilling method before training, from the data that are given."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from unteach.errors import Problem, UserError
from unteach.inference import answer_tokens
from unteach.methods import Method, Selection
from unteach.teachers import Teacher, TeacherInputs, Unavailable
from unteach.teachers.holdout import lowest_to_selected
from unteach.training.config import UnlearningConfig
from unteach.types import Sequence

BETTER = "give --base, the model before fine-tuning, or --holdout, texts that it never saw"


@dataclass(frozen=True)
class FoundTeacher:
    """A teacher, and retain sequences for requests without retain data.

    Attributes:
        teacher: the target of distillation on the forget answers.
        made_up: sequences about invented people, used in place of retain data.
    """

    teacher: Teacher
    made_up: list[Sequence]


def find_teaching(
    method: Method,
    model: Any,
    tokenizer: Any,
    forget: list[Sequence],
    retain: list[Sequence],
    holdout: list[Sequence],
    *,
    seed: int,
    base_logps: Callable[[list[Sequence]], list[list[float]]] | None = None,
) -> FoundTeacher:
    """Return the method's teacher for these data, scored with the current model.

    Raises:
        UserError: the data allow no teacher.
    """
    was_training = model.training
    model.eval()
    inputs = TeacherInputs(
        forget=forget,
        retain=retain,
        holdout=holdout,
        tokenizer=tokenizer,
        logps=lambda sequences: logps_of(model, sequences),
        base_logps=base_logps,
        seed=seed,
    )
    try:
        teacher = method.teach(inputs)
        return FoundTeacher(teacher, [] if retain else method.made_up_retain(inputs))
    except Unavailable as error:
        what = f"no teacher for these data: {error}"
        hint = error.hint or BETTER
        raise UserError(Problem(f"method {method.name}", what, hint, "request")) from None
    finally:
        model.train(was_training)


def logps_of(model: Any, sequences: list[Sequence]) -> list[list[float]]:
    """Return the log-probability of each answer token of each sequence, in nats."""
    return [list(answer.logps) for answer in answer_tokens(model, sequences)]


def taught(
    method: Method,
    model: Any,
    tokenizer: Any,
    forget: list[Sequence],
    retain: list[Sequence],
    holdout: list[Sequence],
    args: UnlearningConfig,
) -> tuple[Teacher, list[Sequence]]:
    """Return the teacher and the retain sequences, given or generated.

    If they are generated, `args.retain` becomes "kl", unless it is "none". Raises UserError.
    """
    found = find_teaching(method, model, tokenizer, forget, retain, holdout, seed=args.seed)
    if retain or not found.made_up or args.retain == "none":
        return found.teacher, retain
    args.retain, args.retain_weight = "kl", 1.0
    return found.teacher, found.made_up


def for_selected(
    teacher: Teacher | None,
    method: Method,
    choices: list[Selection] | None,
    model: Any,
    forget: list[Sequence],
) -> Teacher | None:
    """Give the lowest levels of each answer to its selected tokens, if only levels are read.

    The other tokens are held where the original has them: that is their level.

    Args:
        teacher: of the method; None for a method without one.
        method: the unlearning method.
        choices: the tokens of each forget answer that the method selected.
        model: the original, before training.
        forget: the forget sequences.
    """
    only_levels = "teacher_targets" in method.needs() and "teacher_logits" not in method.needs()
    if teacher is None or choices is None or not only_levels:
        return teacher
    targets, was_training = [], model.training
    original = logps_of(model.eval(), forget)
    model.train(was_training)
    for levels, own, choice, sequence in zip(
        teacher.targets, original, choices, forget, strict=True
    ):
        places = [i for i, answer in enumerate(sequence.answer) if answer]
        selected = [i in choice.chosen for i in places]
        lowest = lowest_to_selected(levels, selected)
        targets.append([x if s else y for x, y, s in zip(lowest, own, selected, strict=True)])
    return replace(teacher, targets=targets)


def epsilon(args: UnlearningConfig, model: Any) -> float:
    """Return Adam's epsilon as a number.

    A gradient of the clipping norm spread evenly over n weights has entries of
    `max_grad_norm / sqrt(n)`. With that as epsilon ("auto"), smaller gradients give proportionally
    smaller steps; with torch's 1e-8 even tiny gradients give steps of the full learning rate.
    """
    if args.wanted_epsilon != "auto":
        return args.adam_epsilon if args.wanted_epsilon is None else float(args.wanted_epsilon)  # type: ignore[arg-type]
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return (args.max_grad_norm or 1.0) / math.sqrt(max(trained, 1))
