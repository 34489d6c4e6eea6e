"""Batch texts so that texts with the same prompt are in the same batch."""

from collections.abc import Iterator

from unteach.inference.batches import batches_by_length
from unteach.types import Sequence

Group = list[int]
"""Indices of texts with the same prompt, the longest first."""


def prompt_length(text: Sequence) -> int:
    """Number of tokens before the first answer token."""
    return text.answer.index(True)


def batches_by_prompt(
    texts: list[Sequence], tokens_per_batch: int, *, room: int, worth: float
) -> tuple[list[list[int]], set[int]]:
    """Batches of text indices, and the set of indices whose prompts are forwarded once.

    Texts of that set have batches of their own. The prompts of a batch take one forward, the
    answers another, and neither has more padded tokens than `tokens_per_batch`.

    Args:
        texts: in any order.
        tokens_per_batch: padded tokens of one forward.
        room: padded tokens that the cache holds while the answers are read.
        worth: minimum share of tokens that must be saved; otherwise a group is not formed.

    Example:
        >>> a, b = (Sequence("", (5, 6, 7, n), (False,) * 3 + (True,)) for n in (8, 9))
        >>> other = Sequence("", (5, 7), (False, True))
        >>> batches_by_prompt([a, other, b], 100, room=100, worth=0.25)
        ([[0, 2], [1]], {0, 2})
    """
    groups = [
        part
        for members in _by_prompt(texts)
        for part in _cut(members, texts, tokens_per_batch, room)
        if _is_worth(part, texts, worth)
    ]
    grouped = {i for group in groups for i in group}
    rest = [i for i in range(len(texts)) if i not in grouped]
    plain = batches_by_length([len(texts[i].ids) for i in rest], tokens_per_batch)
    shared = [*_joined(groups, texts, tokens_per_batch, room)]
    return [*shared, *([rest[k] for k in batch] for batch in plain)], grouped


def _by_prompt(texts: list[Sequence]) -> list[Group]:
    groups: dict[tuple[int, ...], Group] = {}
    for i in sorted(range(len(texts)), key=lambda i: (-len(texts[i].ids), i)):
        if any(texts[i].answer):
            groups.setdefault(texts[i].ids[: prompt_length(texts[i])], []).append(i)
    return list(groups.values())


def _cut(members: Group, texts: list[Sequence], tokens: int, room: int) -> Iterator[Group]:
    """Cut a group into parts that each fit into one batch."""
    while members:
        prompt, answer = _sizes(members, texts)
        most = min(room // (prompt + answer), tokens // answer) if prompt <= tokens else 1
        yield members[: max(most, 1)]
        members = members[max(most, 1) :]


def _is_worth(members: Group, texts: list[Sequence], worth: float) -> bool:
    saved = (len(members) - 1) * prompt_length(texts[members[0]])
    return saved > 0 and saved >= worth * sum(len(texts[i].ids) for i in members)


def _sizes(group: Group, texts: list[Sequence]) -> tuple[int, int]:
    """Number of tokens of the prompt, and of the longest answer."""
    prompt = prompt_length(texts[group[0]])
    return prompt, len(texts[group[0]].ids) - prompt


def _joined(
    groups: list[Group], texts: list[Sequence], tokens: int, room: int
) -> Iterator[list[int]]:
    """Join groups into batches by answer length: there are more answers than prompts to pad."""
    sizes = [_sizes(group, texts) for group in groups]
    batch: list[int] = []
    prompts = widest = longest = 0
    for k in sorted(range(len(groups)), key=lambda k: (-sizes[k][1], -sizes[k][0], groups[k])):
        prompt, answer = sizes[k]
        widest, longest = max(widest, prompt), max(longest, answer)
        count = len(batch) + len(groups[k])
        forwards = max((prompts + 1) * widest, count * longest)
        if batch and (forwards > tokens or count * (widest + longest) > room):
            yield batch
            batch, prompts, widest, longest = [], 0, prompt, answer
        batch, prompts = batch + groups[k], prompts + 1
    if batch:
        yield batch
