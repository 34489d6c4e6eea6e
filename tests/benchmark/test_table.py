"""The table of a benchmark, from reports that are made up."""

from dataclasses import replace
from pathlib import Path
from statistics import stdev

import pytest

from unteach.benchmark.cells import BROKEN, DONE, Cell
from unteach.benchmark.run import best_line
from unteach.benchmark.table import BenchResult, columns_of, lines_of, mean_of, missing, table
from unteach.benchmark.write import to_html, to_latex, to_markdown
from unteach.report import Report
from unteach.report.attacked import Attacked, Worst
from unteach.types import Score


def cell(method, seed, forget, *, recovery=None, close=None):
    scores = {"forget": {"probability": Score(forget)}, "retain": {"probability": Score(0.9)}}
    found = (
        {"none": {}} if close is None else {"unlearned_vs_retrained": {"closeness": Score(close)}}
    )
    attacks = None
    if recovery is not None:
        attacks = Attacked(headline="", of={"int4": Worst(variant="", recovery=Score(recovery))})
    report = Report(
        models={"original": scores, "unlearned": scores}, comparisons=found, attacks=attacks,
        facts={"steps": 4, "training_seconds": 2.0},
    )  # fmt: skip
    return Cell(method=method, seed=seed, state=DONE, seconds=5.0, peak=2 * 10**9, report=report)


def result_of(cells, methods):
    lines = lines_of(cells, methods)
    return BenchResult(
        lines=lines, columns=columns_of(lines), cells=tuple(cells), about="1 pass",
        folder=Path("out"), facts={"cells": len(cells)}, next="unteach run x",
    )  # fmt: skip


@pytest.mark.parametrize(("n", "t"), [(2, 12.7062), (3, 4.30265), (5, 2.77645)])
def test_intervals_are_students(n, t):
    values = [0.1 * k * k for k in range(n)]
    found = mean_of(values)
    assert found.value == pytest.approx(sum(values) / n)
    assert found.half == pytest.approx(t * stdev(values) / n**0.5, rel=1e-5)


def test_what_has_no_number_is_no_column_and_costs_and_attacks_are():
    cells = [cell("npo", s, 0.1 + s / 10, recovery=0.2 + s / 10) for s in (0, 1)]
    broken = Cell(method="ascent", seed=0, state=BROKEN, why="train.learning_rate: too fast")
    result = result_of([*cells, broken], ("npo", "ascent"))
    assert result.columns == (
        "forget probability", "retain probability", "steps", "training, s", "whole run, s",
        "peak memory, GB", "int4 recovery",
    )  # fmt: skip
    head, original, npo = table(result)
    assert head[:2] == ["model", "seeds"]
    assert original[0] == "original"
    assert npo[:3] == ["npo", "2", "0.15 ± 0.64"]
    assert npo[4:7] == ["4 ± 0", "2.00 ± 0.00", "5.00 ± 0.00"]
    assert npo[-1] == "0.25 ± 0.64"
    assert missing(result) == ["ascent: broken: train.learning_rate: too fast"]
    for text in (to_markdown(result), to_html(result)):
        assert "ascent: broken" in text
        assert "0.15 ± 0.64" in text
    assert r"npo & 2 & $0.15 \pm 0.64$" in to_latex(result)
    assert "GB" in table(result, short=True)[0]


def test_names_of_methods_are_escaped_in_every_form():
    result = result_of([cell("a_b<i>", 0, 0.5)], ("a_b<i>",))
    assert "<i>" not in to_html(result)
    assert "<i>" not in to_markdown(result)
    assert r"a\_b" in to_latex(result)


def test_the_best_is_the_closest_where_there_is_a_retrained_model():
    cells = [cell("npo", 0, 0.1, close=0.4), cell("undial", 0, 0.9, close=0.7)]
    assert best_line(result_of(cells, ("npo", "undial"))).name == "undial"
    assert best_line(result_of([], ())) is None


def test_a_recovery_that_is_not_known_is_told_and_not_silently_left_out():
    found = cell("npo", 0, 0.5, recovery=0.5)
    unknown = Score(None, note="not measurable: no holdout set is given")
    of = {name: Worst(variant="", recovery=unknown) for name in ("no attack", "int4")}
    report = replace(found.report, attacks=Attacked(headline="", of=of))
    result = result_of([replace(found, report=report)], ("npo",))
    assert "int4 recovery" not in result.columns
    assert missing(result) == ["int4 recovery: not measurable: no holdout set is given"]
    assert missing(result_of([found], ("npo",))) == []
