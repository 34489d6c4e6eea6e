"""Where other code computes something else: the arithmetic in a few lines, and the page's numbers.

Two answers of unequal length in one padded batch, float64, random logits; by hand from each
project's definition.
"""

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from unteach import losses

PAGE = Path(__file__).resolve().parents[1] / "docs" / "concepts" / "differences.md"
B, T, V = 3, 12, 200
PROMPTS, LENGTHS = (3, 4, 3), (8, 4, 1)  # tokens; what is left of 12 is padding
STRENGTH = 10.0


def said(key: str, *numbers: float) -> None:
    """The page's line of that key has these numbers, to the digits it gives."""
    (line,) = [x for x in PAGE.read_text(encoding="utf-8").splitlines() if f"| {key} |" in x]
    found = re.findall(r"-?\d+\.\d+(?:e-?\d+)?", line.split(f"| {key} |")[1])
    assert len(found) == len(numbers), (found, numbers)
    for text, number in zip(found, numbers, strict=True):
        digits = len(text.split("e")[0].split(".")[1])
        expected = f"{number:.{digits}e}" if "e" in text else f"{number:.{digits}f}"
        assert float(text) == float(expected), f"{key}: {[f'{n:.6g}' for n in numbers]}"


@pytest.fixture
def batch():
    """Logits, those of the model before, and labels with -100 on prompts and padding; shifted."""
    g = torch.Generator().manual_seed(0)
    z, t = 2 * torch.randn(2, B, T, V, generator=g, dtype=torch.float64)
    labels = torch.randint(V - 100, (B, T), generator=g)  # none is V - 100
    for k, (prompt, length) in enumerate(zip(PROMPTS, LENGTHS, strict=True)):
        labels[k, :prompt] = -100
        labels[k, prompt + length :] = -100
    known = labels != -100
    for logits in (z, t):  # the answers are known: p about 0.99
        logits[known, labels[known]] = logits[known].logsumexp(-1) + 4.5
    return z, t, labels


def mean(x: Tensor) -> float:
    return x.mean().item()


def cross_entropy(z: Tensor, q: Tensor) -> Tensor:
    return -(q * z.log_softmax(-1)).sum(-1)


def test_undial(batch):
    """Mean over all positions; and the label -100, used as an index, is entry V - 100."""
    z, t, y = batch
    mask = y != -100
    ours = mean(losses.undial(z[mask], t[mask], y[mask], strength=STRENGTH))
    hot = torch.zeros_like(t).scatter(-1, (y % V)[..., None], 1)  # -100 is V - 100
    every = cross_entropy(z, (t - STRENGTH * hot).softmax(-1))
    right = torch.where(mask[..., None], hot, 0)
    repaired = cross_entropy(z, (t - STRENGTH * right).softmax(-1))
    torch.testing.assert_close(mean(every[mask]), ours)
    assert hot[~mask][:, V - 100].eq(1).all()
    moved = mean((every - repaired)[~mask])
    said("UnDIAL", ours, mean(every), mean(repaired))
    assert moved != 0
    share = mask.sum().item() / mask.numel()
    said("UnDIAL, share of answer tokens", share)


def test_padding_moves_a_mean_over_all_positions(batch):
    """Twelve more padded columns with logits as at the last one."""
    z, t, y = batch
    wide = [torch.cat([x, x[:, -1:].expand(-1, T, -1)], 1) for x in (z, t)]
    flat = mean(losses.kl_to_reference(z.flatten(0, 1), t.flatten(0, 1)))
    more = mean(losses.kl_to_reference(*(x.flatten(0, 1) for x in wide)))
    mask = y != -100
    ours = mean(losses.kl_to_reference(z[mask], t[mask]))
    batchmean = torch.nn.functional.kl_div(
        z.flatten(0, 1).log_softmax(-1),
        t.flatten(0, 1).log_softmax(-1),
        reduction="batchmean",
        log_target=True,
    )
    torch.testing.assert_close(batchmean.item(), flat)
    said("KL on the retain answers", ours, flat)
    said("the same, padded to twice the length", ours, more)


def test_rmu():
    """[b] over [b, 1] is [b, b]; its mean pairs every sum with every length."""
    lengths = torch.tensor([8.0, 4.0, 1.0], dtype=torch.float64)
    even = torch.full((3,), 2.0, dtype=torch.float64) * lengths  # distance 2 at every token
    assert (even / lengths[:, None]).shape == (3, 3)
    said("RMU, every token at distance 2", mean(even / lengths), mean(even / lengths[:, None]))


def test_rmu_weighs_answers_by_their_neighbours():
    """The gradient by a token of answer i should be 1 / (b n_i); it is mean(1 / n_j) / b."""
    lengths = torch.tensor([8.0, 4.0, 1.0], dtype=torch.float64)
    sums = torch.ones(3, dtype=torch.float64, requires_grad=True)
    (wrong,) = torch.autograd.grad((sums / lengths[:, None]).mean(), sums)
    torch.testing.assert_close(wrong, (1 / lengths).mean().expand(3) / 3)
    said("RMU, weight of a token in the longest answer", 1 / 8 / 3, wrong[0].item())


def test_pdu(batch):
    z, _, y = batch
    mask = y != -100
    ours, every = mean(losses.flattening(z[mask])), mean(losses.flattening(z.flatten(0, 1)))
    said("PDU", ours, every)


def test_satimp():
    """p^5 (1 - p) as in the snapshot; p (1 - p)^5 with the two exchanged."""
    p = torch.tensor([0.1, 0.5, 0.9, 0.99], dtype=torch.float64)
    z = (p / (1 - p)).log()
    ours = losses.satimp(z, saturation=5.0, importance=1.0) / losses.ascent(z)
    retrained_alone = losses.satimp(z, saturation=1.0, importance=5.0) / losses.ascent(z)
    torch.testing.assert_close(ours, p**5 * (1 - p))
    torch.testing.assert_close(retrained_alone, p * (1 - p) ** 5)
    for k, label in enumerate(("0.1", "0.5", "0.9", "0.99")):
        said(f"SatImp, weight at p = {label}", ours[k].item(), retrained_alone[k].item())
    grid = torch.linspace(0, 1, 6001, dtype=torch.float64)
    peaks = [grid[w.argmax()].item() for w in (grid**5 * (1 - grid), grid * (1 - grid) ** 5)]
    said("SatImp, where the weight is largest", *peaks)


def test_a_mean_of_micro_batch_means(batch):
    """Answers of 8, 4 and 1 tokens, one a micro-batch: a token of the last counts 8 times."""
    z, _, y = batch
    mask = y != -100
    nll = [
        losses.cross_entropy(losses.token_statistics(z[k][m], y[k][m]).log_odds)
        for k, m in enumerate(mask)
    ]
    # As training goes on tokens differ: the last answer is the least known.
    nll = [x + shift for x, shift in zip(nll, (0.0, 0.5, 2.0), strict=True)]
    ours = mean(torch.cat(nll))
    theirs = sum(mean(x) for x in nll) / 3
    said("micro-batches of one answer", ours, theirs)


def test_npo_of_raw_logits(batch):
    """The log-ratio of raw logits of all entries: at the start every entry is pushed alike."""
    _, t, y = batch
    mask = y != -100
    z = t[mask].clone().requires_grad_()
    raw = -2 / 0.1 * torch.nn.functional.logsigmoid(0.1 * (t[mask] - z)).mean()
    (push,) = torch.autograd.grad(raw, z)
    torch.testing.assert_close(push, torch.full_like(push, push[0, 0].item()))
    lowered = t[mask] - 50.0  # the same distribution, every logit 50 lower
    torch.testing.assert_close(lowered.softmax(-1), t[mask].softmax(-1))
    after = -2 / 0.1 * torch.nn.functional.logsigmoid(0.1 * (t[mask] - lowered)).mean()
    said("NPO of raw logits, before and after lowering all by 50", raw.item(), after.item())
    logps = -torch.stack([x.sum() for x in _nll(t[mask], y[mask]).split(LENGTHS)])
    ours = losses.npo(logps, logps, beta=0.1).mean()
    shifted = -torch.stack([x.sum() for x in _nll(lowered, y[mask]).split(LENGTHS)])
    same = losses.npo(shifted, logps, beta=0.1).mean()
    said("NPO of log-probabilities, the same", ours.item(), same.item())


def _nll(z: Tensor, y: Tensor) -> Tensor:
    return losses.cross_entropy(losses.token_statistics(z, y).log_odds)


def test_jensun_to_two_certainties_at_once(batch):
    """Probability 1 at both refusal tokens, on every position: not a distribution, mass 2."""
    z, _, y = batch
    mask, refusal = y != -100, [3, 5]
    q = torch.zeros(V, dtype=torch.float64)
    q[refusal] = 1.0
    assert q.sum() == 2

    def theirs(p: Tensor) -> Tensor:
        """By their definition, p and q floored at 1e-9."""
        middle, floor = ((p + q) / 2).clamp(min=1e-9), 1e-9
        low_p, low_q = p.clamp(min=floor), q.expand_as(p).clamp(min=floor)
        one = (low_p * (low_p / middle).log()).sum(-1)
        other = (low_q * (low_q / middle).log()).sum(-1)
        return (one + other) / 2

    cycle = torch.tensor(refusal).repeat(T)
    places = torch.cat([cycle[:n] for n in LENGTHS])
    ours = losses.jensen_shannon_to_token(losses.token_statistics(z[mask], places).log_odds)
    said("JensUn", mean(ours), mean(theirs(z.softmax(-1))), mean(theirs(z[mask].softmax(-1))))
    # Where each is smallest: ours 0 at the refusal's token; theirs at a half each, and not 0.
    best = torch.zeros(V, dtype=torch.float64)
    best[refusal] = 0.5
    sure = torch.nn.functional.one_hot(torch.tensor(3), V).double()
    said("JensUn, at the goal", 0.0, theirs(best).item(), theirs(sure).item())
    assert theirs(best) < theirs(sure)


def test_loku_fisher_of_a_batch_mean():
    """Two samples with gradients 1 and -1: each squared is 1, their mean squared is 0."""
    g = torch.tensor([1.0, -1.0], dtype=torch.float64)
    said("LoKU, Fisher of two opposite gradients", (g**2).mean().item(), (g.mean() ** 2).item())


def test_loku_epsilon_beside_a_small_fisher():
    """Forget and retain information 1e-9 and 4e-9; in the ratio 1e-5 is all that is left."""
    forget, retain = 1e-9, 4e-9
    said("LoKU, relative importance", forget / retain, forget / (retain + 1e-5))
    ratio = (forget / (retain + 1e-5)) / (forget * 1e5)
    assert ratio == pytest.approx(1, rel=1e-3)


def test_fila_without_its_adapter_is_another_model():
    """W = base + s B A: switching the adapter off leaves base = W - s B A."""
    g = torch.Generator().manual_seed(0)
    weight = torch.randn(8, 8, generator=g, dtype=torch.float64)
    u, s, v = torch.linalg.svd(weight)
    part = u[:, :2] * s[:2] @ v[:2]
    base = weight - part
    torch.testing.assert_close(base + part, weight)
    said("FILA, share of the weights' norm that is off", (part.norm() / weight.norm()).item())


def test_simnpo_margin_is_theirs_times_beta():
    """beta (nll / n - delta) is beta nll / n - gamma with gamma = beta delta."""
    logps, n = torch.tensor([-6.0], dtype=torch.float64), torch.tensor([3.0], dtype=torch.float64)
    beta, delta = 4.5, 0.3
    theirs = -2 / beta * torch.nn.functional.logsigmoid(beta * (-logps / n - delta))
    ours = losses.simnpo(logps, n, beta=beta, margin=beta * delta)
    torch.testing.assert_close(ours, theirs)
