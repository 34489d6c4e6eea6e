"""Define divergences between rows of two models, with gradients in closed form.

`z` are the logits of the model in training, `t` those of the reference model, p and q their
softmax; r and s are p and q without the target, renormalised. Every `read` gets float32 or better.
"""

import math

import torch
from torch import Tensor

from unteach.losses.byrows import RowFunction
from unteach.losses.statistics import others_lse


def _lse(logits: Tensor) -> Tensor:
    shift = logits.amax(-1, keepdim=True).clamp(min=torch.finfo(logits.dtype).min)
    return (logits - shift).exp_().sum(-1).log_().add_(shift.squeeze(-1))


def _column(values: Tensor) -> Tensor:
    return values.unsqueeze(-1)


def _read_kl(z: Tensor, t: Tensor) -> tuple[Tensor, ...]:
    """Summed as q (log q - log p) directly: differences of large sums lose a small KL."""
    gap = t.log_softmax(-1).sub_(z.log_softmax(-1))
    return (gap.mul_(t.softmax(-1)).sum(-1),)


def _pull_kl(z: Tensor, t: Tensor, grad: Tensor) -> Tensor:
    return _difference(z.softmax(-1), t.softmax(-1)).mul_(_column(grad))


def _difference(p: Tensor, q: Tensor) -> Tensor:
    """Return p - q; where p is above 1/2, as minus the sum of the other differences.

    For a memorised token p and q are near 1, and subtracting them loses all digits.
    """
    known = (p - 0.5).ceil_().clamp_(min=0)  # 1 or 0: a mask of booleans is slower
    others = p.sub_(q)
    others.addcmul_(others, known, value=-1)
    return others.addcmul_(known, others.sum(-1, keepdim=True), value=-1)


def _lowered(t: Tensor, target: Tensor, strength: Tensor) -> Tensor:
    return t.scatter_add(-1, _column(target), -_column(strength))


def _read_undial(z: Tensor, t: Tensor, target: Tensor, strength: Tensor) -> tuple[Tensor, ...]:
    q = _lowered(t, target, strength).softmax(-1)
    return (q.mul_(z.log_softmax(-1)).sum(-1).neg_(),)


def _pull_undial(z: Tensor, t: Tensor, target: Tensor, strength: Tensor, grad: Tensor) -> Tensor:
    return _pull_kl(z, _lowered(t, target, strength), grad)


def _read_jensen_shannon(z: Tensor, t: Tensor) -> tuple[Tensor, ...]:
    lse_z, lse_t = _lse(z), _lse(t)
    log_p, log_q = z - _column(lse_z), t - _column(lse_t)
    log_m = torch.logaddexp(log_p, log_q).sub_(math.log(2))
    own = log_p.exp().mul_(log_p.sub_(log_m)).sum(-1)
    return (own + log_q.exp().mul_(log_q.sub_(log_m)).sum(-1)) / 2, own, lse_z, lse_t


def _pull_jensen_shannon(
    z: Tensor, t: Tensor, own: Tensor, lse_z: Tensor, lse_t: Tensor, grad: Tensor
) -> None:
    """Gradient p (log p - log m - own) / 2, where own is the mean of log p - log m under p."""
    z.sub_(_column(lse_z))
    log_m = torch.logaddexp(z, t - _column(lse_t)).sub_(math.log(2))
    gap = (z - log_m).sub_(_column(own))
    z.exp_().mul_(gap).mul_(_column(grad / 2))


def _others(logits: Tensor, target: Tensor) -> Tensor:
    """Log-probabilities of all tokens but the target, renormalised; -inf at the target."""
    rest = logits.scatter(-1, _column(target), float("-inf"))
    return rest - _column(others_lse(rest.clone())[2])


def _gap(log_r: Tensor, log_s: Tensor) -> Tensor:
    """Return log r - log s, 0 where r is 0."""
    return torch.where(log_r.isfinite(), log_r - log_s, 0)


def _read_others_reverse(z: Tensor, t: Tensor, target: Tensor) -> tuple[Tensor, ...]:
    log_r, log_s = _others(z, target), _others(t, target)
    value = _gap(log_r, log_s).mul_(log_r.exp()).sum(-1)
    return value, value


def _pull_others_reverse(z: Tensor, t: Tensor, target: Tensor, value: Tensor, grad: Tensor) -> None:
    """Gradient r (log r - log s - KL)."""
    log_r, log_s = _others(z, target), _others(t, target)
    gap = _gap(log_r, log_s).sub_(_column(value))
    z.copy_(log_r.exp_()).mul_(gap).mul_(_column(grad))


def _read_others_forward(z: Tensor, t: Tensor, target: Tensor) -> tuple[Tensor, ...]:
    log_r, log_s = _others(z, target), _others(t, target)
    return (_gap(log_s, log_r).mul_(log_s.exp()).sum(-1),)


def _pull_others_forward(z: Tensor, t: Tensor, target: Tensor, grad: Tensor) -> None:
    """Gradient r - s."""
    s = _others(t, target).exp_()
    z.copy_(_others(z, target)).exp_().sub_(s).mul_(_column(grad))


def _read_others_entropy(z: Tensor, target: Tensor) -> tuple[Tensor, ...]:
    log_r = _others(z, target)
    return (-_gap(log_r, torch.zeros_like(log_r)).mul_(log_r.exp()).sum(-1),)


def _pull_nothing(z: Tensor, *others: Tensor) -> None:
    """The label of CE-U has no gradient."""
    z.zero_()


def _read_flattening(z: Tensor) -> tuple[Tensor, ...]:
    top, where = z.max(-1)
    gap = top - z.mean(-1)
    return gap.square(), where, gap


def _pull_flattening(z: Tensor, where: Tensor, gap: Tensor, grad: Tensor) -> None:
    """Gradient 2 (max - mean) (e_max - 1/V)."""
    slope = _column(2 * gap * grad)
    z.copy_((-slope / z.shape[-1]).expand_as(z))
    z.scatter_add_(-1, _column(where), slope)


KL = RowFunction(1, _read_kl, _pull_kl)
UNDIAL = RowFunction(1, _read_undial, _pull_undial)
JENSEN_SHANNON = RowFunction(1, _read_jensen_shannon, _pull_jensen_shannon)
OTHERS_REVERSE = RowFunction(1, _read_others_reverse, _pull_others_reverse)
OTHERS_FORWARD = RowFunction(1, _read_others_forward, _pull_others_forward)
OTHERS_ENTROPY = RowFunction(1, _read_others_entropy, _pull_nothing)
FLATTENING = RowFunction(1, _read_flattening, _pull_flattening)
