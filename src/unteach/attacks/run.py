"""Run attacks on all models, and keep the rows of each variant so that a run can resume."""

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from unteach.attacks._base import Attack, AttackOutcome
from unteach.attacks._judge import PLAIN, RecoveryLine, judged
from unteach.attacks._plan import PARTS, AttackRequest, CheckedAttack, attack_request, checked
from unteach.attacks._result import AttackResult, result_of
from unteach.attacks._subject import AttackSubject, bare
from unteach.attacks._write import write
from unteach.errors import Problem
from unteach.evaluation import cache
from unteach.evaluation.hashes import ASKING, code_hash, data_hash, model_hash
from unteach.evaluation.results import versions
from unteach.evaluation.rows import check_numbers
from unteach.files import in_words
from unteach.files.rows import Groups
from unteach.models.unchanged import Ages, ages_of, require_unchanged
from unteach.processes.main import agreed, is_main, join, shared
from unteach.progress import NoProgress, ProgressListener, duration

CODE = (*ASKING, "attacks")
Rows = dict[str, dict[str, Any]]  # variant -> model -> its rows


def attack(
    asked: AttackRequest | None = None, listener: ProgressListener | None = None, **fields: Any
) -> AttackResult:
    """Attack the models, and write the result to `asked.out`.

    An interrupted run resumes when the same request is given again: the rows of each variant and
    model are kept in `parts/`, readable by this user only. With several processes (`torchrun`) each
    evaluates a share of the texts, and the main process writes.

    Args:
        asked: the request: models, data and attacks.
        listener: receives progress; None for no progress.
        fields: fields of an `AttackRequest` in place of `asked`: `model`, `forget`, ...

    Raises:
        UserError: all problems of the request, before weights are loaded.

    Example:
        result = attack(model="unlearned", original="my-model", forget="forget.jsonl",
                        holdout="holdout.jsonl", attacks=("int4",))
        result.headline, result.worst.recovery
    """
    if asked is not None and fields:
        raise TypeError("give an AttackRequest, or its fields")
    asked = asked or attack_request(**fields)
    join(asked.device)
    listener = listener if listener and is_main() else NoProgress()
    listener.stage("checking the request")
    found = agreed(lambda: checked(asked))  # on all processes, before the main one writes
    listener.notes(found.notes)
    with in_words(asked.out):
        result = carried_out(found, listener)
        listener.stage("writing the result")
        shared(lambda: write(result, asked.out))
    return result


def carried_out(found: CheckedAttack, listener: ProgressListener) -> AttackResult:
    """Run the attacks of a checked request, or resume them; writes only `parts/`."""
    places = found.plan.places.values()
    before = shared(lambda: ages_of(p for place in places for p in (place.path, place.base)))
    run = _Run(found, listener, before)
    lines, rows = run.all()
    shared(lambda: require_unchanged(before))
    return result_of(found, lines, rows, run.seconds, versions())


class _Run:
    """State of a run: the rows without attack, and times."""

    def __init__(self, found: CheckedAttack, listener: ProgressListener, before: dict[str, Ages]):
        self.found, self.listener, self.before = found, listener, before
        self.folder = found.asked.out / PARTS
        self.seconds: dict[str, float] = {}
        self.plain: dict[str, Any] = {}
        self.pace = 0.0  # seconds to evaluate one model without attack
        groups = {name: replace(group, notes=()) for name, group in found.plan.groups.items()}
        self.data = data_hash(groups)
        self.models = shared(self._hashes)

    def _hashes(self) -> dict[str, list[str | None]]:
        return {
            name: [model_hash(path) for path in (place.path, place.base)]
            for name, place in self.found.plan.places.items()
        }

    def all(self) -> tuple[list[RecoveryLine], dict[tuple[str, str], Any]]:
        """Return all lines, and the rows of each."""
        self._ask_plain()
        lines = [judged(None, PLAIN, self.plain, self.plain)]
        rows: dict[tuple[str, str], Any] = {(PLAIN, PLAIN): self.plain}
        for one in self.found.attacks:
            began = time.monotonic()
            lines += one.read(self.plain)
            made, facts = self._attacked(one)
            for variant, of in made.items():
                lines.append(judged(one, variant, of, self.plain, facts[variant]))
                rows[one.name, variant] = of
            self.seconds[one.name] = round(time.monotonic() - began, 1)
        return lines, rows

    def _ask_plain(self) -> None:
        """Evaluate every model without attack; the time taken is the unit of estimates."""
        for name, subject in self.found.subjects.items():
            if kept := self._kept(name, "plain", PLAIN):
                rows, seconds = kept[0], kept[1].get("counts", {}).get("seconds", 0.0)
            else:
                self.listener.stage(f"evaluating without attack: {name}")
                began = time.monotonic()
                rows = self._plain(subject)
                seconds = time.monotonic() - began
                check_numbers(name, rows)
                self._store(name, "plain", PLAIN, rows, {"seconds": round(seconds, 2)})
            self.plain[name] = rows
            # The first model's time includes the loading of libraries.
            self.pace = min(self.pace or seconds, seconds)
            self.found.subjects[name] = replace(subject, plain=rows)

    def _plain(self, subject: AttackSubject) -> Any:
        from unteach.inference import loaded_model

        told = replace(subject, tell=self.listener.progress)
        asked, groups = told.questions(told.groups), list(told.groups)
        said = loaded_model(told.load, lambda model: told.said(model, asked, groups))
        return {role: [bare(row, short=1) for row in rows] for role, rows in said.rows.items()}

    def _attacked(self, one: Attack) -> tuple[Rows, dict[str, dict[str, Mapping[str, float]]]]:
        """Run the missing variants of an attack; return the rows and facts by variant and model."""
        rows: Rows = {}
        facts: dict[str, dict[str, Mapping[str, float]]] = {}
        left = shared(lambda: self._left(one))
        self._foretell(one, left)
        for name, subject in self.found.subjects.items():
            variants = one.variants(subject)
            if left[name]:
                self.listener.stage(f"{one.name}: {name}")
                self._make(one, subject, left[name])
            for variant in variants:
                if kept := self._kept(name, one, variant):
                    rows.setdefault(variant, {})[name] = kept[0]
                    facts.setdefault(variant, {})[name] = kept[1].get("counts", {})
        return rows, facts

    def _left(self, one: Attack) -> dict[str, list[str]]:
        """Return by model the variants whose rows are not kept yet."""
        return {
            name: [v for v in one.variants(subject) if not self._read(name, one, v)]
            for name, subject in self.found.subjects.items()
        }

    def _make(self, one: Attack, subject: AttackSubject, wanted: list[str]) -> None:
        done = 0
        told = replace(subject, tell=self._sampling)  # not the progress of each scoring
        for finding in one.attack(told, wanted):
            if finding.variant in wanted:
                self._keep(one, subject, finding)
                done += 1
                self.listener.progress(f"{one.name}: {subject.name}", done, len(wanted))

    def _sampling(self, what: str, done: int, total: int) -> None:
        if what.startswith("sampling"):
            self.listener.progress(what, done, total)

    def _kept(self, model: str, one: Attack | str, variant: str) -> Any:
        """Return the rows of a variant with their facts, on all processes; None if there are none.

        The main process reads them: the others may not see its files at once, or not at all.
        """
        return shared(lambda: self._read(model, one, variant))

    def _read(self, model: str, one: Attack | str, variant: str) -> Any:
        return cache.find(self.folder, self._key(model, one, variant))

    def _keep(self, one: Attack, subject: AttackSubject, finding: AttackOutcome) -> None:
        self._store(subject.name, one, finding.variant, finding.rows, dict(finding.facts))

    def _store(
        self, model: str, one: Attack | str, variant: str, rows: Groups, facts: dict[str, Any]
    ) -> None:
        def keep() -> None:
            require_unchanged(self.before)  # else the rows would be kept for the wrong model
            cache.keep(self.folder, self._key(model, one, variant), rows, facts)

        shared(keep)

    def _foretell(self, one: Attack, left: dict[str, list[str]]) -> None:
        """Announce the estimated time, from the time without attack."""
        shares = {
            name: len(names) / max(len(one.variants(self.found.subjects[name])), 1)
            for name, names in left.items()
        }
        cost = sum(one.cost(self.found.subjects[n]) * share for n, share in shares.items())
        if cost:
            about = duration(cost * self.pace)
            what = f"{sum(map(len, left.values()))} variants to run, about {about}"
            self.listener.notes([Problem(one.name, what, "", "note")])

    def _key(self, model: str, one: Attack | str, variant: str) -> str:
        """Return a hash of all that the rows depend on; unique if the weights have no hash."""
        from unteach.models.loading import pick_device

        asked, plan = self.found.asked, self.found.plan
        hashes = self.models[model] + self.models.get("original", [])
        name = one if isinstance(one, str) else one.name
        key = cache.key_of(
            {
                "model": None if None in hashes else hashes,
                "original": model == "original",
                "data": self.data,
                "wordings": sorted(self.found.subjects[model].wordings.items()),
                "settings": asdict(plan.settings),
                "attack": [name, variant, {} if isinstance(one, str) else asdict(one)],  # type: ignore[call-overload]
                "seed": asked.seed,
                "code": code_hash(CODE),
                "how": [asked.dtype, pick_device(asked.device).type],
            }
        )
        return key or f"{id(self)} {model} {name} {variant}"


__all__ = ["AttackRequest", "AttackResult", "attack"]
