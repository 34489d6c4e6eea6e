"""Fisher information and the weighted low-rank factors, against their definitions."""

import pytest
import torch
from support import sequences, tiny_llama

from unteach.adapters import LoraSettings, add_lora
from unteach.adapters.factors import row_weights, weighted_factors
from unteach.adapters.fisher import fisher
from unteach.adapters.lora import lora_layers
from unteach.types import Sequence

FORGET = sequences(5, "forget")


def random(*shape: int, seed: int = 0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def weighted_error(weight, w, a, b, scaling):
    return (w[:, None] * (weight - scaling * b @ a)).norm()


def adapted(dtype=torch.float64):
    return add_lora(tiny_llama(dtype=dtype), LoraSettings(rank=2, targets=["q_proj", "down_proj"]))


def test_fisher_is_the_sum_over_samples_written_out():
    model = adapted()
    found = fisher(model, FORGET, lora_layers(model))
    assert len(found) == 4
    for name, layer in lora_layers(model).items():
        weight = layer.get_base_layer().weight
        weight.requires_grad_(True)
        total, tokens = torch.zeros_like(weight), 0
        for s in FORGET:
            logp = model(torch.tensor([s.ids])).logits[0].log_softmax(-1)
            places = [t for t, a in enumerate(s.answer) if a]
            loss = -sum(logp[t - 1, s.ids[t]] for t in places) / len(places)
            (grad,) = torch.autograd.grad(loss, [weight])
            total += len(places) * grad**2
            tokens += len(places)
        # Llama's norms compute in single precision whatever the model's type
        torch.testing.assert_close(found[name], total / tokens, rtol=1e-5, atol=1e-14)


def test_fisher_does_not_depend_on_the_order_or_on_texts_without_an_answer():
    model = adapted()
    found = fisher(model, FORGET, lora_layers(model))
    silent = Sequence("forget-9", (4, 5, 6), (False,) * 3)
    again = fisher(model, [silent, *FORGET[::-1]], lora_layers(model))
    for name, expected in found.items():
        torch.testing.assert_close(again[name], expected, rtol=1e-9, atol=1e-20)


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_a_batch_squares_the_gradient_of_its_mean_as_the_authors_do(batch):
    """Their loop in full: mean loss of the batch, squared gradient, times its labels; over all."""
    model = adapted()
    found = fisher(model, FORGET, lora_layers(model), batch=batch)
    batches = [FORGET[k : k + batch] for k in range(0, len(FORGET), batch)]
    for name, layer in lora_layers(model).items():
        weight = layer.get_base_layer().weight
        weight.requires_grad_(True)
        importance, count = torch.zeros_like(weight), 0
        for members in batches:
            losses = []
            for s in members:
                logp = model(torch.tensor([s.ids])).logits[0].log_softmax(-1)
                losses += [-logp[t - 1, s.ids[t]] for t, a in enumerate(s.answer) if a]
            (grad,) = torch.autograd.grad(torch.stack(losses).mean(), [weight])
            importance += len(losses) * grad**2
            count += len(losses)
        torch.testing.assert_close(found[name], importance / count, rtol=1e-4, atol=1e-14)


def test_batches_cancel_where_single_samples_do_not():
    """Two gradients a and b: ((a + b) / 2)^2 is at most (a^2 + b^2) / 2."""
    model = adapted()
    pair = [FORGET[0], Sequence("x", (*FORGET[0].ids[:-1], 7), FORGET[0].answer)]
    single = fisher(model, pair, lora_layers(model))
    together = fisher(model, pair, lora_layers(model), batch=2)
    for name, f in single.items():
        assert (together[name] <= f * (1 + 1e-4) + 1e-14).all()
        assert together[name].sum() < 0.99 * f.sum()


def test_sums_on_another_device_are_the_same_and_stay_there():
    model = adapted(torch.bfloat16)
    here = fisher(model, FORGET, lora_layers(model))
    there = fisher(model, FORGET, lora_layers(model), device="cpu")
    assert all(f.device.type == "cpu" and torch.equal(f, here[n]) for n, f in there.items())


def test_one_gradient_is_alive_at_a_time(monkeypatch):
    from unteach.adapters import fisher as module

    model = adapted()
    weights = [layer.get_base_layer().weight for layer in lora_layers(model).values()]
    alive = []
    into = module.each_gradient

    def watched(*given):
        entered = into(*given)
        for weight in weights:  # called before the one that frees
            weight.requires_grad_(True).register_post_accumulate_grad_hook(
                lambda _: alive.append(sum(w.grad is not None for w in weights))
            )
        return entered

    monkeypatch.setattr(module, "each_gradient", watched)
    module.fisher(model, FORGET, lora_layers(model), batch=2)
    assert len(alive) == len(weights) * 3
    assert set(alive) == {1}


def test_fisher_leaves_the_model_as_it_was():
    model = adapted().train()
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    told = []
    silent = Sequence("forget-9", (4, 5, 6), (False,) * 3)
    for batch in (1, 2):
        given = (model, [silent, *FORGET], lora_layers(model))
        fisher(*given, lambda done, total: told.append((done, total)), batch=batch)
    assert told == [(6, 6), (3, 6), (5, 6), (6, 6)]
    assert model.training
    assert {n for n, p in model.named_parameters() if p.requires_grad} == trained
    assert all(p.grad is None for p in model.parameters())
    model(torch.tensor([[3, 4]])).logits.sum().backward()
    weights = [layer.get_base_layer().weight for layer in lora_layers(model).values()]
    assert all(w.grad is None for w in weights)


def test_half_precision_gradients_are_summed_in_single():
    model = adapted(torch.bfloat16)
    for total in fisher(model, FORGET, lora_layers(model)).values():
        assert total.dtype == torch.float32
        assert total.any()


def test_row_weights_written_out():
    f, r = random(4, 3).square(), random(4, 3, seed=1).square()
    written = [sum(float(f[i, j] / (r[i, j] + 0.5)) for j in range(3)) ** 0.5 for i in range(4)]
    torch.testing.assert_close(row_weights(f, r, 0.5), torch.tensor(written, dtype=f.dtype))


def test_the_weighted_error_is_the_tail_of_the_singular_values():
    weight, w = random(9, 7), random(9, seed=1).abs() * 1e3 + 1e2  # 1e-5 in the divisor is nothing
    a, b = weighted_factors(weight, w, rank=3, scaling=2.0)
    assert (a.shape, b.shape) == ((3, 7), (9, 3))
    tail = torch.linalg.svdvals(w[:, None] * weight)[3:].norm()
    error = weighted_error(weight, w, a, b, 2.0)
    torch.testing.assert_close(error, tail, rtol=1e-9, atol=0.0)


def test_no_other_factors_come_nearer_in_the_weighted_norm():
    weight, w = random(9, 7), random(9, seed=1).abs() * 1e3 + 1e2
    a, b = weighted_factors(weight, w, rank=3, scaling=2.0)
    error = weighted_error(weight, w, a, b, 2.0)
    for seed in range(20):
        da, db = 1e-2 * random(3, 7, seed=seed), 1e-2 * random(9, 3, seed=50 + seed)
        assert weighted_error(weight, w, a + da, b + db, 2.0) > error
        other = random(3, 7, seed=seed)  # any row space, with the best B that it allows
        best = weight @ torch.linalg.pinv(other) / 2.0
        assert weighted_error(weight, w, other, best, 2.0) > error


def test_the_authors_form_is_the_same_number():
    weight, w = random(9, 7), random(9, seed=1).abs()
    u, s, vh = torch.linalg.svd(w[:, None] * weight, full_matrices=False)
    root = (s[:3] / 2.0).sqrt()
    theirs = ((1 / (w + 1e-5))[:, None] * u[:, :3] * root) @ (root[:, None] * vh[:3])
    a, b = weighted_factors(weight, w, rank=3, scaling=2.0)
    torch.testing.assert_close(b @ a, theirs, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(a.norm(dim=1), root)


def test_equal_weights_give_the_plain_truncated_decomposition():
    weight = random(8, 6)
    a, b = weighted_factors(weight, torch.full((8,), 1e6).double(), rank=2, scaling=1.0)
    u, s, vh = torch.linalg.svd(weight, full_matrices=False)
    torch.testing.assert_close(b @ a, u[:, :2] * s[:2] @ vh[:2], rtol=1e-9, atol=1e-9)


def test_large_weights_are_decomposed_alike_for_a_seed_and_near_the_best():
    weight = random(600, 520, dtype=torch.float32) / torch.arange(1, 521)
    state = torch.get_rng_state()
    a, b = weighted_factors(weight, torch.ones(600), rank=4, scaling=1.0, seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    again = weighted_factors(weight, torch.ones(600), rank=4, scaling=1.0, seed=3)
    assert torch.equal(a, again[0])
    best = torch.linalg.svdvals(weight)[4:].norm()
    assert (weight - b @ a).norm() < 1.01 * best


@pytest.mark.parametrize("size", [(300, 200), (700, 600)])
def test_rows_of_no_weight_get_nothing_and_no_rounding_error(size):
    """In single precision U has errors of 1e-7; divided by 1e-5 they would be a row like others."""
    weight = random(*size, dtype=torch.float32)
    w = random(size[0], seed=1, dtype=torch.float32).abs() * 50
    w[::7], w[1::7] = 0, 1e-9
    a, b = weighted_factors(weight, w, rank=4, scaling=2.0)
    assert not b[::7].any()
    assert b[1::7].norm(dim=1).max() < 2e-4 * b[2::7].norm(dim=1).max()
    if min(size) <= 512:
        exact = weighted_factors(weight.double(), w.double(), rank=4, scaling=2.0)
        torch.testing.assert_close(b @ a, (exact[1] @ exact[0]).float(), rtol=1e-3, atol=1e-4)


def test_no_weight_at_all_gives_zeros():
    weights = row_weights(torch.zeros(4, 3), torch.rand(4, 3))
    assert torch.equal(weights, torch.zeros(4))
    a, b = weighted_factors(torch.randn(4, 3), weights, rank=2, scaling=2.0)
    assert torch.equal(a, torch.zeros(2, 3))
    assert torch.equal(b, torch.zeros(4, 2))


def test_a_weight_of_lower_rank_is_taken_whole():
    weight = random(8, 2) @ random(2, 6, seed=1)
    a, b = weighted_factors(weight, torch.full((8,), 1e3).double(), rank=4, scaling=1.0)
    torch.testing.assert_close(b @ a, weight, rtol=1e-7, atol=1e-7)
    assert not a[2:].any()
    assert not b[:, 2:].any()
