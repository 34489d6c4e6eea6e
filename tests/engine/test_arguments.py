"""What a request says reaches the trainer."""

from unteach.engine.unlearn import _arguments
from unteach.methods import build
from unteach.pipeline import papers
from unteach.request import load

FLAGS = {"model": "m", "forget": "f", "out": "o", "method": "npo"}


def test_settings_reach_the_trainer(tmp_path):
    """Each with a value that is not its default."""
    settings = {
        "learning_rate": ("train.learning_rate", 0.002),
        "num_train_epochs": ("train.epochs", 7.0),
        "per_device_train_batch_size": ("train.batch", 3),
        "gradient_accumulation_steps": ("train.accumulation", 5),
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
    args = _arguments(request, str(tmp_path))
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
