"""Make the report of a run from the rows of its models."""

from typing import Any

from unteach.checks.request import CheckedRequest
from unteach.evaluation.known import known_notes
from unteach.evaluation.results import judge
from unteach.evaluation.texts import notes_on_text
from unteach.report import Report, outcome_of
from unteach.report.attacked import Attacked
from unteach.settings.request import Request
from unteach.types import Paper, Row

Rows = dict[str, list[Row]]


def make_report(
    intake: CheckedRequest,
    rows: dict[str, Rows],
    facts: dict[str, Any],
    attacks: Attacked | None = None,
) -> Report:
    """Make the report from the rows of all models, and from the attacks' results."""
    method, request = intake.method, intake.request
    original = rows.get("original", {})
    names = request.forget, request.holdout, request.data.template
    found = judge(rows, gates=request.gates, earlier=[one.request for one in intake.earlier])
    if found["gates"]:
        facts = {
            **facts,
            "gates": {**facts.get("gates", {}), "outcome": outcome_of(found["gates"])},
        }
    return Report(
        **found,
        label=method.title(),
        papers=papers(method, request),
        request=request.model_dump(mode="json"),
        facts=facts,
        notes=(
            *map(str, intake.notes),
            *map(str, known_notes(original, *names)),
            *notes_on_text(request.keep_text),
        ),
        attacks=attacks,
    )


def papers(method: Any, request: Request) -> tuple[Paper, ...]:
    """Papers of the method, the adapter initialisation and the optimiser that a run used."""
    from unteach.methods import METHODS
    from unteach.training.gradients import SAM
    from unteach.training.memory import QLORA

    found, fila = [method.paper], METHODS.get("loku").paper
    if request.adapter.init == "fila" and method.paper != fila:
        found.append(fila)
    if request.train.sam:
        found.append(SAM)
    if request.adapter.bits:
        found.append(QLORA)
    return tuple(found)
