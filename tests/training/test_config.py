"""What is filled in when the user leaves it open."""

from types import SimpleNamespace

import pytest

from unteach.methods import METHODS, build
from unteach.training.config import UnlearningConfig
from unteach.training.learning_rate import automatic_rate


def width(n):
    return SimpleNamespace(hidden_size=n)


@pytest.mark.parametrize(("size", "adapter", "power", "rate"), [
    (4096, False, 2, 1e-5),
    (4096, True, 2, 1e-4),
    (1024, False, 2, 4e-5),
    (1024, False, 1, 2e-5),
    (128, False, 2, 1e-3),
    (128, True, 2, 1e-3),
    (128, False, 1, 1.6e-4),
])  # fmt: skip
def test_rates(size, adapter, power, rate):
    assert automatic_rate(width(size), adapter=adapter, power=power) == pytest.approx(rate)


def test_gpt2_calls_its_width_otherwise():
    config = SimpleNamespace(n_embd=1024)
    assert automatic_rate(config, adapter=False) == pytest.approx(4e-5)


@pytest.mark.parametrize("name", list(METHODS))
def test_the_trainer_and_the_command_line_decide_alike(name, tmp_path, tiny_folder):
    """What `settle` fills in for Python users is what `resolve` writes into a request."""
    from transformers import AutoConfig, AutoTokenizer

    from unteach.checks.defaults import resolve
    from unteach.settings.request import Request

    config = AutoConfig.from_pretrained(tiny_folder)
    tokenizer = AutoTokenizer.from_pretrained(tiny_folder)
    request = Request(model="m", forget="f", out=tmp_path, retain="r", method={"name": name})
    resolved, _ = resolve(request, build(name, {}), config, tokenizer)
    adapter = resolved.adapter.kind == "lora"
    args = UnlearningConfig(output_dir=str(tmp_path), use_cpu=True)
    args.settle(build(name, {}), config, adapter=adapter, retain=True)
    assert args.learning_rate == pytest.approx(resolved.train.learning_rate)
    assert args.num_train_epochs == resolved.train.epochs
    assert (args.stop_at or 0) == resolved.train.stop_at
    assert args.retain == resolved.train.retain
    if args.retain != "none":
        assert args.retain_weight == resolved.train.retain_weight


def test_what_the_user_gives_stays(tmp_path):
    args = UnlearningConfig(
        output_dir=str(tmp_path), use_cpu=True, learning_rate=3e-6, num_train_epochs=2, retain="kl",
        retain_weight=5.0, stop_at=0)  # fmt: skip
    args.settle(build("ascent", {}), width(64), adapter=False, retain=True)
    assert (args.learning_rate, args.num_train_epochs) == (3e-6, 2)
    assert (args.retain, args.retain_weight) == ("kl", 5.0)
    assert args.stop_at is None
