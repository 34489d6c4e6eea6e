"""The teacher of a method that distils: found before training, read once, shown row by row."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from unteach.engine.batch import FORGET, Batch, Pairs
from unteach.engine.config import UnlearningConfig
from unteach.engine.reference import Reference
from unteach.head import Head
from unteach.losses.seen import Seen
from unteach.methods import Method
from unteach.nouns import Problem, Sequence, UserError
from unteach.probes import answer_tokens
from unteach.teachers import Teacher, TeacherInputs, Unavailable

BETTER = "give --base, the model before fine-tuning, or --holdout, texts that it never saw"


class TeacherRows:
    """The final states of the teacher's model at the answer tokens, with its head.

    Args:
        teacher: what is read, and what is done to it.
        model: the teacher's model, now.
        head: its frozen head, where a copy is at hand.
    """

    def __init__(self, teacher: Teacher, model: Any, head: Head | None = None):
        self.teacher = teacher
        reads = frozenset({"reference_logits"})
        self._states: list[Reference] = []
        for draw in teacher.draws:
            pairs = Pairs(draw.sequences)
            self._states.append(Reference(model, reads, frozenset(), pairs, head=head))
            head = self._states[0].head

    @property
    def head(self) -> Head | None:
        """The head that makes logits of the states."""
        return self._states[0].head

    @property
    def bytes(self) -> int:
        """What is kept of hidden states."""
        return sum(states.bytes for states in self._states)

    def beside(self, seen: dict[str, Seen], batch: Batch) -> dict[str, Seen]:
        """The forget rows with the teacher's states, pairs and targets."""
        if "forget" not in seen:
            return seen
        own = seen["forget"]
        numbers = batch["index"][batch["group"] == FORGET].tolist()
        states = [kept.beside({"forget": own}, batch)["forget"] for kept in self._states]
        pairs = [self._pairs(draw, numbers, own.target) for draw in self.teacher.draws]
        device = own.target.device
        given = replace(
            own,
            teacher_logits=_stacked([rows.reference_logits for rows in states]),
            teacher_pairs=_stacked(_as_wide(pairs)),
            teacher_targets=self._targets(numbers).to(device),
        )
        return {**seen, "forget": given}

    def _pairs(self, draw: Teacher, numbers: list[int], target: Tensor) -> Tensor:
        """[N, S, 2], padded with a pair that changes nothing.

        Where an answer token stayed, although it is one of a name elsewhere (a syllable, or a
        namesake of the stranger), its probability is not exchanged.
        """
        found = [draw.pairs[k] for k in numbers]
        width = max(map(len, found))
        rows = [[*pairs, *[(0, 0)] * (width - len(pairs))] for pairs in found]
        table = torch.tensor(rows, dtype=torch.long).view(len(numbers), width, 2)
        sizes = torch.tensor([len(draw.targets[k]) for k in numbers])
        table = table.repeat_interleave(sizes, 0).to(target.device)
        read = [draw.sequences[k] for k in numbers]
        told = [token for s in read for token, said in zip(s.ids, s.answer, strict=True) if said]
        stayed = target == torch.tensor(told, device=target.device)
        own = (table == target[:, None, None]).any(-1, keepdim=True) & stayed[:, None, None]
        return table.masked_fill(own, 0)

    def _targets(self, numbers: list[int]) -> Tensor:
        """[N], nan where what the model says of the answer token stays."""
        teacher = self.teacher
        nan = float("nan")
        return torch.tensor(
            [x if teacher.set_level[k] else nan for k in numbers for x in teacher.targets[k]]
        )


def _stacked(draws: list[Any]) -> Any:
    """[N, ...] of one draw, [N, K, ...] of several."""
    return draws[0] if len(draws) == 1 else torch.stack(draws, 1)


def _as_wide(tables: list[Tensor]) -> list[Tensor]:
    """Tables of pairs, all as wide as the widest."""
    width = max(table.shape[1] for table in tables)
    return [torch.nn.functional.pad(t, (0, 0, 0, width - t.shape[1])) for t in tables]


@dataclass(frozen=True)
class Teaching:
    """A teacher, and what is held where no retain data are given.

    Attributes:
        teacher: what the forget answers are distilled towards.
        made_up: sequences about made-up strangers, in place of retain data.
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
) -> Teaching:
    """The method's teacher for these data; the model is asked as it is now.

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
        return Teaching(teacher, [] if retain else method.made_up_retain(inputs))
    except Unavailable as error:
        what = f"no teacher for these data: {error}"
        hint = error.hint or BETTER
        raise UserError(Problem(f"method {method.name}", what, hint, "request")) from None
    finally:
        model.train(was_training)


def logps_of(model: Any, sequences: list[Sequence]) -> list[list[float]]:
    """Log-probability of each answer token of each sequence, in nats."""
    return [list(found.logps) for found in answer_tokens(model, sequences)]


def taught(
    method: Method,
    model: Any,
    tokenizer: Any,
    forget: list[Sequence],
    retain: list[Sequence],
    holdout: list[Sequence],
    args: UnlearningConfig,
) -> tuple[Teacher, list[Sequence]]:
    """The teacher, and the retain sequences: those given, or what is made up in their place.

    Where they are made up, `args.retain` becomes "kl", unless it is "none". Raises UserError.
    """
    found = find_teaching(method, model, tokenizer, forget, retain, holdout, seed=args.seed)
    if retain or not found.made_up or args.retain == "none":
        return found.teacher, retain
    args.retain, args.retain_weight = "kl", 1.0
    return found.teacher, found.made_up


def epsilon(args: UnlearningConfig, model: Any) -> float:
    """Adam's epsilon, as a number.

    A gradient of the clipping norm that is spread evenly over n weights has entries of
    `max_grad_norm / sqrt(n)`. With that as epsilon ("auto"), gradients below it make steps in
    proportion, where torch's 1e-8 makes steps of the full learning rate for ever.
    """
    if args.wanted_epsilon != "auto":
        return args.adam_epsilon if args.wanted_epsilon is None else float(args.wanted_epsilon)  # type: ignore[arg-type]
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return (args.max_grad_norm or 1.0) / math.sqrt(max(trained, 1))
