"""Select the logits rows that predict answer tokens, count them, and average terms over them.

All shifting and masking of labels is done here.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple, get_args

import torch
from torch import Tensor

from unteach.losses.answer_rows import BESIDE, DECLARED, AnswerRows, Over, Term
from unteach.rowengine.batch import ALTERNATE, FORGET, REPLAY, RETAIN, Batch


class BatchOutput(NamedTuple):
    """A model's output for a batch.

    Attributes:
        logits: [B, T, V], or final hidden states [B, T, D] in their place; None if nothing reads
            them.
        hidden: [B, T, D], hidden states of one layer; None if nothing reads them.
    """

    logits: Tensor | None
    hidden: Tensor | None = None


def rows_by_group(
    batch: Batch,
    policy: BatchOutput | Tensor,
    before: BatchOutput | Tensor | None = None,
    *,
    prompts: bool = False,
) -> dict[str, AnswerRows]:
    """Return the answer rows of the batch's groups, "forget", "retain" and "replay".

    The logits at position t predict token t + 1; they are shifted here and nowhere else. The forget
    rows hold those of alternate answers and prompts.

    Args:
        batch: B sequences of T tokens.
        policy: output of the model in training, or its logits.
        before: output of the reference model, if something reads it.
        prompts: also select the rows of the prompts; they may be many.
    """
    outputs = _output(policy), _output(before)
    answer = batch["answer"][:, 1:]
    members = {group: batch["group"] == group for group in WANTED.values()}
    seen = {}
    for name in ("retain", "replay"):
        if members[WANTED[name]].any():
            seen[name] = _rows(batch, outputs, answer, members[WANTED[name]])
    if members[FORGET].any():
        alternate = None
        if members[ALTERNATE].any():
            alternate = _rows(batch, outputs, answer, members[ALTERNATE])
        prompt = None
        if prompts:
            prompt = _rows(batch, outputs, prompt_mask(batch), members[FORGET])
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
    """Set every field of the rows to None that the loss did not declare in `reads`."""
    logps = {"reference_logps": reference_logps}
    inner = reads & {"reference_logits", "reference_logps"}
    alternate, prompt = seen.alternate, seen.prompt
    if alternate is not None:
        alternate = restrict(alternate, inner, reference_logps=alternate_logps)
    if prompt is not None:
        prompt = restrict(prompt, inner - {"reference_logps"})
    fields = {**vars(seen), **logps, "alternate": alternate, "prompt": prompt}
    allowed = reads | {name for name, other in BESIDE.items() if other in reads}
    return replace(seen, **{k: fields[k] if k in allowed else None for k in DECLARED})


WANTED = {"forget": FORGET, "retain": RETAIN, "replay": REPLAY, "alternate": ALTERNATE}


def _output(output: BatchOutput | Tensor | None) -> BatchOutput:
    return output if isinstance(output, BatchOutput) else BatchOutput(output)


def _rows(
    batch: Batch, outputs: tuple[BatchOutput, BatchOutput], rows: Tensor, members: Tensor
) -> AnswerRows:
    """Return the selected rows of some sequences; `rows` is a shifted mask [B, T - 1]."""
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
        # A hidden state belongs to the token at its position, not to the one it predicts.
        hidden=None if policy.hidden is None else policy.hidden[:, 1:][mask],
        reference_hidden=None if before.hidden is None else before.hidden[:, 1:][mask],
    )


def prompt_mask(batch: Batch) -> Tensor:
    """Return the mask [B, T - 1] of rows that predict prompt tokens, except each first token."""
    attended = batch["attention_mask"].bool()
    return attended[:, 1:] & attended[:, :-1] & ~batch["answer"][:, 1:]


COUNTED: tuple[tuple[str, Over], ...] = (
    *(("forget", over) for over in get_args(Over)),
    ("retain", "answers"),
    ("retain", "tokens"),
    ("replay", "tokens"),
)


def count(batches: list[Batch]) -> Tensor:
    """Count the answers and tokens in the batches of a step, in the order of `COUNTED`."""
    totals = torch.zeros(len(COUNTED), dtype=torch.float64)
    for batch in batches:
        for k, (group, over) in enumerate(COUNTED):
            totals[k] += _counted(batch, group, over)
    return totals


def _counted(batch: Batch, group: str, over: Over) -> Tensor:
    wanted = WANTED["alternate" if over == "alternate" else group]
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
        "prompt": prompt_mask(batch).cpu(),
    }
    return marks[over][members].sum()


def reduce(term: Term, group: str, counts: Tensor) -> Tensor:
    """Return the term's weight times its sum, divided by its count over the whole step."""
    over = term.over if isinstance(term.over, Mapping) else {term.over: 1.0}
    parts = [times * counts[COUNTED.index((group, kind))] for kind, times in over.items()]
    total = torch.stack(parts).sum().to(term.values.device)
    total = torch.where(total > 0, total, 1).to(term.values.dtype)
    return term.weight * term.values.sum() / total
