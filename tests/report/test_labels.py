"""Runs beside each other: names that fit, and that tell them apart."""

from dataclasses import replace

import pytest
from rich.console import Console

from unteach.cli._show import fitted
from unteach.report import Report, apart, fold, table
from unteach.report.labels import lines_of
from unteach.report.picture import labels_of
from unteach.types import Score

SWEEP = [
    f"simnpo method.beta={beta} method.gamma={gamma} train.learning_rate={rate}"
    for beta in (1, 2, 4) for gamma in (0, 0.25, 0.5) for rate in ("1e-05", "3e-05", "0.0001")
]  # fmt: skip
LONG = ["x" * 200 + end for end in "ab"] + ["runs/" * 40 + end for end in "ab"]
NAMES = {
    "a sweep": SWEEP,
    "long names": LONG,
    "cut to the same": ["a" * 90 + "1" + "a" * 90, "a" * 90 + "2" + "a" * 90],
    "look alike": ["a", "a\u200b", "a"],
    "other scripts": ["模型" * 30, "模型" * 29 + "の", "موديل", "é" * 50, "🦙" * 40],
    "nothing": [""],
}


@pytest.mark.parametrize("case", NAMES)
@pytest.mark.parametrize("width", [12, 17, 32])
@pytest.mark.parametrize("most", [3, 6])
def test_names_have_room_and_differ(case, width, most):
    found = apart(NAMES[case], width, most)
    assert len(found) == len(NAMES[case])
    assert len(set(map(tuple, found))) == len(found)
    for lines in found:
        assert 1 <= len(lines) <= most
        for line in lines:
            assert Console().render_str(line, markup=False, emoji=False).cell_len <= width


def test_a_name_is_broken_where_it_reads_well():
    assert lines_of("npo learning_rate=0.0001", 16) == ["npo", "learning_rate=", "0.0001"]
    assert apart(["npo train.epochs=3"], 40) == [["npo epochs=3"]]
    two = ["npo adapter.bits=4", "npo evaluate.bits=4"]
    assert apart(two, 40) == [[name] for name in two]


def model(value=0.5):
    return {"forget": {"probability": Score(value), "fact_recall": Score(value)}}


@pytest.mark.parametrize("count", [1, 3, 30])
def test_tables_have_room_for_every_number_in_80_columns(count):
    names = (SWEEP + LONG)[:count]
    report = Report(models={"original": model(), **{name: model(0.25) for name in names}})
    rows = table(report, short=count > 4)
    upright = count <= 4
    if upright:
        rows = [list(column) for column in zip(*rows, strict=True)]
    found = fitted(rows, 80, upright=upright)
    widths = [max(len(line) for cell in c for line in cell.split("\n"))
              for c in zip(*found, strict=True)]  # fmt: skip
    assert sum(widths) + 2 * (len(widths) - 1) <= 80
    flat = [cell for row in found for cell in row]
    assert flat.count("0.25") == 2 * count


def test_a_picture_has_a_label_for_each_row():
    for names in NAMES.values():
        labels = labels_of(names)
        assert len(labels) == len(set(labels)) == len(names)


def run(value, **request):
    models = {"original": model(0.9), "unlearned": model(value), "retrained": model(0.2)}
    return Report(models=models, label="NPO", request=request)


def test_runs_of_other_models_or_data_are_no_seeds():
    """A mean over two models, or over two requests, is of neither."""
    one = run(0.1, model="a/llama", forget="f.jsonl", train={"seed": 0})
    memory = {
        "train": {"seed": 1, "gradient_checkpointing": True},
        "evaluate": {"tokens_per_batch": 9},
    }
    seed = run(0.3, model="b/llama/", forget="moved/f.jsonl", **memory)
    other = run(0.5, model="b/qwen", forget="f.jsonl")
    data = run(0.7, model="a/llama", forget="g.jsonl")
    found = fold([one, seed, other, data])
    assert list(found.models) == [
        "original", "original-qwen", "original-g.jsonl", "NPO", "NPO model=qwen",
        "NPO forget=g.jsonl", "retrained", "retrained-qwen", "retrained-g.jsonl",
    ]  # fmt: skip
    assert found.value("NPO", "forget", "probability") == pytest.approx(0.2)


def test_runs_that_say_nothing_of_their_model_are_one():
    found = fold([run(0.1), replace(run(0.3), request={"model": "m"})])
    assert found.facts["runs of original"] == 2


def test_the_original_asked_about_other_files_is_another_line():
    """Two runs on two forget files had one original: the mean of 18 answers and of 3 others."""
    first = {"model": "m", "forget": "a/one.jsonl", "retain": "r.jsonl"}
    reports = [
        Report(
            models={"original": {"forget": {"probability": Score(p, 9)}}},
            request={**first, "forget": forget},
            label="npo",
        )
        for forget, p in (("a/one.jsonl", 1.0), ("b/one.jsonl", 0.9), ("two.jsonl", 0.2))
    ]
    found = fold(reports)
    assert [*found.models] == ["original", "original-two.jsonl"]
    assert found.value("original", "forget", "probability") == pytest.approx(0.95)
    assert found.value("original-two.jsonl", "forget", "probability") == 0.2
