"""Numbers that break stop training before the weights do."""

import copy
import math
import re
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from support import tiny_llama
from torch import nn
from trainers import FORGET, RETAIN, answer_logps, lora, trainer, weights
from transformers import AutoModelForCausalLM, TrainerCallback

from unteach.errors import UserError
from unteach.methods import build
from unteach.models.finite import require_numbers
from unteach.rowengine.batch import Pair, Pairs
from unteach.training.config import UnlearningConfig
from unteach.training.resume.checkpoints import CheckpointPace
from unteach.training.safeguards.divergence import DivergenceGuard
from unteach.training.trainer import UnlearningTrainer
from unteach.types import Sequence

NAN, INF = math.nan, math.inf


class Breaks(TrainerCallback):
    """Makes states or their gradient, or a weight, another number in a step."""

    def __init__(self, run, step, *, states=1.0, gradient=1.0, weight=0.0):
        self.run, self.at, self.now = run, step, 0
        self.states, self.gradient, self.weight = states, gradient, weight
        run.model.get_decoder().norm.register_forward_hook(self.forward)
        run.add_callback(self)

    def on_step_begin(self, args, state, control, **kwargs):
        self.now = state.global_step + 1

    def forward(self, module, given, output):
        if self.now != self.at:
            return output
        output = output * self.states
        if output.requires_grad and self.gradient != 1:
            output.register_hook(lambda g: g * self.gradient)
        return output

    def on_optimizer_step(self, args, state, control, **kwargs):
        if self.now == self.at and self.weight:
            next(iter(self.run.model.parameters())).data[0] = self.weight


def stopped(run) -> str:
    """What training says; the weights are as they were before the step."""
    before = {}

    class Before(TrainerCallback):
        def on_step_begin(self, args, state, control, **kwargs):
            before[state.global_step] = weights(run.model).clone()

    run.add_callback(Before())
    with pytest.raises(UserError) as caught:
        run.train()
    assert caught.value.exit_code == 1
    left, as_before = weights(run.model), before[run.state.global_step]
    assert torch.equal(left.nan_to_num(), as_before.nan_to_num())
    return str(caught.value)


def many(tmp_path, name="npo", **options):
    given = {"num_train_epochs": 8, "lr_scheduler_type": "constant", "stop_at": 0}
    return trainer(name, tmp_path, **{**given, **options})


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A model that knows its answers, so that there is something to destroy."""
    model = tiny_llama()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-2)
    for _ in range(40):
        loss = -answer_logps(model, FORGET).mean() / 5
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1
    return model


@pytest.mark.parametrize("value", [NAN, INF])
@pytest.mark.parametrize("options", [{}, {"sam": 0.05}, {"per_device_train_batch_size": 2}])
def test_a_broken_loss_names_step_term_and_examples(value, options, tmp_path):
    cut = {"gradient_accumulation_steps": 4} if "per_device_train_batch_size" in options else {}
    run = many(tmp_path, **options, **cut)
    Breaks(run, 3, states=value)
    said = stopped(run)
    assert re.search(r"step 3: the loss is nan \(term forget", said)
    ids = set(re.findall(r"(?:forget|retain)-\d", said))
    assert ids
    assert "set train.learning_rate=0.001 (it was 0.01)" in said


def test_one_broken_answer_is_named_alone(tmp_path):
    """Where only some answers give no number, the others of the batch are not named."""
    run = many(tmp_path, kept=None, model=tiny_llama(tied=False))
    token = next(t for t in FORGET[5].ids if sum(t in s.ids for s in FORGET) == 1)
    with torch.no_grad():
        run.model.get_input_embeddings().weight[token] = NAN
    assert "in the batch of forget-5\n" in stopped(run)


@pytest.mark.parametrize("make", [tiny_llama, lora], ids=["full", "lora"])
@pytest.mark.parametrize("value", [NAN, INF])
def test_a_broken_gradient_under_a_sound_loss(value, make, tmp_path):
    run = many(tmp_path, model=make())
    Breaks(run, 2, gradient=value)
    said = stopped(run)
    assert "step 2: the gradient's norm is nan, though the loss is a number" in said
    assert "forget-" in said
    assert "more" in said  # eight and five are more than are named


def test_a_gradient_that_explodes(tmp_path):
    run = many(tmp_path)
    Breaks(run, 4, gradient=1e6)
    said = stopped(run)
    assert re.search(r"step 4: the gradient's norm is \d\.\d+e\+\d+; the median of the steps", said)


def test_one_that_is_a_hundred_times_the_others_may_pass(tmp_path):
    run = many(tmp_path, max_grad_norm=1.0)
    Breaks(run, 4, gradient=100.0)
    run.train()
    assert run.state.global_step == 8


@pytest.mark.parametrize("name", ["npo", "ascent", "rmu"])
@pytest.mark.parametrize("rate", [0.5, 1.0])  # above it, none is taken
def test_a_rate_that_destroys_the_model_in_its_first_steps(name, rate, learned, tmp_path):
    model = copy.deepcopy(learned)
    run = many(tmp_path, name, model=model, learning_rate=rate, optim="adamw_torch")
    with pytest.raises(UserError, match=r"step [23]: .*(forget|retain)-\d") as caught:
        run.train()
    suggested = float(re.search(r"learning_rate=(\S+) ", str(caught.value))[1])
    assert suggested <= 1e-3
    assert "stop_at" not in str(caught.value)


@pytest.mark.parametrize(
    ("retain", "costs", "stops"),
    [
        ("nll", [0.1, 4.0], False),
        ("nll", [0.1, 4.2], True),
        ("kl", [0.0, 0.1, 8.3], True),
        ("kl", [0.0, 0.1, 8.1], False),
        ("nll", [4.0, 9.0], False),  # it knew nothing
        ("nll", [0.1, 0.2, 0.3, 0.4, 0.5, 9.0], False),  # PDU does that, and comes back
        ("hidden", [0.1, 99.0], False),  # not in nats
    ],
)
def test_a_retain_loss_beyond_that_of_a_guess(retain, costs, stops):
    """Of 61 tokens: 4.11 nats after the first step, twice that in the next three."""
    watch = guard(retain=retain)
    batch = Pairs(FORGET, RETAIN).collate([Pair(0, 0)])
    said = []
    for step, cost in enumerate(costs):
        watch.on_step_begin(None, SimpleNamespace(global_step=step), None)
        watch.look(batch, 1.0, {}, kept=cost)
        try:
            watch.step(1.0)
        except UserError as error:
            said.append(str(error))
    assert [f"step {len(costs)}: " in text for text in said] == [True] * stops
    assert all("its retain answers cost" in text and "retain-0" in text for text in said)


@pytest.mark.parametrize("asked", ["by transformers", "by us"])
@pytest.mark.parametrize("what", ["loss", "weights"])
def test_no_checkpoint_is_written_in_a_step_with_trouble(what, asked, tmp_path):
    ours = asked == "by us"
    run = many(tmp_path, save_strategy="no" if ours else "steps", save_steps=1)
    if ours:
        run.add_callback(CheckpointPace(1, 5, ""))
    Breaks(run, 3, **({"states": NAN} if what == "loss" else {"weight": NAN}))
    with pytest.raises(UserError, match=r"step 3: .*(loss is nan|weights no numbers)"):
        run.train()
    written = sorted(tmp_path.glob("checkpoint-*"))
    assert [folder.name for folder in written] == ["checkpoint-1", "checkpoint-2"]
    for folder in written:
        found = load_file(folder / "model.safetensors")
        assert all(weight.isfinite().all() for weight in found.values())


def test_a_model_that_is_broken_before_the_first_step(tmp_path):
    model = tiny_llama()
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[2, 3] = NAN
    with pytest.raises(UserError, match=r"in 1 of its tensors.*layers\.1\.mlp\.up_proj"):
        require_numbers(model)
    require_numbers(tiny_llama())
    assert "layers.1.mlp.up_proj" in stopped(many(tmp_path, model=model))
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[2, 3] = 1e200
    assert "largest weight is 1e+200, in model.layers.1.mlp.up" in stopped(
        many(tmp_path, model=model)
    )


def test_float16_is_told_to_be_too_narrow(tmp_path):
    model = tiny_llama(dtype=torch.float16)
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight *= 6e4
    said = stopped(many(tmp_path, model=model))
    assert "float16 ends at 65504: set dtype=bfloat16" in said


def guard(**options) -> DivergenceGuard:
    model = tiny_llama()
    given = {"retain": "nll", "rate": (1e-2, 1e-3), **options}
    return DivergenceGuard(Pairs(FORGET, RETAIN), model, **given)


def scaled(watch: DivergenceGuard, size: float, steps: int) -> float:
    """Steps of a scaler on gradients of that size, which float16 may not hold."""
    weight = nn.Parameter(torch.zeros(1))
    optimizer, scaler = torch.optim.SGD([weight], lr=1e-9), torch.amp.GradScaler("cpu")
    for step in range(steps):
        watch.on_step_begin(None, SimpleNamespace(global_step=step), None)
        optimizer.zero_grad()
        weight.grad = (scaler.scale(torch.tensor([size])).half()).float()
        scaler.unscale_(optimizer)
        watch.step(weight.grad.norm(), scaler)
        scaler.step(optimizer)
        scaler.update()
    return scaler.get_scale()


def test_steps_that_a_scaler_skips_are_its_own_business():
    watch = guard(retain="none")
    assert scaled(watch, 100.0, 40) == 2.0**9
    watch.on_train_end(None, None, None)


def test_gradients_that_no_scale_brings_into_float16():
    with pytest.raises(UserError, match=r"step 18: the gradient overflows float16 for the 18th"):
        scaled(guard(retain="none"), 1e6, 40)
    watch = guard(retain="none")
    scaled(watch, 1e6, 3)
    with pytest.raises(UserError, match=r"in all 3 steps: nothing moved.*\n.*bfloat16"):
        watch.on_train_end(None, None, None)


def test_a_step_without_an_answer(tmp_path):
    empty = [Sequence(f"forget-{k}", (3, 4, 5), (False,) * 3) for k in range(2)]
    run = many(tmp_path, forget=[*FORGET[:2], *empty], per_device_train_batch_size=1)
    with pytest.raises(UserError, match=r"no forget answer has a token, in the batch of forget-"):
        run.train()


@pytest.mark.parametrize("role", ["forget", "retain"])
def test_a_set_of_which_nothing_is_left(role, tiny_folder, tokenizer, tmp_path):
    short = [{"question": "Who?", "answer": "Ada."}]
    rows = {"forget": short, "retain": short}
    rows[role] = [{"question": "Where was Ada born, and when, and why? " * 9, "answer": "Lund."}]
    with pytest.raises(UserError, match=rf"{role}: no answer of the 1 examples begins within 24"):
        UnlearningTrainer(
            AutoModelForCausalLM.from_pretrained(tiny_folder),
            method=build("npo", {}),
            forget_dataset=rows["forget"],
            retain_dataset=rows["retain"],
            args=UnlearningConfig(output_dir=str(tmp_path), use_cpu=True, max_length=24),
            processing_class=tokenizer,
        )


def test_no_forget_example_at_all(tmp_path):
    with pytest.raises(UserError, match="forget_dataset: holds no example"):
        many(tmp_path, forget=[])
