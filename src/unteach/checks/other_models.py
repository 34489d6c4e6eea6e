"""Check the base and the retrained model beside the model of a request."""

from typing import Any

from unteach.checks.model import check_model
from unteach.checks.model_pair import ModelInfo, require_beside, shapes_problem
from unteach.checks.retraining import could_retrain
from unteach.errors import Problem
from unteach.settings.request import Request


def check_base(request: Request, method: Any, model: ModelInfo, empty: Any) -> list[Problem]:
    """Check that the base model can be the teacher or the start of training. Raises UserError."""
    base, remote_code = str(request.base), request.trust_remote_code
    start = method.trains_on == "retain"
    if not method.asks_base() and not start:
        what = f"{method.name} has no teacher that is made of the base model, so it is not read"
        hint = "take --method unseen, or drop --base"
        return [Problem(f"--base {base}", what, hint, "note")]
    checked = check_model(
        base, "--base", trust_remote_code=remote_code, device=request.device, training=start
    )
    require_comparable(request, "base", checked.config, model)
    unlike = shapes_problem(checked.empty, empty, f"--base {base}") if start else None
    return [unlike] if unlike else could_retrain(request, method)


def require_comparable(request: Request, name: str, config: Any, model: ModelInfo) -> None:
    """Check that a model can be evaluated on the sequences of `--model`. Raises UserError."""
    require_beside(
        getattr(request, name),
        f"--{name}",
        config,
        model,
        length=request.data.max_length or 2048,
        trust_remote_code=request.trust_remote_code,
    )
