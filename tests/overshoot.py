"""A tiny model that learns its forget answers, or loses them, and how likely they are then."""

import torch
from support import sequences

from unteach.inference import answer_tokens
from unteach.types import Sequence

FORGET, RETAIN = sequences(8, "forget"), sequences(8, "retain", seed=3)
# Other answers to the same prompts: nothing in the model tells them from the forget answers.
HOLDOUT = [
    Sequence(f"holdout-{k}", (*s.ids[:-3], *((t * 7 + k) % 50 + 3 for t in s.ids[-3:])), s.answer)
    for k, s in enumerate(FORGET)
]


def moved(model, sign, steps):
    """Trained on the forget answers, up or down their likelihood."""
    made = torch.optim.SGD((p for p in model.parameters() if p.requires_grad), lr=0.3)
    for _ in range(steps):
        loss = sum(
            model(
                input_ids=torch.tensor([s.ids]),
                labels=torch.tensor(
                    [[t if a else -100 for t, a in zip(s.ids, s.answer, strict=True)]]
                ),
            ).loss
            for s in FORGET
        )
        (sign * loss / len(FORGET)).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        made.step()
        made.zero_grad()
    return model


def auc(model):
    """Pair by pair: how often a forget answer is likelier per token than a holdout answer."""
    found = answer_tokens(model.eval(), [*FORGET, *HOLDOUT])
    ours, others = (
        [sum(one.logps) / len(one.logps) for one in part]
        for part in (found[: len(FORGET)], found[len(FORGET) :])
    )
    won = [(x > y) + (x == y) / 2 for x in ours for y in others]
    return sum(won) / len(won)
