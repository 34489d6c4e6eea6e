"""The trainer: what must hold of whole steps and of whole runs."""

import pytest
import torch
from support import Vocabulary, tiny_llama
from trainers import FORGET, trainer, weights

from unteach.errors import UserError
from unteach.inference import answer_tokens
from unteach.methods import METHODS, build
from unteach.training.config import UnlearningConfig
from unteach.training.trainer import UnlearningTrainer


@pytest.mark.parametrize(
    ("name", "retain"), [*((name, "kl") for name in METHODS), ("npo", "nll"), ("unilogit", "nll")]
)
def test_accumulation_changes_nothing(name, retain, tmp_path):
    """Eight answers in one batch, or in three of which one is short: the same two steps."""
    found = []
    for batch, accumulation in ((8, 1), (3, 3), *([(1, 8)] if retain == "nll" else [])):
        run = trainer(
            name, tmp_path, per_device_train_batch_size=batch,
            gradient_accumulation_steps=accumulation, num_train_epochs=2, rounds=1, stop_at=0,
            retain=retain, retain_weight=1.0)  # fmt: skip
        run.train()
        assert run.state.global_step == 2
        found.append(weights(run.model))
        assert not torch.equal(found[-1], weights(tiny_llama()))
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=1e-8, atol=1e-10)


def test_the_log_has_every_term_once_a_step(tmp_path):
    for batch, accumulation in ((4, 1), (2, 2)):
        run = trainer(
            "dto", tmp_path, per_device_train_batch_size=batch,
            gradient_accumulation_steps=accumulation, stop_at=0)  # fmt: skip
        run.train()
        logs = [entry for entry in run.state.log_history if "forget" in entry]
        assert len(logs) == 2
        for entry in logs:
            terms = entry["forget"] + entry["hold"] + entry.get("retain", 0.0)
            assert terms == pytest.approx(entry["loss"], abs=1e-3)
            assert 0 < entry["forget_probability"] < 1


def test_stops_when_the_forget_answers_are_forgotten(tmp_path):
    run = trainer("ascent", tmp_path, num_train_epochs=50, learning_rate=0.1, stop_at=1e-3)
    run.train()
    assert run.state.global_step < 50
    assert "train.stop_at" in run.monitor.reason
    answered = answer_tokens(run.model.eval(), FORGET)
    probabilities = [torch.tensor(a.logps).mean().exp().item() for a in answered]
    assert sum(probabilities) / len(probabilities) < 2e-3


def test_a_method_decides_what_is_left_open(tmp_path):
    run = trainer("ascent", tmp_path, learning_rate=None, num_train_epochs=None)
    assert run.args.learning_rate == pytest.approx(1e-3)  # width 16
    assert run.args.num_train_epochs == METHODS.get("ascent").plan.epochs
    assert run.monitor.stop_at == METHODS.get("ascent").plan.stop_at
    assert run.retain_name == "none"
    assert trainer("npo", tmp_path).retain_name == "nll"
    assert trainer("npo", tmp_path, kept=None).retain_name == "none"


def test_same_seed_same_model_other_seed_other_order(tmp_path):
    def run(seed):
        made = trainer("npo", tmp_path, seed=seed, per_device_train_batch_size=2)
        torch.manual_seed(seed * 7 + 1)  # the global generator must not matter
        made.train()
        return weights(made.model)

    assert torch.equal(run(0), run(0))
    assert not torch.equal(run(0), run(1))


def test_a_broken_loss_stops_with_the_step_and_the_term(tmp_path):
    model = tiny_llama()
    with torch.no_grad():
        model.model.norm.weight.fill_(float("nan"))
    with pytest.raises(UserError, match=r"step 1.*term forget"):
        trainer("npo", tmp_path, model=model, kept=None).train()


def test_rows_as_people_have_them(tmp_path, tokenizer, tiny_folder):
    from transformers import AutoModelForCausalLM

    rows = [{"question": "Where was Ada born?", "answer": "In Lund."}] * 3
    run = UnlearningTrainer(
        AutoModelForCausalLM.from_pretrained(tiny_folder), method=build("unilogit", {}),
        forget_dataset=rows, retain_dataset=[{"text": "The river runs north."}],
        args=UnlearningConfig(output_dir=str(tmp_path), use_cpu=True, num_train_epochs=2),
        processing_class=tokenizer)  # fmt: skip
    run.train()
    assert run.state.global_step == 2
    with pytest.raises(UserError, match="answer is empty"):
        UnlearningTrainer(
            run.model,
            method=build("unilogit", {}),
            forget_dataset=[{"question": "a", "answer": ""}],
            processing_class=tokenizer,
        )


def test_an_evaluation_set_is_refused(tmp_path):
    """Its rows would be taken for numbers of training rows."""
    args = UnlearningConfig(output_dir=str(tmp_path), use_cpu=True)
    with pytest.raises(UserError, match="eval_dataset"):
        UnlearningTrainer(
            tiny_llama(), method=build("npo", {}), forget_dataset=FORGET, eval_dataset=FORGET,
            args=args, processing_class=Vocabulary(),
        )  # fmt: skip
