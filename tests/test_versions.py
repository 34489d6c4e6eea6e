"""What older and newer releases must have in common, and what is said to be tested."""

import importlib.util
import inspect
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from transformers import Trainer, TrainingArguments, trainer

from unteach.training.trainer import UnlearningTrainer

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ASKED = [
    Requirement(line)
    for lines in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for line in lines
]
TESTED = dict(re.findall(r"^([\w-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M))
PAGE = (ROOT / "docs" / "versions.md").read_text("utf-8")

# What we replace or wrap of transformers' trainer, and what it must take (all private or
# half-private: a release may change them without a word).
HOOKS = {
    "train": ["resume_from_checkpoint"],
    "compute_loss": ["model", "inputs", "return_outputs", "num_items_in_batch"],
    "training_step": ["model", "inputs", "num_items_in_batch"],
    "get_batch_samples": ["epoch_iterator", "num_batches", "device"],
    "log": ["logs", "start_time"],
    "_get_train_sampler": ["train_dataset"],
    "_get_num_items_in_batch": ["batch_samples", "device"],
    "_get_output_dir": ["trial"],
    "_save_checkpoint": ["model", "trial"],
    "create_scheduler": ["num_training_steps", "optimizer"],
    "save_model": ["output_dir", "_internal_call"],
    "_get_grad_norm": ["model", "grad_norm"],
}
LOOK = "read what replaced it in transformers.Trainer, then change engine/ and this list"


def replaced() -> set[str]:
    ours = UnlearningTrainer.__mro__[: UnlearningTrainer.__mro__.index(Trainer)]
    return {
        name
        for cls in ours
        for name, value in vars(cls).items()
        if inspect.isfunction(value) and hasattr(Trainer, name) and not name.startswith("__")
    }


def test_every_replaced_function_of_the_trainer_is_watched():
    assert replaced() <= set(HOOKS), "add to HOOKS what transformers.Trainer passes to them"


@pytest.mark.parametrize("name", HOOKS)
def test_the_trainer_still_has_and_calls(name):
    theirs = getattr(Trainer, name, None)
    assert theirs is not None, f"Trainer.{name} is gone: {LOOK}"
    given = list(inspect.signature(theirs).parameters)[1:]
    assert given[: len(HOOKS[name])] == HOOKS[name], f"Trainer.{name} takes {given}: {LOOK}"
    if name != "train":
        called = re.search(rf"self\.{name}\b", inspect.getsource(trainer))
        assert called, f"nothing calls Trainer.{name} any more: {LOOK}"


def test_the_trainer_still_asks_whether_the_loss_is_divided_by_the_counts_of_the_step():
    source = inspect.getsource(trainer)
    asked = [n for n in ("loss_is_scaled_for_ga", "model_accepts_loss_kwargs") if n in source]
    assert asked, f"the trainer would divide our loss again under accumulation: {LOOK}"
    assert all(hasattr(TrainingArguments, n) for n in ("n_gpu", "train_batch_size")), LOOK
    assert "_n_gpu" in inspect.getsource(TrainingArguments), f"args._n_gpu is gone: {LOOK}"
    assert "_train_batch_size" in source, f"trainer._train_batch_size is gone: {LOOK}"


def test_libraries_have_lower_bounds_and_no_pins():
    for asked in ASKED:
        kinds = {clause.operator for clause in asked.specifier}
        assert ">=" in kinds, f"{asked}: say the lowest release that passes the tests"
        assert kinds <= {">=", "<"}, f"{asked}: exact versions go to constraints.txt"


def test_what_was_tested_is_within_the_bounds():
    found = {canonicalize_name(name): version for name, version in TESTED.items()}
    for asked in ASKED:
        version = found.get(canonicalize_name(asked.name), "")
        if version:
            assert asked.specifier.contains(version), f"constraints.txt has {version} of {asked}"


@pytest.fixture
def dev(monkeypatch):
    monkeypatch.delenv("TORCH", raising=False)
    spec = importlib.util.spec_from_file_location("dev", ROOT / "dev.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_lowest_are_the_bounds_made_exact_but_for_torch(dev, monkeypatch):
    lowest = dict(line.split("==") for line in dev.constraints("lowest").split())
    assert lowest.pop("torch") == TESTED["torch"]
    test = [Requirement(line) for line in PROJECT["optional-dependencies"]["test"]]
    named = {r.name for r in [*map(Requirement, PROJECT["dependencies"]), *test]}
    assert set(lowest) == named - {"torch"}
    for asked in ASKED:
        if asked.name in lowest:
            assert f">={lowest[asked.name]}" in str(asked.specifier).split(",")
    monkeypatch.setenv("TORCH", "9.9")
    assert "torch==9.9" in dev.constraints("lowest").split()


def test_the_newest_hold_back_nothing_but_torch(dev):
    lines = [line for line in dev.constraints("newest").splitlines() if not line.startswith("#")]
    assert lines == [f"torch=={TESTED['torch']}"]


def test_each_end_has_its_own_environment_and_the_arguments_go_to_pytest(dev, monkeypatch):
    done = []
    monkeypatch.setattr(dev, "setup", lambda which="": done.append(f"setup {which}"))
    monkeypatch.setattr(dev, "run", lambda *args, which="": done.append(f"{which}: {args[-1]}"))
    dev.versions("lowest", "-x")
    assert "lowest: -x" in done
    assert not any("newest" in line for line in done)
    done.clear()
    dev.versions("tests/metrics")
    assert [line for line in done if "tests" in line] == [
        "lowest: tests/metrics", "newest: tests/metrics",
    ]  # fmt: skip
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {f"{dev.folder(end).name}/" for end in dev.ENDS} <= set(ignored)


def test_the_page_names_the_bounds_of_today(dev):
    lowest = dict(re.findall(r"^\| ([\w-]+) \| ([\d.]+) \| [\d.]+ \|$", PAGE, re.M))
    bounds = dev.bounds()
    assert set(lowest) >= {r.name for r in map(Requirement, PROJECT["dependencies"])} - {"torch"}
    for name, version in lowest.items():
        assert version == bounds[name], f"test the lowest {name} again, and say so in the page"
