"""What a search says of itself, from trials that are made up."""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from xml.dom import minidom

from unteach.report import Report
from unteach.tuning import picture
from unteach.tuning.judge import Marks
from unteach.tuning.pages import to_html, to_json, to_markdown
from unteach.tuning.result import SearchResult, lines_of, sentence, table
from unteach.types import Score


def trial(number, method, state, forgotten=None, kept=None, value=None, *, default=False, why=""):
    told = {"seconds": 3.0, "default": default, "why": why, "forgotten": forgotten, "kept": kept}
    return SimpleNamespace(
        number=number, params={"method": method, f"{method}.learning_rate": 2.0},
        user_attrs={k: v for k, v in told.items() if v not in (None, "")}, value=value,
        state=SimpleNamespace(name=state),
    )  # fmt: skip


TRIALS = [
    trial(0, "npo", "COMPLETE", 0.5, 0.9, 0.6, default=True),
    trial(1, "npo", "COMPLETE", 0.7, 0.8, 0.75),
    trial(2, "npo", "COMPLETE", 0.6, 0.7, 0.65),
    trial(3, "undial", "PRUNED", 0.1, 0.2),
    trial(4, "undial", "PRUNED", why="train.learning_rate: too fast | <b>"),
    SimpleNamespace(number=5, params={}, user_attrs={}, value=None, state=None),  # cut off
]


def result_of(trials=TRIALS, confirmed=None):
    lines = lines_of(trials, lambda choice: {"train.learning_rate": choice.rate / 1000})
    return SearchResult(
        lines=lines, best=lines[0], judged="what <it> is", facts={"trials": len(lines)},
        skipped={"retrain": "--base: is not given"}, folder=Path("out"), confirmed=confirmed,
        next="unteach run out/best.yaml",
    )  # fmt: skip


def test_the_best_comes_first_and_the_front_is_marked():
    result = result_of()
    assert [line.number for line in result.lines] == [1, 2, 0, 3, 4]
    assert [line.number for line in result.lines if line.front] == [1, 0]
    assert [line.state for line in result.lines] == ["done"] * 3 + ["given up", "broken"]
    rows = table(result)
    assert rows[1] == ["1†", "npo", "learning_rate 0.002", "done", "0.70", "0.80", "0.75", "3"]
    assert rows[3][2].startswith("default: ")
    assert rows[5][4:7] == ["-", "-", "-"]
    assert sentence(result).endswith("with its defaults it comes to 0.60")
    alone = sentence(result_of(TRIALS[:1]))
    assert alone.endswith("a longer --budget goes on from here")


def test_the_picture_has_each_trial_that_was_judged_and_says_itself():
    page = to_html(result_of())
    svg = re.search(r"<svg.*?</svg>", page, re.DOTALL)[0]
    found = minidom.parseString(svg)
    dots = found.getElementsByTagName("circle")
    assert len(dots) == 4
    at = {d.getElementsByTagName("title")[0].firstChild.data[:7]: d for d in dots}
    assert float(at["trial 1"].getAttribute("cx")) > float(at["trial 0"].getAttribute("cx"))
    assert float(at["trial 1"].getAttribute("cy")) > float(at["trial 0"].getAttribute("cy"))
    assert "The best is trial 1" in svg
    assert len(found.getElementsByTagName("path")) == 1, "the front is joined"
    assert float(picture._y(1.0)) - 8 >= 12, "a name above the best dot is whole"


def test_every_form_has_the_confirmed_numbers_and_what_was_left_out():
    scores = {"forget": {"probability": Score(0.123)}}
    report = Report(models={"original": scores, "unlearned": scores})
    result = replace(result_of(confirmed=report), marks=Marks(0.31, 0.99, 0.48))
    for text in (to_html(result), to_markdown(result)):
        assert "0.12" in text
        assert "--base: is not given" in text
        assert "unteach run out/best.yaml" in text
        assert "<it>" not in text
        assert "no trial read: 0.48 (forgotten 0.31, kept 0.99)" in text
    assert '"forget probability": "0.12"' in to_json(result)
    assert "trained on whole files" in to_markdown(result)
    assert "Confirmed" not in to_markdown(result_of())
