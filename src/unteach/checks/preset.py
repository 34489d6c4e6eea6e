"""Apply `--preset paper`: the settings of a method's authors, below what the user set."""

from typing import Any

from unteach.checks.automatic import AUTO, method_of
from unteach.errors import Problem, UserError
from unteach.settings.request import Request

KEPT_AS_TRAINED = {"train.draw_back": "never"}  # of every paper: the weights where training ended


def with_preset(request: Request) -> tuple[Request, list[Problem]]:
    """Return the request with the settings of its preset, and notes for the user.

    What the user set (in the request file, by a flag or by `--set`) stays as it is.

    Raises:
        UserError: `--preset paper` without a method, or with one that has no published settings.
    """
    if request.preset == "default":
        return request, []
    if request.method_name == AUTO:
        what = "is of one paper, and no method is named"
        raise UserError(Problem("--preset paper", what, "give --method NAME too", "request"))
    settings = type(method_of(request)).paper_settings
    if not settings:
        what = f"unteach knows no training settings of the authors of {request.method_name}"
        hint = "leave --preset out; --set train.draw_back=never keeps the weights of the last step"
        raise UserError(Problem("--preset paper", what, hint, "request"))
    values = request.model_dump(exclude_unset=True)
    applied = []
    for name, value in (KEPT_AS_TRAINED | settings).items():
        if _put(values, name.split("."), value):
            applied.append(f"{name}={value}")
    filled = Request.model_validate(values)
    filled._notes = request.notes
    what = f"sets {', '.join(applied)}" if applied else "sets nothing that you did not set yourself"
    hint = "the authors trained models of 1 to 8 billion parameters; rates for smaller ones differ"
    return filled, [Problem("--preset paper", what, hint, "note")]


def _put(values: dict[str, Any], path: list[str], value: Any) -> bool:
    """Put a value where the user has none; return whether it was put."""
    for name in path[:-1]:
        values[name] = dict(values.get(name) or {})
        values = values[name]
    given = values.get(path[-1]) is not None
    if not given:
        values[path[-1]] = value
    return not given
