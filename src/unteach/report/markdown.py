"""report.md: what was asked, what came of it, and what it does not prove."""

from unteach.metrics import METRICS
from unteach.metrics.comparisons import HELP
from unteach.nouns import Paper, Score
from unteach.report.record import Report
from unteach.report.table import number, table
from unteach.report.verdict import verdict

GROUPS = {
    "forget": "Forget: what should be gone",
    "retain": "Retain: what should stay",
    "world": "World: facts that no training step touched",
    "holdout": "Holdout: texts like the forget set that no model saw",
}
NO_PROOF = """\
- That the texts are gone. The numbers say how the model answers these questions in these words;
  other words, other languages, a few steps of fine-tuning or a look into the weights may bring
  back what they do not show.
- That nothing else was lost. Only the retain examples were asked for.
- That a law is complied with. The data may also stand in backups, caches and other models.
- Numbers at the level of the original mean nothing was achieved; numbers *below* a model that
  never saw the data (membership AUC near 0) can give away what was removed."""


def to_markdown(report: Report, *, picture: str | None = None) -> str:
    """The report for people.

    Args:
        report: what was measured.
        picture: file name of the picture that lies beside the report.
    """
    parts = [f"# Unlearning report: {report.label}", *verdict(report)]
    if picture:
        parts.append(f"![The models before, after and retrained]({picture})")
    parts += ["## At a glance", _grid(table(report, short=len(report.models) > 4))]
    for group in _groups(report):
        parts += [f"## {GROUPS.get(group, group)}", _metrics(report, group)]
    if report.comparisons:
        parts += ["## Beside a model that never saw the forget set", _comparisons(report)]
    if report.notes:
        parts += ["## Notes", "\n".join(f"- {_line(note)}" for note in report.notes)]
    parts += ["## What this does not prove", NO_PROOF]
    parts += ["## How it was made", _made(report)]
    parts += ["## References", _references(report)]
    return "\n\n".join(parts) + "\n"


def _groups(report: Report) -> list[str]:
    found = {group for groups in report.models.values() for group in groups}
    return [group for group in GROUPS if group in found] + sorted(found - set(GROUPS))


def _metrics(report: Report, group: str) -> str:
    names = [n for n in METRICS if any(n in m.get(group, {}) for m in report.models.values())]
    header = ["metric", *report.models, "what it says"]
    rows, missing = [], []
    for name in names:
        scores = [report.models[m].get(group, {}).get(name) for m in report.models]
        if any(s is not None and s.value is not None for s in scores):
            rows.append([f"`{name}`", *map(_cell, scores), METRICS.get(name).help])
        else:
            note = next(s.note for s in scores if s is not None)
            missing.append(f"- `{name}` is {note}")
    text = _grid([header, *rows]) if rows else ""
    return "\n\n".join(part for part in (text, "\n".join(missing)) if part)


def _comparisons(report: Report) -> str:
    names = list(HELP)
    header = ["comparison", *report.comparisons, "what it says"]
    rows = []
    for name in names:
        scores = [found.get(name) for found in report.comparisons.values()]
        rows.append([f"`{name}`", *map(_cell, scores), HELP[name]])
    return _grid([[h.replace("_vs_", " / ") for h in header], *rows])


def _cell(score: Score | None) -> str:
    if score is None or score.value is None:
        return "not measurable"
    text = number(score.value)
    if score.low is not None and score.high is not None:
        text += f" ({number(score.low)} to {number(score.high)})"
    return text


def _made(report: Report) -> str:
    facts = {k: v for k, v in report.facts.items() if v not in ("", None)}
    lines = [f"| {name.replace('_', ' ')} | {_line(value)} |" for name, value in facts.items()]
    settings = [f"{name}: {_line(value)}" for name, value in report.request.items()]
    return "\n".join(
        ["| fact | value |", "|---|---|", *lines, "", "```yaml", *settings, "```", "",
         "Intervals are 95% over examples. All log-probabilities were scored in float32."]
    )  # fmt: skip


def _references(report: Report) -> str:
    used = [METRICS.get(name).paper for name in METRICS if _measured(report, name)]
    papers: dict[str, Paper] = {p.arxiv: p for p in [*report.papers, *used] if p}
    listed = [f"- {p.authors}. {p.title}. {p.year}. <{p.url}> ({p.where})" for p in papers.values()]
    entries = "\n\n".join(p.bibtex() for p in papers.values())
    return "\n".join(listed) + f"\n\n```bibtex\n{entries}\n```"


def _measured(report: Report, name: str) -> bool:
    return any(
        scores[name].value is not None
        for groups in report.models.values()
        for scores in groups.values()
        if name in scores
    )


def _grid(rows: list[list[str]]) -> str:
    header, *body = rows
    lines = [header, ["---", *("---:" for _ in header[1:])], *body]
    if header[-1] == "what it says":
        lines[1][-1] = "---"
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _line(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items())
    return str(value).replace("\n    ", " ").replace("\n", " ")
