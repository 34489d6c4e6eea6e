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
from unteach.evaluation.persons import Persons, persons_in
from unteach.evaluation.request import Evaluation
from unteach.evaluation.results import judge, versions
from unteach.evaluation.rows import rows_of_all
from unteach.evaluation.sampled import sampled_answers
from unteach.evaluation.texts import write_private
from unteach.files import staged
from unteach.metrics._values import attacked, shown
from unteach.metrics.blind import blind_auc
from unteach.metrics.clustered import by_person, clustered_auc, clustered_mean, clustered_tpr
from unteach.metrics.memorised import LEVEL, Decisions, decide
from unteach.metrics.rows import scored
from unteach.metrics.sampled import extracted_once
from unteach.progress import NoProgress, ProgressListener
from unteach.report.audited import MEMBERSHIP, Audit, audit_json, audit_markdown
from unteach.types import Example, Row, Score

MODEL = "model"
SAMPLES = 8
RolePersons = Mapping[str, Persons | None]


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
    persons = {role: persons_in(plan, role, MODEL) for role in ("forget", "holdout")}
    whose = {role: found.of for role, found in persons.items() if found and found.count > 1}
    sampled = sampled_answers(MODEL, plan, listener, samples, whose)
    listener.stage("telling known from never seen")
    result = replace(found_of(plan, rows[MODEL], level, counts[MODEL], persons), sampled=sampled)
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
    plan: CheckedEvaluation,
    rows: dict[str, list[Row]],
    level: float,
    took: Mapping[str, Any],
    persons: RolePersons,
) -> Audit:
    """The audit's result, computed from the rows and the texts."""
    decisions = decide(rows, level=level)
    groups = {role: plan.groups[role].examples for role in ("forget", "holdout")}
    ours = persons["forget"]
    scores = judge({MODEL: rows})["models"][MODEL]["forget"]
    over_persons = _over_persons(rows, persons)
    scores = {name: scores[name] for name in MEMBERSHIP if name in scores} | over_persons
    return Audit(
        model=plan.asked.models[MODEL],
        decisions=decisions,
        scores=scores,
        blind=_blind_score(groups, persons),
        by_person=over_persons.get("membership_auc_loss"),
        persons=_person_counts(decisions, ours.of) if ours else None,
        persons_from=ours.source if ours else "",
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


def _blind_score(groups: dict[str, list[Example]], persons: RolePersons) -> Score:
    texts = {role: [_text(example) for example in found] for role, found in groups.items()}
    names: dict[str, list[str] | None] = {}
    for role, found in groups.items():
        whose = persons[role]
        names[role] = [whose.of[e.id] for e in found] if whose and whose.count > 1 else None
    groups_of = {"member_groups": names["forget"], "other_groups": names["holdout"]}
    return blind_auc(texts["forget"], texts["holdout"], **groups_of)


def _text(example: Example) -> str:
    return "\n".join([turn.text for turn in example.turns] or [example.text])


def _over_persons(rows: dict[str, list[Row]], persons: RolePersons) -> dict[str, Score]:
    """The scores of the audit with intervals over persons; empty where they are not known."""
    ours, theirs = persons["forget"], persons["holdout"]
    if not ours or ours.count < 2:
        return {}
    found: dict[str, Score] = {}
    values = shown(rows["forget"])
    attacks, others = (attacked(rows[role]) for role in ("forget", "holdout"))
    values["probabilistic_extraction"] = {
        row.id: extracted_once(row) for row in scored(rows["forget"], "answer")
    }
    for name in MEMBERSHIP.keys() & values.keys():
        found[name] = clustered_mean(by_person(values[name], ours.of))
    for attack in attacks.keys() & others.keys():
        members = by_person(attacks[attack], ours.of)
        unseen = by_person(others[attack], theirs.of if theirs else {})
        for kind, clustered in (("auc", clustered_auc), ("tpr", clustered_tpr)):
            if (name := f"membership_{kind}_{attack}") in MEMBERSHIP:
                found[name] = clustered(members, unseen)
    return found


def _person_counts(decisions: Decisions, persons: Mapping[str, str]) -> tuple[int, int]:
    known = {persons[id] for id in decisions.ids("known") if id in persons}
    return len(set(persons.values())), len(known)
