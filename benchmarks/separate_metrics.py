"""Teacher-forced metrics one at a time, each with a forward of its own: what scoring once replaces.

Written from the definitions. Each makes logits of the whole batch, [B, T, V] in float32, and passes
labels, so that the model computes its own loss too. `min_k_plus_plus` has two forwards: one for the
tokens' log-probabilities, one for those of the vocabulary.
"""

import math

import torch
from torch.nn.functional import cross_entropy

IGNORED = -100


def batch_of(sequences):
    """Ids, attention and labels, padded on the right."""
    width = max(len(s.ids) for s in sequences)
    ids = torch.tensor([(*s.ids, *(0,) * (width - len(s.ids))) for s in sequences])
    answer = torch.tensor([(*s.answer, *(False,) * (width - len(s.ids))) for s in sequences])
    attention = torch.tensor([[t < len(s.ids) for t in range(width)] for s in sequences])
    return {
        "input_ids": ids,
        "attention_mask": attention.long(),
        "labels": ids.where(answer, IGNORED),
    }


def probability(model, batch):
    out = model(**batch)
    labels = batch["labels"][:, 1:]
    logits = out.logits[:, :-1].float()
    nll = cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORED, reduction="none")
    return {"probability": (-nll.sum(1) / (labels != IGNORED).sum(1)).exp().tolist()}


def log_probabilities(model, batch):
    """[B, T - 1, V] log p, [B, T - 1] labels with 0 where there is none, and where there is one."""
    logits = model(**batch).logits
    labels = batch["labels"][:, 1:]
    return logits[:, :-1].float().log_softmax(-1), labels.clamp(min=0), labels != IGNORED


def of_labels(logp, labels, asked):
    rows = logp.gather(-1, labels[..., None])[..., 0]
    return [row[mask] for row, mask in zip(rows, asked, strict=True)]


def truth_ratio(model, batch):
    """Its part of the ratio: the mean log-probability of each answer."""
    rows = of_labels(*log_probabilities(model, batch))
    return {"mean log-probability": [row.mean().item() for row in rows]}


def right(model, batch):
    """Of each answer's tokens, which the model would have said."""
    logp, labels, asked = log_probabilities(model, batch)
    return [h[m] for h, m in zip(logp.argmax(-1) == labels, asked, strict=True)]


def exact_memorisation(model, batch):
    return {"exact memorisation": [r.float().mean().item() for r in right(model, batch)]}


def extraction_strength(model, batch):
    rows = right(model, batch)
    runs = [row.flip(0).long().cumprod(0).sum() / len(row) for row in rows]
    return {"extraction strength": [run.item() for run in runs]}


def min_k(model, batch):
    rows = of_labels(*log_probabilities(model, batch))
    return {"min-k": [least(row) for row in rows]}


def min_k_plus_plus(model, batch):
    rows = of_labels(*log_probabilities(model, batch))
    logp, _, asked = log_probabilities(model, batch)
    p = logp.exp()
    mean = (p * logp).sum(-1)
    spread = ((p * logp.square()).sum(-1) - mean.square()).sqrt()
    parts = zip(rows, mean, spread, asked, strict=True)
    return {"min-k++": [least((row - m[at]) / s[at]) for row, m, s, at in parts]}


def loss(model, batch):
    rows = of_labels(*log_probabilities(model, batch))
    return {"loss": [-row.mean().item() for row in rows]}


def compressed(model, batch):
    """The numerator; the size under zlib is the text's."""
    rows = of_labels(*log_probabilities(model, batch))
    return {"loss for zlib": [-row.sum().item() for row in rows]}


def least(row, share=0.2):
    return row.sort().values[: max(int(share * len(row)), 1)].mean().item()


GROUPS = (
    probability,
    truth_ratio,
    exact_memorisation,
    extraction_strength,
    min_k,
    min_k_plus_plus,
    loss,
    compressed,
)


def of_answers(answers):
    """The same values from what `answer_tokens` gives."""
    from unteach.suites.summary import summary
    from unteach.types import TokenScores

    parts = [{name: tuple(part) for name, part in a._asdict().items()} for a in answers]
    found = [summary(TokenScores(**part)) for part in parts]
    means = [one["logp"] for one in found]
    return {
        "probability": [math.exp(m) for m in means],
        "mean log-probability": means,
        "exact memorisation": [one["matched"] for one in found],
        "extraction strength": [one["strength"] for one in found],
        "min-k": [one["min_k"] for one in found],
        "min-k++": [one["min_k_plus_plus"] for one in found],
        "loss": [-m for m in means],
        "loss for zlib": [-sum(a.logps) for a in answers],
    }
