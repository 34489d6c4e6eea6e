"""The one place that joins the stages: check, unlearn, evaluate, write."""

import gc
import math
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import Any

from unteach.evaluation.results import judge, versions, write
from unteach.evaluation.texts import add_texts, notes_on_text
from unteach.intake import Intake, check
from unteach.nouns import Paper, Row, Sequence
from unteach.report import Report
from unteach.request import Request
from unteach.rundir import staged
from unteach.talk import Silence, Talk

Rows = dict[str, list[Row]]


def run(request: Request, talk: Talk | None = None) -> Report:
    """The main job: from a request to an unlearned model and its report, all in `request.out`.

    Args:
        request: what is asked for.
        talk: told how it goes; nobody when left out.

    Raises:
        UserError: whatever was wrong; then nothing is left behind.
    """
    talk = talk or Silence()
    talk.stage("checking the request")
    intake = check(request)
    talk.notes(intake.notes)
    began = time.monotonic()
    with staged(intake.request.out) as folder:
        facts = remove(intake, folder, talk)
        rows = evidence(intake, folder, talk)
        facts |= {"seconds": round(time.monotonic() - began, 1)}
        facts |= versions() | _version_of_bits(request)
        talk.stage("writing the report")
        report = make_report(intake, rows, facts)
        (folder / "request.yaml").write_text(intake.request.to_yaml(), encoding="utf-8")
        write(report, rows, folder)
    return report


def remove(intake: Intake, folder: Path, talk: Talk) -> dict[str, Any]:
    """Unlearn, and write the model into the folder; returns what happened."""
    from unteach.engine.unlearn import unlearn
    from unteach.models import load_config, load_model

    request = intake.request
    talk.stage("loading the model")
    model = load_model(
        request.model, dtype=request.dtype, device=request.device, bits=request.adapter.bits
    )
    if request.adapter.kind == "full":
        model = model.float()  # steps of 1e-5 are lost in bfloat16 weights
    request = stopping(request, model, intake.sequences.get("holdout", []))
    forget, retain = (intake.sequences.get(role, []) for role in ("forget", "retain"))
    examples = intake.groups["forget"]
    done = unlearn(model, intake.tokenizer, intake.method, forget, retain, request, talk, examples)
    talk.stage("writing the model")
    dtype = getattr(load_config(request.model), "dtype", None)
    _export(done, intake, folder, dtype)
    counts = {role: len(examples) for role, examples in intake.groups.items()}
    tokens = sum(sum(s.answer) for s in forget)
    facts = {"examples": counts, "forget_answer_tokens": tokens, **done.facts}
    if intake.request.train.stop_at == "holdout":
        facts["stop_at"] = request.train.stop_at
    return facts


def stopping(request: Request, model: Any, holdout: list[Sequence]) -> Request:
    """The request with the probability to stop at, where that is the holdout answers' own.

    The mean over them of the probability per token, as training sees the forget answers.
    """
    if request.train.stop_at != "holdout":
        return request
    from unteach.probes import answer_tokens

    answered = answer_tokens(model, holdout, tokens_per_batch=request.evaluate.tokens_per_batch)
    each = [math.exp(fmean(found.logps)) for found in answered]
    train = request.train.model_copy(update={"stop_at": fmean(each)})
    return request.model_copy(update={"train": train})


def evidence(intake: Intake, folder: Path, talk: Talk) -> dict[str, Rows]:
    """The rows of each model: the original, the unlearned as written, the retrained."""
    request = intake.request
    rows = {}
    for name, path in (
        ("original", request.model),
        ("unlearned", str(folder)),
        ("retrained", request.retrained),
    ):
        if path:
            talk.stage(f"evaluating: {name}")
            rows[name] = evaluate(path, intake, talk, partial(add_texts, folder, name))
    return rows


def evaluate(
    path: str, intake: Intake, talk: Talk, keep: Callable[[Any], None] = lambda spoken: None
) -> Rows:
    """The rows of one model on disk, in the roles that have examples, beside the original.

    What it said is kept where the request wants that.
    """
    from unteach.suites import Group, Settings
    from unteach.suites.ask import ask
    from unteach.suites.own import sample

    request = intake.request
    limit = request.evaluate.max_examples
    groups = {
        role: Group(examples=examples if role == "forget" else sample(examples, limit))
        for role, examples in intake.groups.items()
    }
    settings = Settings(
        max_length=request.data.max_length or 2048,
        template=request.data.template,
        max_new_tokens=request.evaluate.max_new_tokens,
        tokens_per_batch=request.evaluate.tokens_per_batch,
    )
    found = ask(
        lambda: _load(path, request),
        intake.tokenizer,
        groups,
        settings,
        original=lambda: _load(request.model, request),
        keep_text=request.keep_text,
        progress=talk.progress,
    )
    keep(found.spoken)
    return found.rows


def _load(path: str, request: Request) -> Any:
    """A model on disk; adapters on the request's model."""
    from unteach.models import load_model

    gc.collect()  # the model before it, which one small GPU cannot hold beside this one
    base = request.model if Path(path, "adapter_config.json").exists() else path
    bits = request.evaluate.bits
    model: Any = load_model(base, dtype=request.dtype, device=request.device, bits=bits)
    if base == path:
        return model
    from unteach.adapters import load_adapter

    return load_adapter(model, path)


def make_report(intake: Intake, rows: dict[str, Rows], facts: dict[str, Any]) -> Report:
    """The report, from the rows alone."""
    method = intake.method
    return Report(
        **judge(rows),
        label=method.title(),
        papers=papers(method, intake.request),
        request=intake.request.model_dump(mode="json"),
        facts=facts,
        notes=(*map(str, intake.notes), *notes_on_text(intake.request.keep_text)),
    )


def papers(method: Any, request: Request) -> tuple[Paper, ...]:
    """Whose ideas a run used: the method's, and those that go with any method."""
    from unteach.engine.gradients import SAM
    from unteach.engine.memory import QLORA
    from unteach.methods import METHODS

    found, fila = [method.paper], METHODS.get("loku").paper
    if request.adapter.init == "fila" and method.paper != fila:
        found.append(fila)
    if request.train.sam:
        found.append(SAM)
    if request.adapter.bits:
        found.append(QLORA)
    return tuple(found)


def _version_of_bits(request: Request) -> dict[str, str]:
    """The version of what made them, where a run had any."""
    some = request.adapter.bits or request.evaluate.bits
    return {"bitsandbytes": version("bitsandbytes")} if some else {}


def _export(done: Any, intake: Intake, folder: Path, dtype: Any) -> None:
    from unteach.adapters import merge, save_adapter, save_model

    request, model = intake.request, done.model
    if request.adapter.bits:
        model = _on_plain_base(model, request.model)
    if request.adapter_only:
        save_adapter(model, intake.tokenizer, folder, start=done.start)
        return
    model = merge(model) if request.adapter.kind == "lora" else model
    save_model(model, intake.tokenizer, folder, dtype=dtype)


def _on_plain_base(model: Any, base: str) -> Any:
    """4-bit weights cannot take up an adapter without a loss; those on disk can."""
    from unteach.adapters import on_plain_base
    from unteach.models import load_model

    return on_plain_base(model, load_model(base, dtype="checkpoint", device="cpu"))
