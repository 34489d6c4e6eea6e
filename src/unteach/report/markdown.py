"""Write report.md: the verdict, tables of scores, settings, and what they do not prove."""

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from unteach.escaping import fenced
from unteach.metrics import COMPARISONS, METRICS
from unteach.metrics.earlier import is_forgotten
from unteach.report.answers import stand_out
from unteach.report.comeback import TITLE as ATTACKS
from unteach.report.comeback import Picture
from unteach.report.comeback import told as attack_parts
from unteach.report.earlier import TITLE as EARLIER
from unteach.report.earlier import earlier_notes, earlier_rows, earlier_sentence
from unteach.report.gatewords import fixed, gate_rows
from unteach.report.grid import FEW, GridLine, grid, scores_grid
from unteach.report.missing import not_measured
from unteach.report.names import harmless
from unteach.report.nextstep import next_step, step_of_earlier, told
from unteach.report.record import Report
from unteach.report.table import UNSEEN, legend, table
from unteach.report.verdict import verdict
from unteach.report.wrong import one_model
from unteach.types import Paper, Score

GROUPS = {
    "forget": "Forget: what should be gone",
    "retain": "Retain: what should stay",
    "world": "World: other facts, which unlearning was not shown",
    "authors": "Real authors: what the model knew before, near the forget set",
    "facts": "World facts: what the model knew before, far from the forget set",
    "verbmem": "Verbatim: how passages to forget are continued",
    "knowmem": "Knowledge: questions on what should be gone",
    "knowmem_retain": "Knowledge: questions on what should stay",
    "holdout": "Holdout: texts like the forget set that no model saw",
}
SINGLE = (
    "Named by their role and row; scores.json has all. Probabilities are per token, before and "
    "after; a fall counts by more than a third and more than 0.1."
)
UNLEARNED = "Unlearning report"
MAIN = (  # metrics in the main table of a group; the others are in a collapsed table
    "fact_recall",
    "probability",
    "paraphrase_probability",
    "choice_probability",
    "verbatim_memorization",
    "knowledge_memorization",
    "rouge_l_recall",
    "extraction_strength",
    "exact_memorization",
    "truth_ratio",
    "membership_auc_loss",
    "membership_auc_min_k",
    "model_utility",
    "fluency",
    "divergence",
)
GLANCE = "At a glance"
GATES = "Gates"
NO_PROOF_TITLE = "What this does not prove"
NO_PROOF = """\
- That the texts are gone. The numbers say how the model answers these questions in these words;
  other words, other languages, a few steps of fine-tuning or a look into the weights may bring
  back what they do not show.
- That nothing else was lost. Only the examples named here were evaluated.
- That a law is complied with. The data may also stand in backups, caches and other models.
- That lower is better. Numbers below those of a model that never saw the data, a membership AUC
  near 0 above all, can give away what was removed."""


class FoldedMarkdown(NamedTuple):
    """Markdown in a collapsed `<details>` element."""

    title: str
    text: str

    def __str__(self) -> str:
        return f"<details><summary>{self.title}</summary>\n\n{self.text}\n\n</details>"


class ReportSection(NamedTuple):
    """The parts under one heading."""

    title: str
    parts: list[str | FoldedMarkdown | Picture]


def to_markdown(report: Report, *, picture: str | None = None) -> str:
    """The report as Markdown.

    Args:
        report: the report.
        picture: file name of the figure next to the report; None for none.
    """
    report = harmless(report)
    parts: list[str | FoldedMarkdown] = [f"# {title_of(report)}: {report.label}", *verdict(report)]
    parts += [f"## {GATES}", *gates] if (gates := gate_parts(report)) else []
    if picture:
        parts.append(f"![The models side by side: what is forgotten, what is kept]({picture})")
    tables, legends = glance(report)
    for title, cells in tables.items():
        parts += [f"## {title}", grid(cells)]
    parts += legends
    for section in sections(report):
        parts += [f"## {section.title}", *section.parts]
    return "\n\n".join(map(str, parts)) + "\n"


def gate_parts(report: Report) -> list[str]:
    """The table of gates, and when they were fixed; empty if none was declared."""
    if not report.gates:
        return []
    step = next_step(report)
    said = [fixed(report), told(step) if step else ""]
    return [grid(gate_rows(report.gates), left=(0, 3)), *filter(None, said)]


def sections(report: Report) -> list[ReportSection]:
    """All sections below the tables, in order; `report` must be escaped by `harmless`."""
    found = [ReportSection(EARLIER, _earlier(report))] if report.earlier else []
    found += [ReportSection(ATTACKS, [*attack_parts(report.attacks)])] if report.attacks else []
    found += [ReportSection(GROUPS.get(g, g), [*_metrics(report, g)]) for g in _groups(report)]
    found += [ReportSection("Single answers", [*single])] if (single := _single(report)) else []
    if compared := _comparisons(report):
        found.append(ReportSection("Beside a model that never saw the forget set", [compared]))
    if missing := not_measured(report):
        lines = "\n".join(f"- {line}" for line in missing)
        found.append(ReportSection("What was not measurable", [lines]))
    if glossary := _glossary(report):
        found.append(ReportSection("What the metrics say", [glossary]))
    if report.notes:
        found.append(ReportSection("Notes", ["\n".join(map(_note, report.notes))]))
    found.append(ReportSection(NO_PROOF_TITLE, [NO_PROOF]))
    found.append(ReportSection("How it was made", [*_made(report)]))
    return [*found, ReportSection("References", [*_references(report)])]


def title_of(report: Report) -> str:
    """The kind of report: evaluation, comparison or unlearning report."""
    if "suite" in report.facts:
        return "Evaluation"
    return "Comparison" if any(f.startswith("runs of ") for f in report.facts) else UNLEARNED


def glance(report: Report) -> tuple[dict[str, list[list[str]]], list[str]]:
    """The summary table and the report's own tables by title, and the legend of their marks."""
    rows = table(report, short=len(report.models) > FEW)
    tables = {GLANCE: rows} if len(rows[0]) > 1 else {}
    tables |= report.tables
    lines = dict.fromkeys(line for cells in tables.values() for line in legend(cells))
    return tables, [f"{line}." for line in lines]


def _earlier(report: Report) -> list[str | FoldedMarkdown | Picture]:
    """The worst first, then all, then what to do."""
    step = step_of_earlier(report)
    notes = [*earlier_notes(report.earlier), *([told(step)] if step else [])]
    cells = grid(earlier_rows(report.earlier), left=(0, 2, 3))
    return [f"**{earlier_sentence(report.earlier)}**", cells, *notes]


def _groups(report: Report) -> list[str]:
    known = set(METRICS)
    models = report.models.values()
    found = {g for groups in models for g, scores in groups.items() if known & scores.keys()}
    return [group for group in GROUPS if group in found] + sorted(found - set(GROUPS))


def _metrics(report: Report, group: str) -> list[str | FoldedMarkdown]:
    """The table of the main metrics, and a collapsed one of the others."""
    columns = {model: groups.get(group, {}) for model, groups in report.models.items()}
    if group == "forget" and report.never_seen:
        columns[UNSEEN] = report.never_seen
    known = [n for n in METRICS if any(n in scores for scores in columns.values())]
    more = [name for name in known if name not in MAIN]
    lines = [
        [GridLine(name, _wanted(name, group, columns), METRICS.get(name).help) for name in names]
        for names in ([name for name in MAIN if name in known], more)
    ]
    first, rest = (scores_grid(part, columns, "metric") for part in lines)
    parts: list[str | FoldedMarkdown] = [first] if first else []
    parts += [FoldedMarkdown("More metrics", rest)] if rest else []
    return parts or ["Nothing here was measurable."]


def _wanted(name: str, group: str, columns: Mapping[str, Mapping[str, Score]]) -> str:
    """What a value should be; of forget answers what never-seen ones have, where that is known."""
    wanted = METRICS.get(name).should_be(group)
    known = ["retrained", UNSEEN] if is_forgotten(group) else []
    for title in known:
        score = columns.get(title, {}).get(name)
        if score and score.value is not None:
            return f"as {title}"
    return wanted if "retrained" in columns else wanted.replace("retrained", UNSEEN)


def _single(report: Report) -> list[str | FoldedMarkdown]:
    """The table of single answers that are still given or were harmed."""
    model = one_model(report)
    rows = stand_out(report, model) if model else []
    if len(rows) < 2:
        return []
    return [grid(rows, left=(0, 1, 3)), SINGLE]


def _comparisons(report: Report) -> str:
    columns = {name.replace("_vs_", " / "): found for name, found in report.comparisons.items()}
    lines = [GridLine(c.name, c.should_be, c.help) for c in map(COMPARISONS.get, COMPARISONS)]
    return scores_grid(lines, columns, "comparison")


def _glossary(report: Report) -> str:
    """Explanations of the metrics, if the tables have no room for them."""
    if len(report.models) <= FEW:
        return ""
    helps = {name: METRICS.get(name).help for name in METRICS} | {
        name: COMPARISONS.get(name).help for name in COMPARISONS
    }
    used = {name for name, _ in _measured(report)}
    lines = [f"- `{name}`: {text}" for name, text in helps.items() if name in used]
    return "\n".join(lines)


def _made(report: Report) -> list[str | FoldedMarkdown]:
    facts = {k: v for k, v in report.facts.items() if v not in ("", None)}
    spaced = {k: {_spaced(n): c for n, c in v.items()} for k, v in facts.items() if "asking" in k}
    lines = [[_spaced(k), _line(v)] for k, v in {**facts, **spaced}.items()]
    parts: list[str | FoldedMarkdown] = (
        [grid([["fact", "value"], *lines], left=(0, 1))] if lines else []
    )
    if report.request:
        parts.append(FoldedMarkdown("Every setting", fenced(_yaml(report), "yaml")))
    parts.append(
        "Intervals are 95% over examples; scores.json has all of them, and the number of examples. "
        "All log-probabilities were scored in float32."
    )
    return parts


def _note(note: str) -> str:
    """A note as a list item; its hint begins a sentence."""
    what, _, hint = note.partition(" hint: ")
    return f"- {what}" + (f". {hint[:1].upper()}{hint[1:]}" if hint else "")


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _yaml(report: Report) -> str:
    from unteach.files.yaml import to_yaml

    plain = json.loads(json.dumps(report.request, default=str))
    return to_yaml(plain, width=100)


def _references(report: Report) -> list[str | FoldedMarkdown]:
    used = {name for name, _ in _measured(report)}
    found = [
        *report.papers,
        *(report.attacks.papers if report.attacks else ()),
        *(METRICS.get(name).paper for name in METRICS if name in used),
        *(COMPARISONS.get(name).paper for name in COMPARISONS if name in used),
    ]
    papers: dict[str, Paper] = {p.arxiv: p for p in found if p}
    listed = [f"- {p.authors}. {p.title}. {p.year}. <{p.url}> ({p.where})" for p in papers.values()]
    entries = "\n\n".join(p.bibtex() for p in papers.values())
    bibtex = FoldedMarkdown("BibTeX", fenced(entries, "bibtex"))
    return ["\n".join(listed), bibtex] if listed else ["None."]


def _measured(report: Report) -> Iterator[tuple[str, Score]]:
    groups = [scores for model in report.models.values() for scores in model.values()]
    for scores in (*groups, *report.comparisons.values()):
        yield from ((name, score) for name, score in scores.items() if score.value is not None)


def _line(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items())
    return str(value)
