"""Where the losses end, and where one becomes another."""

import math

import plain
import pytest
import torch
from losses.slopes import close, slope

from unteach import losses

V = 7
LOG2 = math.log(2)


def rows(n=12, v=V, seed=0):
    generator = torch.Generator().manual_seed(seed)
    z = 3 * torch.randn(n, v, generator=generator, dtype=torch.float64)
    t = 2 * torch.randn(n, v, generator=generator, dtype=torch.float64)
    return z.requires_grad_(), t, torch.randint(v, (n,), generator=generator)


def margin(z, y):
    return losses.token_statistics(z, y).log_odds


def at(margins):
    return torch.tensor(margins, dtype=torch.float64, requires_grad=True)


# Where the target is certain, and where it is gone.


@pytest.mark.parametrize(
    ("loss", "known", "gone"),
    [
        (losses.cross_entropy, 0, 60),
        (losses.ascent, 0, -60),
        (losses.unlikelihood, 60, 0),
        (lambda m: losses.weighted_ascent(m, beta=1.0), 0, 0),
        (lambda m: losses.satimp(m, saturation=5.0, importance=1.0), 0, 0),
        (losses.jensen_shannon_to_token, 0, LOG2),
        (lambda m: losses.inverted_hinge(m, torch.zeros_like(m)), 2, 0),
        (lambda m: losses.unilogit(m, vocabulary=V), math.log(V), math.log(V / (V - 1))),
    ],
)
def test_values_at_both_ends(loss, known, gone):
    """At p = 1 and p = 0 to 26 digits (log-odds of 60)."""
    close(loss(at([60.0, -60.0])), [known, gone], rtol=1e-12)


def test_forward_unilogit_is_without_bound_at_both_ends():
    """-log(1 - p) (1 - 1/V) where p is 1, -log p / V where p is 0, less the label's entropy."""
    label = [1 / V, (V - 1) / V]
    constant = sum(q * math.log(q) for q in label)
    values = losses.unilogit(at([60.0, -60.0]), vocabulary=V, direction="forward")
    close(values, [constant + 60 * label[1], constant + 60 * label[0]])


@pytest.mark.parametrize("m", [-700.0, -100.0, 100.0, 700.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nothing_is_lost_far_out(m, dtype):
    """Values and slopes stay finite where exp overflows or vanishes."""
    for loss in (
        *(losses.cross_entropy, losses.ascent, losses.unlikelihood),
        lambda x: losses.weighted_ascent(x, beta=1.0),
        lambda x: losses.satimp(x, saturation=5.0, importance=1.0),
        *(losses.jensen_shannon_to_token, lambda x: losses.inverted_hinge(x, torch.zeros_like(x))),
        lambda x: losses.unilogit(x, vocabulary=V),
        lambda x: losses.unilogit(x, vocabulary=V, direction="forward"),
    ):
        x = torch.tensor([m], dtype=dtype, requires_grad=True)
        value = loss(x)
        assert value.isfinite().all()
        assert slope(value, x).isfinite().all()


def test_push_of_each_loss_fades_where_its_paper_says():
    """Slope by the log-odds: ascent grows to 1 as p goes to 0, all others fade."""
    gone = at([-40.0])
    close(slope(losses.ascent(gone), gone), [1.0])
    for loss in (
        losses.unlikelihood,
        losses.jensen_shannon_to_token,
        lambda m: losses.weighted_ascent(m, beta=1.0),
        lambda m: losses.inverted_hinge(m, torch.zeros_like(m)),
        lambda m: losses.unilogit(m, vocabulary=V),
    ):
        assert slope(loss(gone), gone).abs().item() < 1e-14


# Where one becomes another.


def test_weighted_ascent_without_weight_is_ascent():
    z, _, y = rows()
    m = margin(z, y)
    close(losses.weighted_ascent(m, beta=0.0), losses.ascent(m))
    close(slope(losses.weighted_ascent(m, beta=0.0), z), slope(losses.ascent(margin(z, y)), z))


def test_satimp_without_importance_is_weighted_ascent_and_without_both_ascent():
    m = margin(*rows()[::2])
    close(losses.satimp(m, saturation=2.0, importance=0.0), losses.weighted_ascent(m, beta=2.0))
    close(losses.satimp(m, saturation=0.0, importance=0.0), losses.ascent(m))


def test_satimp_by_hand():
    """p = 3/4: (3/4)^5 (1/4) log(3/4) = 0.2373 * 0.25 * -0.2877 = -0.017068."""
    found = losses.satimp(at([math.log(3)]), saturation=5.0, importance=1.0)
    close(found, [0.75**5 * 0.25 * math.log(0.75)])
    assert round(found.item(), 6) == -0.017067


def test_gradient_of_ce_u_is_that_of_unlikelihood():
    z, _, y = rows()
    ours, theirs = losses.ce_u(z, y), losses.unlikelihood(margin(z, y))
    close(slope(ours, z), slope(theirs, z))
    rest = [plain.without(a, b) for a, b in zip(z.tolist(), y.tolist(), strict=True)]
    entropy = -torch.special.entr(torch.tensor(rest, dtype=torch.float64)).sum(-1)
    close(ours + entropy, theirs)  # and the values differ by the label's entropy


@pytest.mark.parametrize("direction", ["reverse", "forward"])
def test_unilogit_to_the_model_itself_is_unilogit(direction):
    z, _, y = rows()
    ours = losses.unilogit(margin(z, y), vocabulary=V, direction=direction)
    full = losses.unilogit_to_reference(z, z, y, direction=direction)
    close(full, ours)
    close(slope(full, z), slope(ours, z))


def test_unilogit_to_reference_rests_at_its_label():
    _, t, y = rows()
    label = [plain.uniform_label(a, b) for a, b in zip(t.tolist(), y.tolist(), strict=True)]
    z = torch.tensor(label, dtype=torch.float64).log().requires_grad_()
    for direction in ("reverse", "forward"):
        value = losses.unilogit_to_reference(z, t, y, direction=direction)
        close(value, torch.zeros(len(y)))
        close(slope(value, z), torch.zeros_like(z))


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0, 100.0])
def test_jensen_shannon_is_between_0_and_log_2_and_symmetric(scale):
    z, t, y = rows(n=200)
    value = losses.jensen_shannon(scale * z, scale * t)
    assert value.min() >= 0
    assert value.max() <= LOG2 + 1e-12
    close(value, losses.jensen_shannon(scale * t, scale * z))
    token = losses.jensen_shannon_to_token(margin(scale * z, y))
    assert token.min() >= 0
    assert token.max() <= LOG2 + 1e-12


def test_jensen_shannon_of_equals_is_0_and_of_strangers_log_2():
    z, _, _ = rows()
    close(losses.jensen_shannon(z, z.detach()), torch.zeros(12))
    sure = torch.tensor([[900.0, 0.0, 0.0]], dtype=torch.float64)
    close(losses.jensen_shannon(sure, sure.flip(-1)), [LOG2])


def test_jensen_shannon_to_token_is_jensen_shannon_to_certainty():
    z, _, y = rows()
    sure = 1e4 * torch.nn.functional.one_hot(y, V).double()
    token = losses.jensen_shannon_to_token(margin(z, y))
    full = losses.jensen_shannon(z, sure)
    close(token, full)
    close(slope(token, z), slope(full, z))


def test_divergences_to_itself_are_0_with_gradient_0():
    z, _, _ = rows()
    for loss in (losses.kl_to_reference, losses.jensen_shannon, losses.squared_distance):
        value = loss(z, z.detach())
        close(value, torch.zeros(12))
        close(slope(value, z), torch.zeros_like(z))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_flattening_of_equal_logits_is_0(dtype):
    z = torch.full((3, V), 2.0, dtype=dtype, requires_grad=True)
    value = losses.flattening(z)
    assert value.tolist() == [0.0, 0.0, 0.0]
    assert slope(value, z).abs().max() == 0


def test_flattening_does_not_see_a_shift():
    z, _, _ = rows()
    close(losses.flattening(z + 5.0), losses.flattening(z))


# The head's padding.


def padded(z, width=5, fill=-1e4):
    return torch.cat([z, z.new_full((len(z), width), fill)], -1)


def test_a_head_padded_with_impossible_tokens_changes_nothing():
    """But Unilogit's 1/V, which counts them, and PDU's mean logit."""
    z, t, y = rows()
    wide, wide_t = padded(z), padded(t)
    a, b = losses.token_statistics(z, y), losses.token_statistics(wide, y)
    close(b.log_odds, a.log_odds)
    close(b.runner_up_logp, a.runner_up_logp)
    close(losses.kl_to_reference(wide, wide_t), losses.kl_to_reference(z, t))
    close(losses.jensen_shannon(wide, wide_t), losses.jensen_shannon(z, t))
    close(losses.undial(wide, wide_t, y, strength=3.0), losses.undial(z, t, y, strength=3.0))
    close(losses.ce_u(wide, y), losses.ce_u(z, y))


def test_unilogit_counts_the_padding_of_the_head():
    z, _, y = rows()
    wide = padded(z)
    value = losses.unilogit(margin(wide, y), vocabulary=V + 5)
    expected = [plain.unilogit(a, b)[0] for a, b in zip(wide.tolist(), y.tolist(), strict=True)]
    close(value, expected)


def test_tokens_that_are_ruled_out_do_not_break_the_statistics():
    """A head may give -inf to entries that are no tokens."""
    z, _, y = rows()
    wide = padded(z, fill=-math.inf)
    m = margin(wide, y)
    close(m, margin(z, y))
    assert slope(losses.ascent(m), z).isfinite().all()
    assert losses.ce_u(wide, y).isfinite().all()


def test_a_vocabulary_of_two():
    """p = sigmoid(z_0 - z_1), and the rival is all there is beside the target."""
    z = torch.tensor([[1.5, -0.5]], dtype=torch.float64)
    found = losses.token_statistics(z, torch.tensor([0]))
    close(found.log_odds, [2.0])
    close(found.runner_up_logp, [0.0])
