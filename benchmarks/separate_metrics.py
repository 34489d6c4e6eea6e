"""Teacher-forced metrics one at a time, each with a forward of its own: what scoring once replaces.

Written from the definitions. Every group but the first makes log-probabilities of the whole batch,
[B, T, V] in float32; `probability` passes labels, so that the model computes its loss too.
"""

import math

import torch
from torch.nn.functional import cross_entropy

IGNORED = -100


def batch_of(sequences):
    """Ids, attention and labels of sequences of one length."""
    ids = torch.tensor([s.ids for s in sequences])
    answer = torch.tensor([s.answer for s in sequences])
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
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
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    labels = batch["labels"][:, 1:]
    return logits[:, :-1].float().log_softmax(-1), labels.clamp(min=0), labels != IGNORED


def of_labels(logp, labels, asked):
    rows = logp.gather(-1, labels[..., None])[..., 0]
    return [row[mask] for row, mask in zip(rows, asked, strict=True)]


def truth_ratio(model, batch):
    """Its part of the ratio: the mean log-probability of each answer."""
    rows = of_labels(*log_probabilities(model, batch))
    return {"mean log-probability": [row.mean().item() for row in rows]}


def memorisation(model, batch):
    logp, labels, asked = log_probabilities(model, batch)
    rows = [h[m] for h, m in zip(logp.argmax(-1) == labels, asked, strict=True)]
    runs = [row.flip(0).long().cumprod(0).sum() / len(row) for row in rows]
    return {
        "exact memorisation": [row.float().mean().item() for row in rows],
        "extraction strength": [run.item() for run in runs],
    }


def min_k(model, batch):
    rows = of_labels(*log_probabilities(model, batch))
    return {"min-k": [least(row) for row in rows]}


def min_k_plus_plus(model, batch):
    logp, labels, asked = log_probabilities(model, batch)
    p = logp.exp()
    mean = (p * logp).sum(-1)
    spread = ((p * logp.square()).sum(-1) - mean.square()).sqrt()
    above = (logp.gather(-1, labels[..., None])[..., 0] - mean) / spread
    return {"min-k++": [least(row[m]) for row, m in zip(above, asked, strict=True)]}


def loss(model, batch):
    rows = of_labels(*log_probabilities(model, batch))
    return {"loss": [-row.mean().item() for row in rows]}


def compressed(model, batch):
    """The numerator; the size under zlib is the text's."""
    rows = of_labels(*log_probabilities(model, batch))
    return {"loss for zlib": [-row.sum().item() for row in rows]}


def least(row, share=0.2):
    return row.sort().values[: max(int(share * len(row)), 1)].mean().item()


GROUPS = (probability, truth_ratio, memorisation, min_k, min_k_plus_plus, loss, compressed)


def of_answers(answers):
    """The same values from what `answer_tokens` gives."""
    from unteach.metrics.membership import lowest
    from unteach.metrics.memorization import strength

    means = [sum(a.logps) / len(a.logps) for a in answers]
    standard = [
        tuple((x - m) / s for x, m, s in zip(a.logps, a.means, a.spreads, strict=True))
        for a in answers
    ]
    return {
        "probability": [math.exp(m) for m in means],
        "mean log-probability": means,
        "exact memorisation": [sum(a.hits) / len(a.hits) for a in answers],
        "extraction strength": [strength(tuple(a.hits)) for a in answers],
        "min-k": [lowest(tuple(a.logps)) for a in answers],
        "min-k++": [lowest(row) for row in standard],
        "loss": [-m for m in means],
        "loss for zlib": [-sum(a.logps) for a in answers],
    }
