"""What a request says reaches the trainer."""

import pytest
import torch

from unteach.evaluation.run_report import papers
from unteach.methods import build
from unteach.settings.request import load
from unteach.training.arguments import arguments
from unteach.training.config import UnlearningConfig
from unteach.training.unlearn import _peak_from_here

FLAGS = {"model": "m", "forget": "f", "out": "o", "method": "npo"}


def test_settings_reach_the_trainer(tmp_path):
    """Each with a value that is not its default."""
    settings = {
        "learning_rate": ("train.learning_rate", 0.002),
        "num_train_epochs": ("train.epochs", 7.0),
        "per_device_train_batch_size": ("train.batch_size", 3),
        "gradient_accumulation_steps": ("train.gradient_accumulation_steps", 5),
        "retain": ("train.retain", "kl"),
        "retain_weight": ("train.retain_weight", 2.5),
        "stop_at": ("train.stop_at", 0.25),
        "seed": ("train.seed", 11),
        "weight_decay": ("train.weight_decay", 0.5),
        "max_grad_norm": ("train.max_grad_norm", 3.0),
        "sam": ("train.sam", 0.01),
        "packing": ("train.packing", True),
        "refusals": ("data.refusals", "no.txt"),
        "refusal": ("data.refusal", "Pass"),
        "max_length": ("data.max_length", 99),
        "template": ("data.template", "none"),
    }
    request = load(flags=FLAGS, sets=[f"{path}={value}" for path, value in settings.values()])
    args = arguments(request, str(tmp_path))
    assert {name: getattr(args, name) for name in settings} == {
        name: value for name, (_, value) in settings.items()
    }


def test_reports_cite_what_goes_with_any_method():
    method = build("npo", {})
    plain = load(flags=FLAGS)
    both = load(flags={**FLAGS, "init": "fila", "sam": 0.01})
    assert [p.arxiv for p in papers(method, plain)] == ["2404.05868"]
    assert [p.arxiv for p in papers(method, both)] == ["2404.05868", "2408.06621", "2502.05374"]
    loku = build("loku", {})
    assert [p.arxiv for p in papers(loku, both)] == ["2408.06621", "2502.05374"]


@pytest.mark.parametrize("rows", [0, -3, 2.5, True, "abc"])
def test_rows_held_at_once_are_a_count(rows, tmp_path):
    with pytest.raises(ValueError, match="a whole number, 1 or more"):
        UnlearningConfig(output_dir=str(tmp_path), use_cpu=True, chunk_rows=rows)


def test_the_peak_is_told_where_cuda_counts_it(monkeypatch):
    held = {"peak": 99}
    monkeypatch.setattr("torch.cuda.reset_peak_memory_stats", lambda d: held.update(peak=0))
    monkeypatch.setattr("torch.cuda.max_memory_allocated", lambda d: held["peak"])
    assert _peak_from_here(torch.device("cpu"))() is None
    assert held["peak"] == 99
    peak = _peak_from_here(torch.device("cuda", 0))
    held["peak"] += 7
    assert peak() == 7
