"""A tracker is switched on by name alone, and is sent numbers and settings."""

import os
import subprocess
import sys

import pytest
from secrecy.aviary import Aviary
from secrecy.leaks import leaks
from transformers import TrainerCallback
from transformers.integrations import integration_utils

from unteach import pipeline
from unteach.errors import UserError
from unteach.settings.request import load


class Tracker(TrainerCallback):
    """Sends all that trackers send: arguments, the model's configuration, state and logs."""

    sent: list = []  # noqa: RUF012 (the trainer makes the tracker)

    def on_train_begin(self, args, state, control, model=None, **rest):
        self.sent += [
            args.to_sanitized_dict(),
            args.to_json_string(),
            model.config.to_json_string(),
        ]

    def on_log(self, args, state, control, logs=None, **rest):
        self.sent += [logs, vars(state)]

    def on_save(self, args, state, control, **rest):
        self.sent += [vars(state), vars(control)]


@pytest.fixture
def sent(monkeypatch):
    monkeypatch.setitem(integration_utils.INTEGRATION_TO_CALLBACK, "wandb", Tracker)
    monkeypatch.setattr(Tracker, "sent", [])
    for name in ("WANDB_API_KEY", "WANDB_PROJECT", "MLFLOW_TRACKING_URI", "COMET_API_KEY"):
        monkeypatch.setenv(name, "x")
    return lambda: Tracker.sent


def run(aviary, tiny_folder, *more):
    files = {role: aviary.path(f"{role}.jsonl") for role in ("forget", "retain")}
    flags = {"model": str(tiny_folder), "out": str(aviary.folder / "out"), "method": "idk", **files}
    refusals = f"data.refusals={aviary.path('refusals.txt')}"
    sets = [
        "train_anyway=true",
        "train.epochs=1",
        "evaluate.max_new_tokens=4",
        "train.checkpoint_steps=1",
        refusals,
    ]
    return pipeline.run(load(flags=flags, sets=[*sets, *more]))


def test_what_is_sent_holds_no_text(tmp_path, tokenizer, tiny_folder, sent):
    aviary = Aviary(tmp_path / "data", tokenizer)
    run(aviary, tiny_folder, "train.report_to=wandb")
    logged = [part for part in sent() if isinstance(part, dict) and "loss" in part]
    assert {"forget_loss", "retain_loss", "forget_probability", "learning_rate"} <= {*logged[0]}
    assert not {"forget", "retain"} & {*logged[0]}
    written = repr(sent()).encode()
    assert [found for bird in aviary.canaries for found in leaks(written, bird)] == []


def test_tensorboard_has_the_names_in_a_folder_that_stays(tmp_path, tokenizer, tiny_folder):
    pytest.importorskip("tensorboard", reason="tensorboard is an optional tracker")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    aviary = Aviary(tmp_path / "data", tokenizer)
    report = run(aviary, tiny_folder, "train.report_to=tensorboard")
    folder = aviary.folder / "runs" / "out"
    found = EventAccumulator(str(folder)).Reload()
    named = {f"train/{n}" for n in ("loss", "forget_loss", "retain_loss", "forget_probability")}
    assert named <= {*found.Tags()["scalars"]}
    assert len(found.Scalars("train/forget_loss")) == report.facts["steps"]
    written = b"".join(file.read_bytes() for file in folder.iterdir())
    assert [found for bird in aviary.canaries for found in leaks(written, bird)] == []


def test_one_that_cannot_start_ends_the_run_before_a_step(
    tmp_path, tokenizer, tiny_folder, sent, monkeypatch
):
    def refuse(*_, **__):
        raise ConnectionError("http://10.0.0.7 refused")

    monkeypatch.setattr(Tracker, "on_train_begin", refuse)
    with pytest.raises(
        UserError, match=r"report_to: wandb cannot start \(ConnectionError\)"
    ) as told:
        run(Aviary(tmp_path / "data", tokenizer), tiny_folder, "train.report_to=wandb")
    assert "10.0.0.7" not in str(told.value)
    assert sent() == []


def test_none_is_switched_on_by_its_environment(tmp_path, tokenizer, tiny_folder, sent):
    run(Aviary(tmp_path / "data", tokenizer), tiny_folder)
    assert sent() == []


def test_libraries_send_nothing_of_their_own_accord():
    """Their switches are read once, when they are imported."""
    code = (
        "import sys; sys.argv = ['unteach', '--version']\n"
        "from unteach.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "import huggingface_hub.constants as hub, datasets.config as data\n"
        "print(hub.HF_HUB_DISABLE_TELEMETRY, data.HF_UPDATE_DOWNLOAD_COUNTS)"
    )
    kept = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=kept)
    assert done.stdout.splitlines()[-1] == "True False", done.stderr
