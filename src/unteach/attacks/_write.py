"""Write the result of attacks: attacks.md, attacks.json and the relearning curves."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from unteach.attacks._judge import MODELS, NAMES, NEVER, PLAIN, RecoveryLine
from unteach.attacks._picture import CURVES, draw
from unteach.attacks._plan import PARTS, RESULT
from unteach.attacks._result import AttackResult, percent, rough
from unteach.escaping import json_text, markdown, prose
from unteach.evaluation.results import can_draw
from unteach.files import write_text
from unteach.report.comeback import READ
from unteach.report.files import written_score
from unteach.report.table import interval, number

SCHEMA = 1
REPORT = "attacks.md"


def write(result: AttackResult, folder: Path, *, parts: bool = True) -> None:
    """Write the files of a result; those of an earlier run are replaced.

    Args:
        result: the result.
        folder: folder to write to.
        parts: whether the rows of the variants are kept there too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    curves = can_draw() and draw(result.lines, folder / CURVES)
    if not curves:
        (folder / CURVES).unlink(missing_ok=True)
    write_text(folder / RESULT, to_json(result))
    write_text(folder / REPORT, to_markdown(result, picture=CURVES if curves else "", parts=parts))
    for name in (RESULT, REPORT):
        (folder / name).chmod(0o644)


def to_json(result: AttackResult) -> str:
    """Return the text of attacks.json, schema 1; what is not measurable is null, with a note."""
    record = {
        "schema": SCHEMA,
        "headline": result.headline,
        "worst": _name(result.worst),
        "furthest": _name(result.furthest),
        "closeness_under_attack": written_score(result.closeness),
        "lines": [_line(line) for line in result.lines],
        "papers": {name: asdict(paper) for name, paper in result.papers.items()},
        "request": result.request,
        "facts": result.facts,
        "notes": list(result.notes),
        "next": result.next,
    }
    return json_text(record)


def _name(line: RecoveryLine | None) -> dict[str, str] | None:
    return None if line is None else {"attack": line.attack, "variant": line.variant}


def _line(line: RecoveryLine) -> dict[str, Any]:
    return {
        "attack": line.attack,
        "variant": line.variant,
        "main": line.main,
        "scores": {
            name: {model: written_score(score) for model, score in of.items()}
            for name, of in line.scores.items()
        },
        "recovery": written_score(line.recovery),
        "recoveries": dict(line.recoveries),
        "retain_kept": dict(line.kept),
        "closeness": line.closeness,
        "facts": {model: dict(of) for model, of in line.facts.items() if of},
        "counts": line.counts,
        "proves": line.proves,
    }


def table(result: AttackResult) -> list[list[str]]:
    """Return a table: a header, the models without attack, and the worst variant of each attack."""
    names = dict.fromkeys(line.attack for line in result.lines)
    return _table([line for name in names if (line := result.of(name))])


def _table(lines: list[RecoveryLine]) -> list[list[str]]:
    models = [name for name in (*MODELS, NEVER) if any(
        name in line.scores.get(line.main, {}) for line in lines)]  # fmt: skip
    close = any(line.closeness is not None for line in lines)
    kept = any("unlearned" in line.kept for line in lines)
    header = ["attack", "of", *models, "recovery", *(["utility"] if kept else [])]
    header += ["closeness"] if close else []
    return [header, *(_cells(line, models, kept=kept, close=close) for line in lines)]


def _cells(line: RecoveryLine, models: list[str], *, kept: bool, close: bool) -> list[str]:
    name = line.attack if line.variant == PLAIN else f"{line.attack}: {line.variant}"
    cells = [name, NAMES.get(line.main, line.main)]
    cells += [number(line.value(model)) for model in models]
    cells.append(percent(line.recovery.value) + interval(line.recovery, percent, "..."))
    cells += [percent(line.kept.get("unlearned"))] if kept else []
    return [*cells, number(line.closeness)] if close else cells


def to_markdown(result: AttackResult, *, picture: str = "", parts: bool = True) -> str:
    """Return the text of attacks.md."""
    said = ["# Attacks", f"**{markdown(result.headline)}**", prose(READ), _rows(table(result))]
    if picture:
        said.append(f"![facts given over training steps]({picture})")
    for name in dict.fromkeys(line.attack for line in result.lines):
        lines = [line for line in result.lines if line.attack == name]
        if name != PLAIN:
            said += [f"## {markdown(name)}", *_paper(name, result), _rows(_table(lines))]
            said += _more(lines)
    said += ["## What cannot be known", *(f"- {markdown(n)}" for n in result.notes or ["nothing"])]
    said += ["## Time and files", *_facts(result, parts=parts), f"Next: `{markdown(result.next)}`"]
    return "\n\n".join(said) + "\n"


def _rows(cells: list[list[str]]) -> str:
    lines = [[markdown(cell) for cell in row] for row in cells]
    lines.insert(1, ["---"] * len(cells[0]))
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def _paper(name: str, result: AttackResult) -> list[str]:
    paper = result.papers.get(name)
    if not paper:
        return []
    return [f"{markdown(paper.title)} ({paper.year}), [arXiv {paper.arxiv}]({paper.url})."]


def _more(lines: list[RecoveryLine]) -> list[str]:
    """Return remarks on lines, and further numbers of single models."""
    found = [
        f"- {markdown(line.variant)}: {markdown(line.proves)}" for line in lines if line.proves
    ]
    moved = [line for line in lines if any("changed_bucket" in of for of in line.facts.values())]
    for line in moved:
        shares = ", ".join(
            f"{model} {of['changed_bucket']:.1%}"
            for model, of in line.facts.items()
            if "changed_bucket" in of
        )
        found.append(f"- {markdown(line.variant)}: weights that changed their code: {shares}")
    early = [line for line in lines if "TPR at 1% FPR" in line.scores]
    for line in early:
        shares = ", ".join(
            f"{model} {number(score.value)}{interval(score, rough, '...')}"
            for model, score in line.scores["TPR at 1% FPR"].items()
        )
        found.append(f"- {markdown(line.variant)}: TPR at 1% FPR: {shares}")
    return ["\n".join(found)] if found else []


def _facts(result: AttackResult, *, parts: bool) -> list[str]:
    counts = ", ".join(f"{n} {role}" for role, n in result.facts["examples"].items())
    times = ", ".join(f"{name} {s:g} s" for name, s in result.facts["seconds"].items())
    private = (
        f"`{PARTS}/` has the rows of each variant, so that a run can resume: ids and rounded "
        "numbers, no text. Delete it when you are done."
    )
    return [f"Examples: {counts}. Time: {times}.", *([prose(private)] if parts else [])]
