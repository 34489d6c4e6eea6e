"""Run the stages in order: check, evaluate the original model, unlearn, evaluate, write."""

import os
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from unteach.attacks._in_run import attack_run, keep
from unteach.attacks._in_run import checked as check
from unteach.checks.earlier import FILE_MARK, mark_of
from unteach.checks.files import written
from unteach.checks.request import CheckedRequest, training_data
from unteach.evaluation.card import write_card
from unteach.evaluation.hashes import model_hash
from unteach.evaluation.identity import identity_of, version_of_bits
from unteach.evaluation.known import require_known
from unteach.evaluation.loading import load
from unteach.evaluation.made_retain import with_made_retain
from unteach.evaluation.of_run import RunEvaluation, start_of
from unteach.evaluation.rescore import read_report
from unteach.evaluation.results import ROWS, versions, write
from unteach.evaluation.run_report import make_report
from unteach.evaluation.texts import add_texts
from unteach.files import RunFolder, in_words, recover, working, write_text
from unteach.files.rows import read_rows, write_rows
from unteach.inference.loaded import freed_afterwards
from unteach.metrics.earlier import is_earlier, measured_earlier
from unteach.models.unchanged import require_unchanged
from unteach.processes.main import agreed, is_main, join, own_device, shared
from unteach.progress import NoProgress, ProgressListener
from unteach.report import Report
from unteach.report.attacked import Attacked
from unteach.settings.request import FILE as REQUEST
from unteach.settings.request import Request
from unteach.training.training_data import TrainingData
from unteach.types import ROLES, Row

Rows = dict[str, list[Row]]
KNOWN = "known_again"  # a fact: groups of earlier requests that were not held


def run(request: Request, listener: ProgressListener | None = None) -> Report:
    """Run a request: write the unlearned model and its report to `request.out`.

    An interrupted run resumes when the same request is given again, and its result is the same as
    without the interruption. With several processes (`accelerate launch`, `torchrun`) all train
    and evaluate, and the main process writes; each of them returns the report.

    Args:
        request: the settings of the run.
        listener: receives the progress; None for no progress.

    Raises:
        UserError: all problems found; finished work is kept beside `out` for the next try.
        SystemExit: SIGTERM arrived during training; a checkpoint was written.
    """
    join(request.device)
    listener = listener if listener and is_main() else NoProgress()
    listener.stage("checking the request")
    with in_words(request.out):
        shared(lambda: recover(request.out))
    intake = agreed(lambda: check(request))
    listener.notes(intake.notes)
    intake = with_made_retain(intake, listener)
    if declared := intake.request.gates.declared:
        told = ", ".join(f"{name} {limit:g}" for name, limit in declared.items())
        listener.stage(f"gates are fixed: {told} (sha256 {intake.request.gates.sha256})")
    opened = _opened(intake, listener)
    # Freed once around all models: the libraries are looked through for garbage once.
    with in_words(request.out, written(intake.request)), opened as work, freed_afterwards():
        return _run(intake, work, listener)


def _run(intake: CheckedRequest, work: RunFolder, listener: ProgressListener) -> Report:
    """Run the stages that are not done yet."""
    began = time.monotonic()
    listener.notes(shared(work.mend))
    facts = shared(work.trained)
    asked = RunEvaluation(intake)
    if work.placed:
        listener.stage("this very request is done already: nothing was done again")
        attacks = shared(lambda: _attacked_before(work))
        return make_report(intake, evidence(asked, work, listener), facts or {}, attacks)
    if facts is None:
        _check_other_models(intake)
        before = rows_of("original", intake.request.model, asked, work, listener, work.before)
        listener.notes(require_known(before, intake.request))
        folder = shared(work.begin)
        known = known_again(intake, before)
        with freed_afterwards():  # of the trained model, before the next one is loaded
            facts = remove(intake, folder, listener, work.checkpoints, work.identity, known)
        shared(lambda: work.keep(facts))
    else:
        listener.stage("going on: the model is trained and written")
    rows = evidence(asked, work, listener)
    asked.plan.states.drop()
    attacks = attacked(intake, work, listener)
    facts |= {"seconds": round(time.monotonic() - began, 1)}
    facts |= versions() | version_of_bits(intake.request)
    facts |= asked_by(intake.request)
    facts |= {"model_before": shared(lambda: model_hash(intake.request.model))}
    listener.stage("writing the report")
    report = make_report(intake, rows, facts, attacks)
    shared(lambda: _write(report, rows, intake.request, work))
    return report


def known_again(intake: CheckedRequest, before: Rows) -> list[str]:
    """Groups of earlier requests that the original knows again, by its rows."""
    found = measured_earlier({"original": before}, [one.request for one in intake.earlier])
    return [one.group for one in found if one.known_before]


def asked_by(request: Request) -> dict[str, str]:
    """Id of the deletion request and name of the operator, where they were given."""
    named = {"request_id": request.request_id, "operator": request.operator}
    return {name: value for name, value in named.items() if value}


def _check_other_models(intake: CheckedRequest) -> None:
    """Check before training that the retrained and the base model hold finite weights."""
    from unteach.models.weight_files import require_numbers_on_disk

    request, method = intake.request, intake.method
    taught = method.asks_base() or method.trains_on == "retain"
    named = {"--retrained": request.retrained, "--base": request.base if taught else None}
    for flag, model in named.items():
        if model:
            shared(partial(require_numbers_on_disk, model, f"{flag} {model}"))


def _write(report: Report, rows: dict[str, Rows], request: Request, work: RunFolder) -> None:
    write_text(work.result / REQUEST, request.to_yaml())
    write(report, rows, work.result)
    write_card(report, request, work.result)
    work.finish(dict(report.facts))


@contextmanager
def _opened(intake: CheckedRequest, listener: ProgressListener) -> Iterator[RunFolder]:
    """Open the run's folder; the main process creates it, and all processes get it."""
    identity, mark = shared(lambda: identity_of(intake))
    with ExitStack() as held:
        out, may = intake.request.out, intake.request.overwrite
        found = working(out, identity, lambda p: listener.notes([p]), overwrite=may, mark=mark)
        yield shared(lambda: held.enter_context(found))


def remove(
    intake: CheckedRequest,
    folder: Path,
    listener: ProgressListener,
    checkpoints: Path | None = None,
    identity: str = "",
    known: Collection[str] = (),
    callbacks: Iterable[Any] = (),
) -> dict[str, Any]:
    """Unlearn, write the model into the folder, and return facts about the training.

    Args:
        intake: the checked request.
        folder: where the model is written.
        listener: receives the progress.
        checkpoints: folder to write checkpoints to and to resume from; None for no checkpoints.
        identity: hash of the run; a checkpoint with another hash is refused.
        known: groups of earlier requests that are known again already, and are not held.
        callbacks: further callbacks of the trainer, which may look at the model between steps.
    """
    from unteach.models.loading import load_config
    from unteach.training.safeguards.lower_rate import with_lower_rate
    from unteach.training.unlearn import unlearn_model

    request = intake.request
    taught = base_rows(intake, listener)
    data = training_data(intake, known)

    def train(request: Request) -> Any:
        listener.stage("loading the model")
        model = agreed(lambda: load_to_train(request, start_of(intake)))
        agreed(lambda: require_unchanged(intake.ages))
        return unlearn_model(
            model, intake.tokenizer, intake.method, data, request, listener,
            checkpoints=checkpoints, before=identity, teacher_rows=taught, callbacks=callbacks,
        )  # fmt: skip

    done, lower = with_lower_rate(
        train, request, lambda problem: listener.notes([problem]), checkpoints
    )
    listener.stage("writing the model")
    dtype = getattr(
        load_config(request.model, trust_remote_code=request.trust_remote_code), "dtype", None
    )
    shared(lambda: _export(done, intake, folder, dtype))  # the main process has all weights
    shared(lambda: require_unchanged(intake.ages))  # files beside the weights were copied
    facts = _facts_of(intake, data) | done.facts | _facts_of_earlier(request, data, known)
    if request.gates.declared:
        facts["gates"] = {"sha256": request.gates.sha256}
    facts |= {"further_wordings": len(intake.formed)} if request.train.forms else {}
    if lower is not None:
        facts["learning_rate_lowered_to"] = lower
    return facts


def _facts_of(intake: CheckedRequest, data: TrainingData) -> dict[str, Any]:
    """Return what a run was given, in numbers."""
    counts = {role: len(e) for role, e in intake.groups.items() if not is_earlier(role)}
    tokens = sum(sum(sequence.answer) for sequence in data.forget)
    return {"examples": counts, "forget_answer_tokens": tokens}


def _facts_of_earlier(
    request: Request, data: TrainingData, known: Collection[str]
) -> dict[str, Any]:
    """Return what the next run needs of this request, and what was held of earlier ones."""
    facts: dict[str, Any] = {FILE_MARK: mark_of(request.forget)}
    facts |= {"replayed": len(data.replay)} if data.replay else {}
    return facts | ({KNOWN: [*known]} if known else {})


def base_rows(intake: CheckedRequest, listener: ProgressListener) -> Any:
    """Compute the base model's teacher rows, then free it; None where it is not the teacher."""
    request, method = intake.request, intake.method
    if not request.base or not method.asks_base():
        return None
    from unteach.rowengine.teacher_rows import TeacherRows
    from unteach.training.base_model import fine_tuned, steps_on
    from unteach.training.teacher import find_teaching, logps_of

    listener.stage("reading what the base model says of the forget answers")
    base = load(
        request.base, request.base, dtype=request.dtype, device=request.device, bits=None,
        trust_remote_code=request.trust_remote_code, flag="--base", whole=True,
    )  # fmt: skip
    data = training_data(intake)
    forget, retain, level = (data.shown(role) for role in ROLES)
    by_base = getattr(method, "teacher", "") in ("auto", "base")
    epochs = method.base_epochs if by_base else 0
    if steps := steps_on(retain, epochs):
        listener.stage(f"teaching the base model the style of the retain file: {steps} steps")
        base = fine_tuned(base, retain, epochs=epochs, seed=request.train.seed)
    found = find_teaching(
        method, base, intake.tokenizer, forget, retain, level,
        seed=request.train.seed, base_logps=lambda sequences: logps_of(base, sequences),
    )  # fmt: skip
    found.teacher.facts.update({"teacher_base_steps": steps} if steps else {})
    return TeacherRows(found.teacher, base) if found.teacher.source == "base" else None


def load_to_train(request: Request, start: str) -> Any:
    """Load the model of a request on its device, with weights that small updates move."""
    from unteach.models.loading import load_model
    from unteach.processes.launcher import sharding_asked

    device, bits = own_device(request.device), request.adapter.bits
    shards = sharding_asked(os.environ)  # accelerate puts each on its device
    model = load_model(
        start,
        flag="--model" if start == request.model else "--base",
        dtype=request.dtype,
        device=device,
        bits=bits,
        placed=shards is None,
        trust_remote_code=request.trust_remote_code,
    )
    # Updates of size 1e-5 are lost to rounding in bfloat16 weights.
    return model.float() if request.adapter.kind == "full" else model


def evidence(asked: RunEvaluation, work: RunFolder, listener: ProgressListener) -> dict[str, Rows]:
    """Return the rows of each model: original, unlearned (as written) and retrained."""
    request = asked.request
    models = {"original": request.model, "unlearned": str(work.result)}
    models |= {"retrained": request.retrained} if request.retrained else {}
    return {name: rows_of(name, path, asked, work, listener) for name, path in models.items()}


def rows_of(
    name: str,
    path: str,
    asked: RunEvaluation,
    work: RunFolder,
    listener: ProgressListener,
    into: Path | None = None,
) -> Rows:
    """Return the rows of one model; read them from its folder if they were written before.

    Args:
        name: "original", "unlearned" or "retrained".
        path: the model.
        asked: what the models are asked.
        work: the run's folder.
        listener: receives the progress.
        into: folder of the rows; None for the folder of the result.
    """
    folder = into or work.result
    file = folder / ROWS / f"{name}.jsonl"
    if found := shared(lambda: read_rows(file)[0] if file.exists() else None):
        return found
    listener.stage(f"evaluating: {name}")
    if name == "unlearned":
        shared(work.require_whole)
    found = asked.answers(name, path, listener)
    shared(lambda: add_texts(folder, name, found.spoken))
    shared(lambda: require_unchanged(asked.plan.ages))
    shared(lambda: _keep_rows(file, found.rows, work))
    return found.rows


def _keep_rows(file: Path, rows: Rows, work: RunFolder) -> None:
    write_rows(file, rows)
    work.keep_rows()


def attacked(
    intake: CheckedRequest, work: RunFolder, listener: ProgressListener
) -> Attacked | None:
    """Run the attacks of the request; each variant is kept as soon as it is scored."""
    if not intake.request.attack.names:
        return None
    shared(work.require_whole)
    result = attack_run(intake, work.result, start_of(intake), work.attacks, listener)
    require_unchanged(intake.ages)
    return shared(lambda: keep(result, work.result))


def _attacked_before(work: RunFolder) -> Attacked | None:
    """The attacks in the report of a run that is done."""
    return read_report(work.result).attacks


def _export(done: Any, intake: CheckedRequest, folder: Path, dtype: Any) -> None:
    from unteach.adapters import merge, save_adapter, save_model

    request, model = intake.request, done.model
    if request.adapter.bits:
        model = _on_plain_base(model, start_of(intake), request)
    if request.adapter_only:
        save_adapter(model, intake.tokenizer, folder, start=done.start)
        return
    model = merge(model) if request.adapter.kind == "lora" else model
    save_model(model, intake.tokenizer, folder, dtype=dtype)


def _on_plain_base(model: Any, start: str, request: Request) -> Any:
    """Move the adapter to the weights on disk: merging into 4-bit weights would lose precision."""
    from unteach.adapters import on_plain_base
    from unteach.models.loading import load_model

    remote_code = request.trust_remote_code
    base = load_model(start, dtype="checkpoint", device="cpu", trust_remote_code=remote_code)
    return on_plain_base(model, base)
