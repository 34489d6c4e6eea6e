"""Sharpness-aware forgetting: the step made by hand, and what must not change it."""

import math
from pathlib import Path

import pytest
import torch
from families import tiny_gpt2
from support import tiny_llama
from torch import nn
from trainers import (
    CUTS,
    FORGET,
    RETAIN,
    answer_logps,
    gradient,
    lora,
    moved,
    shift,
    trainer,
    weights,
)


def sharp(tmp_path, cut=(8, 1), model=None, **options):
    batch, accumulation = cut
    run = trainer(
        "npo", tmp_path, model=model, sam=0.05, retain="nll", per_device_train_batch_size=batch,
        gradient_accumulation_steps=accumulation, **options)  # fmt: skip
    run.train()
    return run


@pytest.mark.parametrize("make", [tiny_llama, lora, tiny_gpt2], ids=["full", "lora", "gpt2"])
def test_sharpness_aware_by_hand(make, tmp_path):
    """The forget gradient is that at theta + rho g / |g|, the retain gradient that at theta."""
    model = make()
    with torch.no_grad():
        before = answer_logps(model, FORGET)

    def npo():
        ratio = answer_logps(model, FORGET) - before
        return -(2 / 0.1) * nn.functional.logsigmoid(-0.1 * ratio).mean()

    slope = gradient(model, npo())
    shift(model, 0.05 * slope / slope.norm())
    push = gradient(model, npo())
    shift(model, -0.05 * slope / slope.norm())
    assert not torch.allclose(push, slope, rtol=1e-3)

    for cut in CUTS:
        run = sharp(tmp_path, cut, model=make())
        order = [pair.retain for pair in run._get_train_sampler()]
        kept = [RETAIN[k] for k in order]
        hold = gradient(model, -answer_logps(model, kept).sum() / sum(sum(s.answer) for s in kept))
        expected = moved(make()) - 1e-2 * (push + hold)
        # The log-probabilities under the model before are kept in float32.
        torch.testing.assert_close(moved(run.model), expected, rtol=1e-8, atol=1e-8)


def test_without_a_step_the_weights_are_the_same_to_the_bit(tmp_path):
    model = tiny_llama(dtype=torch.float32)
    run = sharp(tmp_path, (2, 2), model=model, learning_rate=0.0, num_train_epochs=2)
    assert torch.equal(weights(run.model), weights(tiny_llama(dtype=torch.float32)))


def test_the_log_has_the_values_at_theta_once(tmp_path):
    """Also over several steps, the last of which has fewer micro-batches than the others."""
    plain = trainer("npo", tmp_path, learning_rate=0.0, per_device_train_batch_size=8)
    plain.train()
    expected = plain.state.log_history[0]
    for cut in CUTS:
        run = sharp(tmp_path, cut, learning_rate=0.0)
        (found,) = [entry for entry in run.state.log_history if "forget" in entry]
        for name in ("forget", "retain", "forget_probability"):
            assert found[name] == pytest.approx(expected[name], rel=1e-6)
    run = sharp(tmp_path, (3, 2), learning_rate=0.0, logging_steps=2)
    (found,) = [entry for entry in run.state.log_history if "forget" in entry]
    assert found["loss"] == pytest.approx(found["forget"] + found["retain"], abs=1e-3)


def test_a_failure_on_the_hill_leaves_no_moved_weights(tmp_path):
    run = trainer("npo", tmp_path, sam=0.05, learning_rate=0.0)
    whole = run._pass

    def fail(part, *args):
        if part == "again":
            raise KeyboardInterrupt
        return whole(part, *args)

    run._pass = fail
    with pytest.raises(KeyboardInterrupt):
        run.train()
    assert torch.equal(weights(run.model), weights(tiny_llama()))


def test_sharpness_needs_no_retain_data_and_goes_with_what_holds(tmp_path):
    for name, kept in (("npo", None), ("dto", None), ("dto", RETAIN), ("pdu", RETAIN)):
        run = trainer(name, tmp_path, sam=0.05, kept=kept, num_train_epochs=2, stop_at=0)
        run.train()
        assert not torch.equal(weights(run.model), weights(tiny_llama()))
        assert math.isfinite(run.state.log_history[-1]["train_loss"])


def test_nothing_is_left_beside_the_runs(tmp_path):
    sharp(tmp_path)
    assert not [p for p in Path(tmp_path).rglob("*") if p.is_file()]
