"""One shift, one mask: from a batch and what a model says of it to the rows of each group."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple, get_args

import torch
from torch import Tensor

from unteach.losses.answer_rows import AnswerRows, Over, Term
from unteach.rowengine.batch import ALTERNATE, FORGET, RETAIN, Batch


class BatchOutput(NamedTuple):
    """What a model says of a batch.

    Attributes:
        logits: [B, T, V], or the final states [B, T, D] that the head makes them of; None where
            nothing reads them.
        hidden: [B, T, D] of one layer; None where nothing reads them.
    """

    logits: Tensor | None
    hidden: Tensor | None = None


def look(
    batch: Batch,
    policy: BatchOutput | Tensor,
    before: BatchOutput | Tensor | None = None,
    *,
    prompts: bool = False,
) -> dict[str, AnswerRows]:
    """The answer rows of the groups that the batch has, forget and retain.

    The logits at position t predict token t + 1: this is the only place that knows it. Alternate
    answers and prompts hang at the forget rows.

    Args:
        batch: B sequences of T tokens.
        policy: of the model in training, or its logits alone.
        before: of the model before, where something reads it.
        prompts: give the rows of the prompts too; they may be many.
    """
    outputs = _output(policy), _output(before)
    answer = batch["answer"][:, 1:]
    members = {group: batch["group"] == group for group in (FORGET, RETAIN, ALTERNATE)}
    seen = {}
    if members[RETAIN].any():
        seen["retain"] = _rows(batch, outputs, answer, members[RETAIN])
    if members[FORGET].any():
        alternate = None
        if members[ALTERNATE].any():
            alternate = _rows(batch, outputs, answer, members[ALTERNATE])
        prompt = None
        if prompts:
            prompt = _rows(batch, outputs, asked(batch), members[FORGET])
        forget = _rows(batch, outputs, answer, members[FORGET])
        seen["forget"] = replace(forget, alternate=alternate, prompt=prompt)
    return seen


def restrict(
    seen: AnswerRows,
    reads: frozenset[str],
    *,
    reference_logps: Tensor | None = None,
    alternate_logps: Tensor | None = None,
) -> AnswerRows:
    """What a loss declared under `reads`, and nothing else."""
    logps = {"reference_logps": reference_logps}
    inner = reads & {"reference_logits", "reference_logps"}
    alternate, prompt = seen.alternate, seen.prompt
    if alternate is not None:
        alternate = restrict(alternate, inner, reference_logps=alternate_logps)
    if prompt is not None:
        prompt = restrict(prompt, inner - {"reference_logps"})
    given = {**vars(seen), **logps, "alternate": alternate, "prompt": prompt}
    shown = reads | frozenset(more for read in reads for more in WITH.get(read, ()))
    return replace(seen, **{k: given[k] if k in shown else None for k in DECLARED})


WITH = {"selected": ("ignored",), "teacher_logits": ("teacher_pairs", "teacher_targets")}
DECLARED = (
    "reference_logits",
    "reference_logps",
    "selected",
    "ignored",
    "position",
    "refusal",
    "hidden",
    "reference_hidden",
    "teacher_logits",
    "teacher_pairs",
    "teacher_targets",
    "alternate",
    "prompt",
)


def _output(found: BatchOutput | Tensor | None) -> BatchOutput:
    return found if isinstance(found, BatchOutput) else BatchOutput(found)


def _rows(
    batch: Batch, outputs: tuple[BatchOutput, BatchOutput], rows: Tensor, members: Tensor
) -> AnswerRows:
    """The rows of some members; `rows` is [B, T - 1], shifted."""
    policy, before = outputs
    mask = rows & members[:, None]
    number = torch.cumsum(members, 0) - 1  # of each member within its group
    place = torch.cumsum(rows, 1) - 1
    return AnswerRows(
        logits=policy.logits[:, :-1][mask],  # type: ignore[index]
        target=batch["input_ids"][:, 1:][mask],
        answer_index=number[:, None].expand_as(mask)[mask],
        num_answers=int(members.sum()),
        reference_logits=None if before.logits is None else before.logits[:, :-1][mask],
        selected=batch["selected"][:, 1:][mask],
        ignored=batch["ignored"][:, 1:][mask],
        position=place[mask],
        refusal=batch["refusal"][:, 1:][mask],
        # A hidden state belongs to the token it stands at, not to the one it predicts.
        hidden=None if policy.hidden is None else policy.hidden[:, 1:][mask],
        reference_hidden=None if before.hidden is None else before.hidden[:, 1:][mask],
    )


def asked(batch: Batch) -> Tensor:
    """[B, T - 1] bool, where a prompt's token is predicted; its first token never is."""
    attended = batch["attention_mask"].bool()
    return attended[:, 1:] & attended[:, :-1] & ~batch["answer"][:, 1:]


COUNTED: tuple[tuple[str, Over], ...] = (
    *(("forget", over) for over in get_args(Over)),
    ("retain", "answers"),
    ("retain", "tokens"),
)


def count(batches: list[Batch]) -> Tensor:
    """How much of each kind the batches of a step hold, in the order of `COUNTED`."""
    totals = torch.zeros(len(COUNTED), dtype=torch.float64)
    for batch in batches:
        for k, (group, over) in enumerate(COUNTED):
            totals[k] += _counted(batch, group, over)
    return totals


def _counted(batch: Batch, group: str, over: Over) -> Tensor:
    wanted = RETAIN if group == "retain" else ALTERNATE if over == "alternate" else FORGET
    members = ((batch["group"] == wanted) & ~batch["spare"]).cpu()
    if over == "answers":
        return members.sum()
    answer = batch["answer"][:, 1:].cpu()
    chosen, ignored = batch["selected"][:, 1:].cpu(), batch["ignored"][:, 1:].cpu()
    marks = {
        "tokens": answer,
        "alternate": answer,
        "selected": answer & chosen,
        "unselected": answer & ~chosen & ~ignored,
        "prompt": asked(batch).cpu(),
    }
    return marks[over][members].sum()


def reduce(term: Term, group: str, counts: Tensor) -> Tensor:
    """The one mean: the term's sum over the count of the whole step, times its weight."""
    over = term.over if isinstance(term.over, Mapping) else {term.over: 1.0}
    found = [times * counts[COUNTED.index((group, kind))] for kind, times in over.items()]
    total = torch.stack(found).sum().to(term.values.device)
    total = torch.where(total > 0, total, 1).to(term.values.dtype)
    return term.weight * term.values.sum() / total
