"""What ours are measured against computes the same."""

import naive
import pytest
import torch

from unteach import losses

B, T, D, V = 3, 6, 5, 11


@pytest.fixture(scope="module")
def batch():
    """Logits, logits of the model before, and labels of which some do not count."""
    torch.manual_seed(0)
    weight = torch.randn(V, D, dtype=torch.float64)
    hidden, before = torch.randn(2, B, T, D, dtype=torch.float64)
    labels = torch.randint(V, (B, T))
    labels[0, :3] = labels[2, -1] = naive.IGNORED
    return naive.logits_of(hidden, weight), naive.logits_of(before, weight), labels


def rows(logits, labels):
    wanted = labels[:, 1:] != -100
    return logits[:, :-1][wanted], labels[:, 1:][wanted]


def logps(logits, labels):
    z, y = rows(logits, labels)
    answer = torch.arange(B)[:, None].expand(B, T - 1)[labels[:, 1:] != -100]
    return losses.answer_sum(losses.ascent(losses.token_statistics(z, y).log_odds), answer, B)


def test_losses_of_tokens(batch):
    logits, before, labels = batch
    z, y = rows(logits, labels)
    t, _ = rows(before, labels)
    own = losses.token_statistics(z, y)
    pairs = [
        (naive.cross_entropy(logits, labels), losses.cross_entropy(own.log_odds)),
        (naive.undial(logits, before, labels, strength=3.0), losses.undial(z, t, y, strength=3.0)),
        (naive.unilogit(logits, labels), losses.unilogit(own.log_odds, vocabulary=V)),
        (
            naive.inverted_hinge(logits, labels),
            losses.inverted_hinge(own.log_odds, own.runner_up_logp),
        ),
        (naive.kl_to_reference(logits, before, labels), losses.kl_to_reference(z, t)),
    ]
    for found, values in pairs:
        torch.testing.assert_close(found, values.mean())


def test_losses_of_answers(batch):
    logits, before, labels = batch
    now, then = logps(logits, labels), logps(before, labels)
    lengths = (labels[:, 1:] != -100).sum(-1).double()
    up, down = (before, labels, now), (logits, labels, then)
    pairs = [
        (naive.npo(logits, labels, then, beta=0.5), losses.npo(now, then, beta=0.5)),
        (
            naive.simnpo(logits, labels, beta=2.0, margin=0.3),
            losses.simnpo(now, lengths, beta=2.0, margin=0.3),
        ),
        (naive.dpo(up, down, beta=0.5), losses.dpo(then, now, now, then, beta=0.5)),
    ]
    for found, values in pairs:
        torch.testing.assert_close(found, values.mean())
