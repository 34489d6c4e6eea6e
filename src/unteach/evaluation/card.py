"""README.md in the model's folder: a model card that says what was taken out, and what is known."""

from pathlib import Path
from typing import Any

from unteach.escaping import fenced, markdown
from unteach.files import CARD, write_text
from unteach.models.source import HUB_ID
from unteach.report import Report, gate_rows
from unteach.report.gatewords import fixed
from unteach.report.grid import cell, grid
from unteach.report.headline import headline
from unteach.report.markdown import NO_PROOF, NO_PROOF_TITLE
from unteach.report.names import harmless
from unteach.settings.request import Request

MEASURES = (
    ("forget", "probability", "forget: probability per token"),
    ("forget", "fact_recall", "forget: right fact given, share"),
    ("forget", "membership_auc_loss", "forget against holdout: membership AUC"),
    ("forget", "extraction_strength", "forget: extraction strength"),
    ("retain", "probability", "retain: probability per token"),
    ("retain", "rouge_l_recall", "retain: ROUGE-L of what it says"),
    ("holdout", "probability", "holdout: probability per token"),
    ("forget", "fluency", "forget: fluency of what it says"),
)


def write_card(report: Report, request: Request, folder: Path) -> None:
    """The card, unless a file of that name is there: that is its user's."""
    if not (folder / CARD).exists():
        write_text(folder / CARD, card(report, request))


def card(report: Report, request: Request) -> str:
    """The card's text: metadata as the hub reads them, numbers with intervals, no text of the data.

    Args:
        report: of the run.
        request: as resolved.
    """
    from huggingface_hub import ModelCard, ModelCardData

    hub = bool(HUB_ID.fullmatch(request.model)) and not Path(request.model).exists()
    data = ModelCardData(
        base_model=request.model.partition("@")[0] if hub else None,
        base_model_relation="adapter" if request.adapter_only else "finetune",
        library_name="peft" if request.adapter_only else "transformers",
        pipeline_tag="text-generation",
        tags=["machine-unlearning", "unteach"],
    )
    made = ModelCard(f"---\n{data.to_yaml()}\n---\n\n{_body(harmless(report), request, hub)}\n")
    return str(made)


def _body(report: Report, request: Request, hub: bool) -> str:
    base = markdown(request.model if hub else Path(request.model).name)
    known = f" ({request.request_id})" if request.request_id else ""
    count = report.facts.get("examples", {}).get("forget", "some")
    examples = f"{count} example{'s' * (count != 1)}"
    parts = [
        f"# {base}, {examples} unlearned",
        f"`{base}` after a request for removal{known} of {examples}: unlearned with {report.label} "
        f"by unteach {report.facts.get('unteach', '')}. {headline(report).text}",
        "## Numbers",
        _numbers(report),
        "In brackets: 95% intervals over examples. All numbers are in the report (`report.html`), "
        "which is not uploaded.",
        *_gates(report),
        f"## {NO_PROOF_TITLE}",
        NO_PROOF,
        "## How it was made",
        _made(report, request, base),
        *_papers(report),
    ]
    return "\n\n".join(part for part in parts if part)


def _numbers(report: Report) -> str:
    names = [name for name in ("original", "unlearned", "retrained") if name in report.models]
    rows = [["measure", *({"original": "before", "unlearned": "after"}.get(n, n) for n in names)]]
    for group, metric, words in MEASURES:
        scores = [report.score(name, group, metric) for name in names]
        if any(score.value is not None for score in scores):
            rows.append([words, *map(cell, scores)])
    return grid(rows)


def _gates(report: Report) -> list[str]:
    if not report.gates:
        return []
    return ["## Gates", grid(gate_rows(report.gates), left=(0, 3)), fixed(report)]


def _made(report: Report, request: Request, base: str) -> str:
    train, facts = request.train, report.facts
    told: dict[str, Any] = {
        "base model": base,
        "hash of the base model": facts.get("model_before"),
        "method": report.label,
        "trained": "adapters" if request.adapter.kind == "lora" else "all weights",
        "learning rate": facts.get("learning_rate_lowered_to") or train.learning_rate,
        "steps": facts.get("steps"),
        "seed": train.seed,
        "operator": request.operator,
        "versions": ", ".join(f"{n} {facts[n]}" for n in ("torch", "transformers") if n in facts),
    }
    return "\n".join(
        f"- {name}: {value}" for name, value in told.items() if value not in (None, "")
    )


def _papers(report: Report) -> list[str]:
    if not report.papers:
        return []
    listed = [f"- {p.authors}. {p.title}. {p.year}. <{p.url}> ({p.where})" for p in report.papers]
    entries = fenced("\n\n".join(paper.bibtex() for paper in report.papers), "bibtex")
    return ["## References", "\n".join(listed), entries]
