"""Several runs in one table: means over seeds, and differences that may be chance."""

import math
from dataclasses import replace

import pytest
from scipy.stats import t

from unteach.report import Report, alike, difference, fold, table
from unteach.report.attacked import Attacked, Worst
from unteach.types import Paper, Score

PAPER = Paper(title="On Forgetting", authors="Ann Lee", year=2025, arxiv="2501.00001", where="1")


def run(value, *, method="NPO", never=0.2, quality=0.5):
    def groups(p, low, high):
        return {"forget": {"probability": Score(p, 40, low, high)}}

    return Report(
        models={
            "original": groups(0.9, 0.85, 0.95),
            "unlearned": groups(value, value - 0.1, value + 0.1),
            "retrained": groups(never, never - 0.05, never + 0.05),
        },
        comparisons={"unlearned_vs_retrained": {"forget_quality": Score(quality, 40)}},
        label=method,
        papers=(PAPER,),
    )


def test_seeds_of_a_method_become_one_line_with_their_spread():
    """Of 0.4, 0.5 and 0.6: mean 0.5, standard deviation 0.1, half 4.303 x 0.1 / sqrt(3) = 0.248."""
    found = fold([run(0.4), run(0.5), run(0.6)])
    assert list(found.models) == ["original", "NPO", "retrained"]
    score = found.models["NPO"]["forget"]["probability"]
    half = t.ppf(0.975, 2) * 0.1 / math.sqrt(3)
    assert (score.value, score.n) == (pytest.approx(0.5), 3)
    assert (score.low, score.high) == (pytest.approx(0.5 - half), pytest.approx(0.5 + half))
    assert half == pytest.approx(0.2484, abs=1e-4)
    assert found.facts["runs of NPO"] == 3
    assert found.papers == (PAPER,)


def test_a_model_that_every_run_asked_keeps_its_own_interval():
    """Three runs of one original say nothing of its spread: 0.9 (0.9 to 0.9) would be false."""
    found = fold([run(0.1), run(0.2), run(0.3)])
    assert found.models["original"]["forget"]["probability"] == Score(0.9, 40, 0.85, 0.95)


def test_what_the_holdout_tells_is_kept_where_all_runs_agree():
    def bare(value):
        models = {k: v for k, v in run(0.1).models.items() if k != "retrained"}
        return Report(models=models, label="NPO", never_seen={"probability": Score(value)})

    assert fold([bare(0.3), bare(0.3)]).never_seen == {"probability": Score(0.3)}
    assert fold([bare(0.3), bare(0.4)]).never_seen == {}
    assert fold([run(0.1), replace(run(0.2), never_seen={"x": Score(1.0)})]).never_seen == {}


def test_an_interval_over_runs_ends_where_the_metric_does():
    """Of 0.1, 0.2 and 0.3: 0.2 - 0.248 lies below 0, which no probability does."""
    score = fold([run(0.1), run(0.2), run(0.3)]).models["NPO"]["forget"]["probability"]
    assert score.low == 0.0
    assert score.high == pytest.approx(0.4484, abs=1e-4)


def test_methods_stay_apart_and_one_run_keeps_its_interval():
    found = fold([run(0.1), run(0.4, method="DTO")])
    assert list(found.models) == ["original", "NPO", "DTO", "retrained"]
    assert found.models["DTO"]["forget"]["probability"] == Score(0.4, 40, 0.4 - 0.1, 0.4 + 0.1)
    assert found.comparisons["NPO_vs_retrained"]["forget_quality"] == Score(0.5, 40)


def test_settings_stay_apart_and_seeds_do_not():
    """A mean over learning rates says nothing of any of them."""

    def with_(value, **train):
        request = {"out": f"o{value}", "model": "m", "train": {"learning_rate": 1e-3, **train}}
        return replace(run(value), request=request)

    runs = [with_(0.1, seed=0), with_(0.3, seed=1), with_(0.5, seed=0, learning_rate=1e-4)]
    found = fold(runs)
    assert list(found.models) == ["original", "NPO", "NPO train.learning_rate=0.0001", "retrained"]
    assert found.models["NPO"]["forget"]["probability"].value == pytest.approx(0.2)
    assert "NPO train.learning_rate=0.0001_vs_retrained" in found.comparisons


def test_settings_of_one_name_in_two_sections_stay_apart():
    def with_(bits):
        request = {"adapter": {"bits": bits}, "evaluate": {"bits": None}}
        return replace(run(0.1), request=request)

    found = fold([with_(None), with_(4)])
    assert list(found.models) == ["original", "NPO", "NPO adapter.bits=4", "retrained"]


def test_comparisons_are_folded_too_and_gaps_are_told():
    runs = [run(0.1, quality=0.2), run(0.2, quality=0.4), run(0.3, quality=None)]
    score = fold(runs).comparisons["NPO_vs_retrained"]["forget_quality"]
    assert (score.value, score.n) == (pytest.approx(0.3), 2)
    assert score.note == "not measurable in 1 of 3 runs"


def test_a_difference_by_hand():
    """0.5 (0.35 to 0.6) less 0.3 (0.27 to 0.34): down hypot(0.15, 0.04), up hypot(0.1, 0.03)."""
    found = difference(Score(0.5, 9, 0.35, 0.6), Score(0.3, 7, 0.27, 0.34))
    assert (found.value, found.n) == (pytest.approx(0.2), 7)
    assert found.low == pytest.approx(0.2 - math.hypot(0.15, 0.04))
    assert found.high == pytest.approx(0.2 + math.hypot(0.1, 0.03))
    assert difference(Score(None, note="why"), Score(0.5)) == Score(None, note="why")


def test_alike_is_symmetric_and_needs_both_intervals():
    one, near, far = (Score(p, 9, p - 0.1, p + 0.1) for p in (0.5, 0.6, 0.7))
    assert alike(one, near)
    assert alike(near, one)
    assert not alike(one, far)  # 0.2 > hypot(0.1, 0.1)
    assert not alike(one, Score(0.5))
    assert not alike(one, None)


def test_the_table_marks_what_chance_may_set_apart():
    def cells(report):
        return {line[0]: line[1] for line in table(report)[1:]}

    assert cells(run(0.25)) == {"original": "0.90", "unlearned": "~0.25", "retrained": "0.20"}
    assert cells(run(0.5))["unlearned"] == "0.50"


def test_models_without_a_name_go_by_their_folder():
    def evaluation(path):
        models = {"model": run(0.1).models["unlearned"]}
        return Report(models=models, label="own", request={"models": {"model": path}})

    found = fold([evaluation("runs/a/npo"), evaluation("runs/b/dto"), evaluation("runs/c/npo")])
    assert list(found.models) == ["npo", "dto"]
    assert found.facts["runs of npo"] == 2


def attacked(value, recovery, close=0.5, **more):
    """A run of which int4 and no attack brought something back."""
    paper = replace(PAPER, title="On Coming Back", arxiv="2501.00002")
    of = {
        "no attack": Worst(variant="", recovery=Score(0.0, 40, -0.1, 0.1)),
        "int4": Worst(variant="groups of 32", recovery=recovery),
    }
    found = Attacked(headline="", of=of, closeness=Score(close), papers=(paper,))
    return replace(run(value, **more), attacks=found)


def test_attacks_are_kept_one_line_for_each_method_and_means_over_seeds():
    """Of 0.2, 0.3 and 0.4: mean 30%, half 4.303 x 0.1 / sqrt(3) = 24.8%."""
    recoveries = (0.2, 0.3, 0.4)
    runs = [attacked(0.1 + r, Score(r, 40, r - 0.05, r + 0.05), close=r + 0.3) for r in recoveries]
    single = attacked(0.5, Score(0.8, 40, 0.7, None), method="DTO", close=0.1)
    found = fold([*runs, single, run(0.3, method="GradDiff")])
    assert found.tables == {
        "Recovery under attack": [
            ["", "no attack", "int4", "closeness under attack"],
            ["NPO", "0% (-10% to 10%)", "30% (5% to 55%)", "0.60 (0.35 to 0.85)"],
            ["DTO", "0% (-10% to 10%)", "80% (70% to ...)", "0.10"],
        ]
    }
    assert [paper.arxiv for paper in found.papers] == ["2501.00001", "2501.00002"]
    assert "Recovery under attack" in found.notes[-1]


def test_without_a_known_recovery_there_is_no_table_of_attacks():
    assert fold([run(0.1), run(0.2)]).tables == {}
    unknown = attacked(0.1, Score(None))
    assert unknown.attacks
    of = {name: replace(worst, recovery=Score(None)) for name, worst in unknown.attacks.of.items()}
    nothing = replace(unknown.attacks, of=of, closeness=Score(None))
    assert fold([replace(unknown, attacks=nothing)]).tables == {}
