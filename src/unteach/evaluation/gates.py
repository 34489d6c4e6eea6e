"""Whether the gates that were declared before a run are passed, by its rows alone.

Forget answers are held against the half of the holdout that neither training nor stopping saw, and
so are their paraphrases where the data has some.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from unteach.checks.gates import SEES, few
from unteach.metrics.fluency import fluent, usual
from unteach.metrics.intervals import mean_score, share_score
from unteach.metrics.memorised import smallest_auc
from unteach.metrics.roc import auc
from unteach.metrics.rows import Groups, MissingRows, mean_logp, probability, scored
from unteach.report import Report
from unteach.report.gates import Gate, Outcome
from unteach.report.judge import staying
from unteach.report.wrong import one_model
from unteach.settings.gates import Gates
from unteach.types import Row, Score

Rows = Mapping[str, Groups]
KEPT = "{}: share of probability kept"
SPOKEN = "{}: share of fluency kept"


def measured(report: Report, rows: Rows, gates: Gates) -> tuple[Gate, ...]:
    """Every declared gate of the one model that a report judges; none where it judges several."""
    model = one_model(report)
    if model is None:
        return ()
    found: list[Gate] = []
    if gates.membership is not None:
        found += _membership(rows, model, gates.membership)
    if gates.given is not None:
        found.append(_given(report, model, gates.given))
    if gates.retain is not None:
        groups = staying(report) or ["retain"]
        found += [_kept(rows, model, "retain", g, gates.retain) for g in groups]
    if gates.holdout is not None:
        found.append(_kept(rows, model, "holdout", "holdout", gates.holdout))
    if gates.earlier is not None:
        found.append(_earlier(report, gates.earlier))
    if gates.fluency is not None:
        found += _fluency(rows, model, gates.fluency)
    return tuple(found)


def _membership(rows: Rows, model: str, limit: float) -> Iterator[Gate]:
    kinds = (("answer", "membership AUC"), ("paraphrase", "membership AUC, paraphrases"))
    for kind, measure in kinds:
        groups = ("forget", "holdout")
        ours, others = (scored(rows[model].get(g, []), kind) for g in groups)
        if kind != "answer" and not (ours and others):
            continue
        score = _auc(ours, others)
        never = rows.get("retrained", {})
        beside = _auc(*(scored(never.get(g, []), kind) for g in groups)).value
        at = 0.5 if beside is None else beside
        outcome, why = _near(score, at, limit)
        seen = smallest_auc(len(ours), len(others))
        if outcome == "done" and (seen is None or seen > SEES):
            outcome, why = "cannot tell", few(len(ours), len(others))
        yield Gate(
            name="membership", measure=measure, score=score, low=max(at - limit, 0.0),
            high=min(at + limit, 1.0), outcome=outcome, why=why,
        )  # fmt: skip


def _auc(ours: list[Row], others: list[Row]) -> Score:
    if not ours or not others:
        return Score(None, note="not measurable: no holdout set is given, or no forget answers")
    return auc([mean_logp(row) for row in ours], [mean_logp(row) for row in others])


def _near(score: Score, at: float, limit: float) -> tuple[Outcome, str]:
    """Whether an AUC is near the one of a model that never saw the forget set."""
    if score.value is None:
        return "cannot tell", score.note.removeprefix("not measurable: ")
    off = score.value - at
    if abs(off) <= limit + 1e-9:
        return "done", ""
    end = score.low if off > 0 else score.high
    if end is not None and (end - at) * off <= 0:
        return "cannot tell", f"the interval holds {at:.2f}: chance may have done it"
    return ("still recognisable" if off > 0 else "over-forgotten"), ""


def _given(report: Report, model: str, limit: int) -> Gate:
    given = report.given.get(model)
    fixed: dict[str, Any] = {"name": "given", "measure": "answers still given", "high": limit}
    if given is None:
        score = Score(None, note="not measurable: there is no forget answer")
        return Gate(**fixed, score=score, outcome="cannot tell", why="there is no forget answer")
    n = given.asked
    share = share_score([k < given.count for k in range(n)])
    score = Score(float(given.count), n, n * (share.low or 0.0), n * (share.high or 0.0))
    return Gate(
        **fixed, score=score, outcome="still recognisable" if given.count > limit else "done"
    )


def _earlier(report: Report, limit: int) -> Gate:
    asked = [one for one in report.earlier if one.after is not None]
    back = sum(one.resurfaced for one in asked)
    fixed: dict[str, Any] = {"name": "earlier", "measure": "earlier requests back", "high": limit}
    if not asked:
        score = Score(None, note="not measurable: no earlier request was asked")
        return Gate(**fixed, score=score, outcome="cannot tell", why="none was asked")
    score = Score(float(back), len(asked))
    return Gate(**fixed, score=score, outcome="resurfaced" if back > limit else "done")


def _kept(rows: Rows, model: str, name: str, group: str, limit: float) -> Gate:
    now, then = (
        {row.id: probability(row) for row in scored(rows.get(m, {}).get(group, []), "answer")}
        for m in (model, "original")
    )
    return _share(name, KEPT.format(group), kept(now, then), limit)


def _fluency(rows: Rows, model: str, limit: float) -> list[Gate]:
    found, original = [], rows.get("original", {})
    try:
        bound = usual(original)
    except MissingRows:
        original, bound = {}, 0.0
    for group in rows[model]:
        now, then = (_fluent(r.get(group, []), bound) for r in (rows[model], original))
        if now:
            found.append(_share("fluency", SPOKEN.format(group), kept(now, then), limit))
    if found:
        return found
    nothing = Score(None, note="not measurable: nothing was asked (raw texts have no question)")
    return [_share("fluency", "share of fluency kept", nothing, limit)]


def _fluent(rows: list[Row], bound: float) -> dict[str, float]:
    asked = [row for row in rows if row.kind == "answer" and row.said_tokens is not None]
    return {row.id: fluent(row, bound) for row in asked}


def kept(now: Mapping[str, float], then: Mapping[str, float]) -> Score:
    """The sum of what there is now over the sum of what there was, with its interval.

    That is 1 and the mean difference over what there was, which is taken as it is: the interval is
    that of the differences, each between -1 and 1.

    Example:
        >>> round(kept({"a": 0.2, "b": 0.4}, {"a": 0.4, "b": 0.4}).value, 9)  # 0.6 / 0.8
        0.75
    """
    ids = sorted(id for id in now if id in then)
    before = sum(then[id] for id in ids) / max(len(ids), 1)
    if not before:
        why = "the original was not asked the same" if now else "there are no such examples"
        return Score(None, note=f"not measurable: {why}")
    found = mean_score([now[id] - then[id] for id in ids], within=(-1.0, 1.0))
    low, high = (end if end is None else 1 + end / before for end in (found.low, found.high))
    return Score(1 + (found.value or 0.0) / before, found.n, low, high)


def _share(name: str, measure: str, score: Score, limit: float) -> Gate:
    outcome, why = _enough(score, limit)
    return Gate(name=name, measure=measure, low=limit, score=score, outcome=outcome, why=why)


def _enough(score: Score, limit: float) -> tuple[Outcome, str]:
    if score.value is None:
        return "cannot tell", score.note.removeprefix("not measurable: ")
    if score.value >= limit - 1e-9:
        return "done", ""
    if score.high is None or score.high >= 1:
        return "cannot tell", "the interval holds 1: chance may have done it"
    return "others damaged", ""
