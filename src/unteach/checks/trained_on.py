"""Check what a method trains on beside the examples: other answers, selections, wordings."""

from typing import Any

from unteach.data import encode_all
from unteach.data.listing import shortened
from unteach.data.reworded import reworded
from unteach.errors import Problem, UserError
from unteach.settings.request import Request
from unteach.types import ROLES, Example, Sequence


def alternate_problems(request: Request, method: Any, groups: dict) -> list[Problem]:
    """Find forget examples without an alternate answer, if the method trains on one."""
    if not method:
        return []
    from unteach.data.alternates import alternates

    file, problems = request.data.refusals, []
    if file and method.alternates not in ("refusals", "generated"):
        what = f"{method.name} trains on no refusals, so the file is not read"
        problems.append(Problem("data.refusals", what, "idk and idk-dpo do", "note"))
    if "alternate" in method.needs():
        problems += alternates(groups.get("forget", []), method.alternates, file, 0)[1]
    return shortened(problems)


def require_choice(method: Any, forget: list[Sequence], seed: int) -> None:
    """Check that the method selects some token, if its selector does not run the model."""
    from unteach.selectors import SELECTORS

    name = method.choosing()
    if not name or not forget or SELECTORS.get(name).asks_model:
        return
    if not any(choice.chosen for choice in method.choose(forget, None, seed)):
        what = f"chooses no token in any of the {len(forget)} forget answers"
        raise UserError(Problem(f"method {method.name}", what, method.nothing, "request"))


def formed_of(groups: dict[str, list[Example]], request: Request) -> dict[str, list[Example]]:
    """The examples with their questions in further wordings, where the request wants some."""
    count, seed = request.train.forms, request.train.seed
    return {role: reworded(groups.get(role, []), count, seed) for role in ROLES if count}


def encoded_forms(
    formed: dict[str, list[Example]], tokenizer: Any, request: Request
) -> tuple[dict[str, list[Sequence]], list[Problem]]:
    """The same, tokenised; problems of the questions themselves were reported before."""
    found = {}
    for role, examples in formed.items():
        found[role], _ = encode_all(examples, tokenizer, **request.data.encoding)
    if not formed or found["forget"]:
        return found, []
    what = "finds no question in the forget set that could be put in other words"
    return found, [Problem("train.forms", what, "leave it out", "note")]
