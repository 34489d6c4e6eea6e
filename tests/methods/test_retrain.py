"""Retraining: the base on the retain data, as a plain loop does it, whatever is to be forgotten."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from support import ANYWAY, sequences, tiny_llama
from torch.nn.functional import cross_entropy
from trainers import trainer
from transformers import AutoModelForCausalLM

from unteach import pipeline
from unteach.checks.request import check
from unteach.errors import UserError
from unteach.settings.request import load
from unteach.training.order import permutation

RETAIN = sequences(6, "retain")
ROWS = {
    "forget": [{"question": f"Where is {n}?", "answer": f"{n} is in Lund."} for n in "ABC"],
    "other": [{"question": f"Who was {n}?", "answer": f"{n} was a baker."} for n in "QR"],
    "retain": [{"question": f"What does {n} eat?", "answer": f"{n} eats bread."} for n in "FGHIJ"],
    "holdout": [{"question": f"Where is {n}?", "answer": f"{n} is in the hills."} for n in "KLM"],
}


def retrained(tmp_path, forget, **options):
    given = {"optim": "adamw_torch", "max_grad_norm": 1.0, "lr_scheduler_type": "linear"}
    run = trainer(
        "retrain", tmp_path, kept=RETAIN, forget=forget, num_train_epochs=3,
        per_device_train_batch_size=4, **{**given, **options},
    )  # fmt: skip
    run.train()
    return run


def plainly(epochs=3, batch=4, rate=1e-2):
    """A loop as one would write it."""
    model = tiny_llama()
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.0)
    steps = epochs * -(-len(RETAIN) // batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda k: 1 - k / steps)
    for epoch in range(epochs):
        order = permutation(len(RETAIN), seed=42, round=epoch, stream=0)
        for start in range(0, len(RETAIN), batch):
            texts = [RETAIN[k] for k in order[start : start + batch]]
            width = max(len(s.ids) for s in texts)
            ids = torch.tensor([[*s.ids, *[1] * (width - len(s.ids))] for s in texts])
            seen = torch.tensor([[k < len(s.ids) for k in range(width)] for s in texts])
            said = torch.tensor([[*s.answer, *[False] * (width - len(s.ids))] for s in texts])
            logits = model(ids, attention_mask=seen).logits[:, :-1]
            loss = cross_entropy(logits[said[:, 1:]], ids[:, 1:][said[:, 1:]])
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
    return model


def test_it_is_a_plain_training_loop_on_the_retain_data(tmp_path):
    run = retrained(tmp_path, sequences(9, "forget"), seed=42)
    assert run.state.global_step == 6
    torch.testing.assert_close(
        dict(run.model.named_parameters()),
        dict(plainly().named_parameters()),
        rtol=1e-9,
        atol=1e-11,
    )
    assert run.state.log_history[0].keys() >= {"hold", "retain_probability"}


def test_what_is_to_be_forgotten_changes_nothing(tmp_path):
    ours, theirs = (retrained(tmp_path, sequences(n, "forget", seed=n)).model for n in (9, 2))
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(a, b)


def test_without_retain_data_there_is_nothing_to_train_on(tmp_path):
    with pytest.raises(UserError, match="retrain trains on nothing else"):
        trainer("retrain", tmp_path, kept=[])


@pytest.fixture
def asked(tmp_path, tiny_folder):
    """Requests of `--method retrain`, from a base that is not the model."""
    base = AutoModelForCausalLM.from_pretrained(tiny_folder, dtype=torch.float32)
    torch.manual_seed(7)
    with torch.no_grad():
        for weight in base.parameters():
            weight += 0.02 * torch.randn_like(weight)
    shutil.copytree(tiny_folder, tmp_path / "base")
    base.save_pretrained(tmp_path / "base")
    for name, rows in ROWS.items():
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"{name}.jsonl").write_text(text)

    def made(*sets, forget="forget", drop=(), out="out", **flags):
        given = {name: str(tmp_path / f"{name}.jsonl") for name in ("retain", "holdout")}
        given |= {"forget": str(tmp_path / f"{forget}.jsonl"), "base": str(tmp_path / "base")}
        given |= {"model": str(tiny_folder), "out": str(tmp_path / out), "method": "retrain"}
        given = {**given, **flags}
        for name in drop:
            del given[name]
        few = ["train.epochs=2", "train.batch_size=3", "evaluate.max_new_tokens=4", ANYWAY]
        return load(flags=given, sets=[*few, *sets])

    return made


def weights(folder):
    return load_file(Path(folder) / "model.safetensors")


def distance(one, other):
    return sum((one[name] - other[name]).square().sum().item() for name in one) ** 0.5


def test_a_run_begins_at_the_base_and_never_reads_the_forget_file(asked):
    one, two = asked(), asked(forget="other", out="two")
    report, _ = pipeline.run(one), pipeline.run(two)
    ends = weights(one.out)
    assert distance(ends, weights(two.out)) == 0
    assert report.facts["steps"] == 4
    assert "retain_probability_in_training" in report.facts
    assert any("exact where the retain file is all" in note for note in report.notes)
    assert 0 < distance(ends, weights(one.base)) < distance(ends, weights(one.model)) / 2


@pytest.mark.slow
def test_adapters_alone_are_those_of_the_base(asked):
    request = asked("adapter.rank=2", adapter_only=True)
    report = pipeline.run(request)
    assert json.loads((request.out / "unteach_base.json").read_text())["name"] == "base"
    assert report.models["unlearned"]


def test_base_and_retain_file_are_needed_and_settings_of_forgetting_refused(asked):
    with pytest.raises(UserError) as told:
        check(asked("train.stop_at=0.1", "train.sam=0.01", drop=("base", "retain")))
    said = str(told.value)
    assert "--base: is not given, and retrain begins at the model before fine-tuning" in said
    assert "--retain: is not given, and retrain trains on nothing else" in said
    assert "train.stop_at: is about forgetting" in said
    assert "train.sam: is about forgetting" in said


def test_a_base_of_other_shapes_is_refused(asked, tiny_folder):
    request = asked()
    config = AutoModelForCausalLM.from_pretrained(tiny_folder).config
    config.intermediate_size *= 2
    AutoModelForCausalLM.from_config(config).save_pretrained(request.base)
    with pytest.raises(UserError, match="another name or shape than those of --model"):
        check(request)


@pytest.mark.parametrize("method", ["auto", "unseen"])
def test_where_all_is_at_hand_the_exact_way_is_named(asked, method):
    notes = [str(note) for note in check(asked(method=method)).notes]
    assert any("exact where" in note and "--method retrain" in note for note in notes)
    notes = [str(note) for note in check(asked(method=method, drop=("retain",))).notes]
    assert not any("--method retrain" in note for note in notes)
