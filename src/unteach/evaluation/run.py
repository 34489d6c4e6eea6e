"""`unteach evaluate`: evaluate models on a suite, and write rows, scores and a report."""

import time
from dataclasses import asdict, replace
from typing import Any

from unteach.errors import Problem
from unteach.evaluation.check import CheckedEvaluation, check
from unteach.evaluation.harness import scores_of_all, task_table
from unteach.evaluation.known import known_notes
from unteach.evaluation.request import Evaluation
from unteach.evaluation.results import judge, versions, write
from unteach.evaluation.rows import rows_of_all
from unteach.evaluation.texts import add_texts, notes_on_text
from unteach.files import staged
from unteach.processes.main import agreed, is_main, join
from unteach.progress import NoProgress, ProgressListener
from unteach.report import Report, protocol


def evaluate(asked: Evaluation, listener: ProgressListener | None = None) -> Report:
    """Evaluate every model on the suite, and write rows, scores and report into `asked.out`.

    With several processes (`accelerate launch`, `torchrun`) each computes a shard, and the main
    process writes; all return the report.

    Args:
        asked: models, suite and settings.
        listener: receives progress; None for no progress.

    Raises:
        UserError: all problems; nothing is written then.
    """
    join(asked.device)
    listener = listener if listener and is_main() else NoProgress()
    listener.stage("checking what was asked")
    plan = agreed(lambda: check(asked))  # on all processes, before the main one writes into `out`
    listener.notes(plan.notes)
    began = time.monotonic()
    rows, counts, spoken = ({}, {}, {}) if plan.suite.harness else rows_of_all(plan, listener)
    models = scores_of_all(plan, listener) if plan.suite.harness else {}
    facts = facts_of(plan, counts)
    facts["seconds"] = round(time.monotonic() - began, 1)
    report = of_tasks(plan, models, facts) if models else report_of(plan, rows, facts)
    if is_main():
        listener.stage("writing the report")
        with staged(asked.out, overwrite=asked.overwrite) as folder:
            about = {"suite": plan.suite.name, "suite_version": plan.suite.version}
            write(report, rows, folder, about=about)
            for name, texts in spoken.items():
                add_texts(folder, name, texts)
    return report


def report_of(plan: CheckedEvaluation, rows: dict[str, Any], facts: dict[str, Any]) -> Report:
    """The report, computed from the rows."""
    asked = plan.asked
    report = Report(
        **judge(rows, compat=asked.compat, gates=asked.gates),
        label=label_of(plan),
        papers=plan.suite.papers,
        request=asked.model_dump(mode="json", exclude={"cache", "overwrite"}),
        facts=facts,
        notes=(
            *map(str, plan.notes),
            *map(str, _known(plan, rows)),
            *unasked(plan, rows),
            *notes_on_text(asked.keep_text),
        ),
    )
    return replace(report, tables=tables_of(plan, report))


def _known(plan: CheckedEvaluation, rows: dict[str, Any]) -> list[Problem]:
    """Notes on forget answers that the original does not know, for the user's own data only."""
    if plan.suite.name != "own" or "original" not in rows:
        return []
    forget, holdout = (plan.options.get(role) or role for role in ("forget", "holdout"))
    return known_notes(rows["original"], forget, holdout, plan.settings.template)


def unasked(plan: CheckedEvaluation, rows: dict[str, Any]) -> tuple[str, ...]:
    """Notes on prompts that were not used for generation since they are too long."""
    notes = []
    for name, group in plan.groups.items():
        if not group.generate:
            continue
        asked = max(
            (sum(row.said_tokens is not None for row in groups[name]) for groups in rows.values()),
            default=0,
        )
        questions = sum(example.answer_turn is not None for example in group.examples)
        if asked < questions:
            notes.append(
                f"{name}: {questions - asked} of {questions} questions were not asked; their "
                f"prompts and answers do not fit into {plan.settings.max_length} tokens"
            )
    return tuple(notes)


def of_tasks(plan: CheckedEvaluation, models: dict[str, Any], facts: dict[str, Any]) -> Report:
    """The report of a suite that runs its own evaluation."""
    return replace(report_of(plan, {}, facts), models=models, tables={"Tasks": task_table(models)})


def tables_of(plan: CheckedEvaluation, report: Report) -> dict[str, list[list[str]]]:
    """The table of a protocol, if the suite has one selected; models in the order given."""
    name = plan.options.get("protocol", "once")
    if name == "once":
        return {}
    models = [m for m in report.models if m != "retrained"]
    of = [(m, report.score(m, "knowmem_retain", "knowledge_memorization")) for m in models]
    return {f"{name.capitalize()}: knowledge of what should stay, request by request": protocol(of)}


def label_of(plan: CheckedEvaluation) -> str:
    """Name of the suite and its selected options, without paths."""
    known = plan.suite.options
    chosen = [f"{name} {value}" for name, value in plan.options.items() if known[name].values]
    return ", ".join([plan.suite.name, *chosen])


def facts_of(plan: CheckedEvaluation, counts: dict[str, Any]) -> dict[str, Any]:
    """Facts for the report: suite, examples, settings, counts and versions."""
    suite = plan.suite
    examples = {name: len(group.examples) for name, group in plan.groups.items()}
    facts: dict[str, Any] = {"suite": f"{suite.name}, version {suite.version}"}
    facts |= {"examples": examples} if examples else {}
    if plan.asked.gates.declared:
        facts["gates"] = {"sha256": plan.asked.gates.sha256}
    if plan.asked.limit:
        facts["limit"] = f"{plan.asked.limit} examples of each group, drawn by seed 0"
    if suite.harness:
        from unteach.suites.harness import versions as harness_versions

        return facts | harness_versions(plan.options, suite=suite.name) | versions()
    facts |= {name: asdict(plan.settings)[name] for name in ("max_length", "max_new_tokens")}
    return facts | {f"asking {name}": found for name, found in counts.items()} | versions()
