"""`unteach audit`: test, before any training, which forget records the model has memorised."""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from unteach.errors import Problem, UserError
from unteach.evaluation.check import CheckedEvaluation, check
from unteach.evaluation.request import Evaluation
from unteach.evaluation.results import judge, versions
from unteach.evaluation.rows import rows_of_all
from unteach.evaluation.sampled import sampled_answers
from unteach.evaluation.texts import write_private
from unteach.files import staged
from unteach.metrics.blind import blind_auc
from unteach.metrics.clustered import clustered_auc
from unteach.metrics.memorised import LEVEL, Decisions, decide
from unteach.metrics.rows import mean_logp, scored
from unteach.progress import NoProgress, ProgressListener
from unteach.report.audited import MEMBERSHIP, Audit, audit_json, audit_markdown
from unteach.types import Example, Row, Score

MODEL = "model"
SAMPLES = 8


def audit(
    asked: Evaluation,
    listener: ProgressListener | None = None,
    *,
    level: float = LEVEL,
    samples: int = SAMPLES,
    write: bool = False,
    known: Path | None = None,
) -> Audit:
    """Score the forget and holdout records, and decide for each forget record if it is known.

    Args:
        asked: an evaluation of one model labelled "model", with options `forget` and `holdout`.
        listener: receives progress; None for no progress.
        level: false discovery rate: the largest expected share of wrong ones among records called
            known.
        samples: number of answers to sample to each question; 0 for none.
        write: write `audit.md` and `audit.json` into `asked.out`.
        known: a file to write the known forget records to; not written where none is known.

    Raises:
        UserError: all problems; nothing is written then.
    """
    listener = listener or NoProgress()
    listener.stage("checking what was asked")
    if problems := _problems(asked, known):
        raise UserError(*problems)
    plan = check(asked)
    listener.notes(plan.notes)
    rows, counts, _ = rows_of_all(plan, listener)
    sampled = sampled_answers(MODEL, plan, listener, samples)
    listener.stage("telling known from never seen")
    result = replace(found_of(plan, rows[MODEL], level, counts[MODEL]), sampled=sampled)
    if write:
        with staged(asked.out, overwrite=asked.overwrite) as folder:
            (folder / "audit.json").write_text(audit_json(result), encoding="utf-8")
            (folder / "audit.md").write_text(audit_markdown(result), encoding="utf-8")
    if known and result.known:
        write_private(known, known_records(plan.options["forget"], result.known))
    return result


def nowhere() -> Path:
    """Path of a folder that does not exist, for an audit that writes no files."""
    return Path(tempfile.gettempdir()) / f"unteach-audit-{os.getpid()}"


def found_of(
    plan: CheckedEvaluation, rows: dict[str, list[Row]], level: float, took: Mapping[str, Any]
) -> Audit:
    """The audit's result, computed from the rows and the texts."""
    decisions = decide(rows, level=level)
    groups = {role: plan.groups[role].examples for role in ("forget", "holdout")}
    persons = {role: _subjects(plan.options[role], groups[role]) for role in groups}
    scores = judge({MODEL: rows})["models"][MODEL]["forget"]
    clustered = bool(persons["forget"])
    return Audit(
        model=plan.asked.models[MODEL],
        decisions=decisions,
        scores={name: scores[name] for name in MEMBERSHIP if name in scores},
        blind=_blind_score(groups, persons),
        by_person=_person_score(rows, persons) if clustered else None,
        persons=_person_counts(decisions, persons["forget"]) if clustered else None,
        notes=tuple(map(str, plan.notes)),
        facts={**took, **versions()},
    )


def known_records(forget: str, ids: tuple[str, ...]) -> str:
    """The records of the forget file with these ids, as JSONL."""
    records = _records(forget)
    numbers = [int(id.rpartition("-")[2]) for id in ids]
    return "".join(json.dumps(records[k], ensure_ascii=False, default=str) + "\n" for k in numbers)


def _records(source: str) -> list[Any]:
    from unteach.data.readers.sources import records

    found, _ = records(source)
    return [record if isinstance(record, Mapping) else {"text": record} for _, record in found]


def _problems(asked: Evaluation, known: Path | None) -> list[Problem]:
    problems = []
    if not asked.options.get("holdout"):
        what = "is not given, and known means likelier than records that were never seen"
        hint = "add --holdout FILE, records like the forget set that the model never saw"
        problems.append(Problem("--holdout", what, hint, "request"))
    if not known:
        return problems
    where, given = f"--write-known {known}", [asked.options.get(r) for r in ("forget", "holdout")]
    if any(
        name and Path(name).exists() and known.resolve() == Path(name).resolve() for name in given
    ):
        hint = "give a file of another name"
        problems.append(Problem(where, "is a file that is read", hint, "request"))
    elif known.is_dir() or not known.parent.is_dir():
        what = "is a folder" if known.is_dir() else "lies in a folder that is not there"
        problems.append(Problem(where, what, "give the name of a file to make", "request"))
    elif known.exists() and not asked.overwrite:
        hint = "give another file, or --overwrite"
        problems.append(Problem(where, "is there already", hint, "request"))
    return problems


def _subjects(source: str, examples: list[Example]) -> dict[str, str]:
    """The `subject` of each example by id; empty unless every record has one."""
    records = _records(source)
    names = {e.id: records[int(e.id.rpartition("-")[2])].get("subject") for e in examples}
    complete = all(isinstance(name, (str, int)) and str(name).strip() for name in names.values())
    return {id: str(name) for id, name in names.items()} if complete else {}


def _blind_score(groups: dict[str, list[Example]], persons: dict[str, dict[str, str]]) -> Score:
    texts = {role: [_text(example) for example in found] for role, found in groups.items()}
    names = {
        role: [persons[role][e.id] for e in found] if persons[role] else None
        for role, found in groups.items()
    }
    return blind_auc(
        texts["forget"],
        texts["holdout"],
        member_groups=names["forget"],
        other_groups=names["holdout"],
    )


def _text(example: Example) -> str:
    return "\n".join([turn.text for turn in example.turns] or [example.text])


def _person_score(rows: dict[str, list[Row]], persons: dict[str, dict[str, str]]) -> Score:
    sides = {}
    for role in ("forget", "holdout"):
        groups: dict[str, list[float]] = {}
        for row in scored(rows[role], "answer"):
            groups.setdefault(persons[role].get(row.id, row.id), []).append(mean_logp(row))
        sides[role] = groups
    if not all(sides.values()):
        return Score(None, note="not measurable: no answers were scored")
    return replace(clustered_auc(sides["forget"], sides["holdout"]), note="")


def _person_counts(decisions: Decisions, persons: dict[str, str]) -> tuple[int, int]:
    known = {persons[id] for id in decisions.ids("known") if id in persons}
    return len(set(persons.values())), len(known)
