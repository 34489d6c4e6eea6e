"""What people read, and what programs read."""

import json
from dataclasses import replace

import pytest

from unteach.nouns import Paper, Score
from unteach.report import Report, draw, from_json, table, to_json, to_markdown

PAPER = Paper(title="On Forgetting", authors="Ann Lee", year=2025, arxiv="2501.00001", where="1")


def model(forget, retain, auc=None, quality=None):
    return {
        "forget": {
            "probability": Score(forget, 40, forget - 0.01, forget + 0.01),
            "membership_auc_loss": Score(auc, 80)
            if auc is not None
            else Score(None, note="not measurable: no holdout set is given"),
        },
        "retain": {"probability": Score(retain, 100), "model_utility": Score(retain / 2, 100)},
    }


def report(after=0.08, kept=0.9, auc=0.5, **more):
    return Report(
        models={
            "original": model(0.95, 0.94, 0.99),
            "unlearned": model(after, kept, auc),
            "retrained": model(0.12, 0.93, 0.51),
        },
        comparisons={
            "unlearned_vs_retrained": {
                "forget_quality": Score(0.4, 40, note="KS distance 0.1"),
                "utility_ratio": Score(0.97, 100),
            }
        },
        label="NPO",
        papers=(PAPER,),
        request={"model": "m", "train": {"epochs": 10}},
        facts={"steps": 50, "stopped_because": ""},
        notes=("retain: something",),
        **more,
    )


def test_json_has_the_schema_and_reads_back():
    text = to_json(report())
    record = json.loads(text)
    assert record["schema"] == 1
    assert record["models"]["unlearned"]["forget"]["probability"]["value"] == 0.08
    assert record["comparisons"]["unlearned_vs_retrained"]["forget_quality"]["value"] == 0.4
    assert from_json(text) == report()


def test_json_refuses_what_is_no_number_and_says_null_with_a_reason():
    broken = report()
    broken.models["original"]["forget"]["probability"] = Score(float("nan"))
    with pytest.raises(ValueError, match="JSON"):
        to_json(broken)
    bare = Report(models={"original": model(0.5, 0.5)})
    found = json.loads(to_json(bare))["models"]["original"]["forget"]["membership_auc_loss"]
    assert found["value"] is None
    assert found["note"].startswith("not measurable")
    with pytest.raises(ValueError, match="schema 2"):
        from_json('{"schema": 2}')


@pytest.mark.parametrize(
    ("given", "said", "unsaid"),
    [
        ({}, "0.95 per token before, and have 0.08 after", "not forgotten"),
        ({"after": 0.6}, "**They are not forgotten to that level.**", "below it"),
        ({"after": 0.0}, "forgotten further than never learned", "not forgotten to"),
        ({"kept": 0.5}, "**The rest of the model was damaged.**", "Over-forgotten"),
        ({"auc": 0.02}, "**Over-forgotten.**", "Still recognisable"),
        ({"auc": 0.9}, "**Still recognisable.**", "Over-forgotten"),
    ],
)
def test_the_opening_says_what_the_numbers_say(given, said, unsaid):
    text = to_markdown(report(**given))
    assert said in text
    assert unsaid not in text.split("## At a glance")[0]


def test_the_report_is_complete():
    text = to_markdown(report(), picture="a.png")
    for part in (
        "# Unlearning report: NPO",
        "](a.png)",
        "## What this does not prove",
        "epochs 10",
        "| steps | 50 |",
        "https://arxiv.org/abs/2501.00001",
        "@misc{lee2025forgetting,",
        "0.08 (0.07 to 0.09)",
        "retain: something",
    ):
        assert part in text
    assert "stopped because" not in text
    assert "nan" not in text.lower().replace("finance", "")


def test_without_retrained_and_retain_the_report_says_so():
    models = {
        name: {"forget": found["forget"]}
        for name, found in report().models.items()
        if name != "retrained"
    }
    text = to_markdown(Report(models=models, label="NPO"))
    assert "No retrained model was given" in text
    assert "No retain set was given" in text


def test_what_is_not_measurable_is_listed_and_not_tabled():
    text = to_markdown(Report(models={"original": model(0.5, 0.5)}, label="x"))
    assert "- `membership_auc_loss` is not measurable: no holdout set is given" in text


def test_forget_quality_never_stands_alone():
    header = table(report())[0]
    assert header.index("utility") == header.index("forget quality") - 1
    assert [line[0] for line in table(report())[1:]] == ["original", "unlearned", "retrained"]
    assert table(report())[1][-1] == "-"


def test_columns_without_numbers_are_left_out():
    bare = Report(models={"original": {"forget": {"probability": Score(0.5)}}})
    assert table(bare) == [["model", "forget probability"], ["original", "0.50"]]


@pytest.mark.parametrize("count", [1, 3, 12])
def test_the_picture_is_drawn_for_any_number_of_models(count, tmp_path):
    pytest.importorskip("matplotlib", reason="the plots extra is not installed")
    found = dict(report().models)
    found |= {f"method {k}": model(0.1 * k / 2, 0.9, 0.5) for k in range(max(count - 3, 0))}
    many = replace(report(), models=dict(list(found.items())[:count]))
    draw(many, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_the_picture_without_matplotlib(monkeypatch, tmp_path):
    import sys

    from unteach.nouns import UserError

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UserError, match=r"unteach\[plots\]"):
        draw(report(), tmp_path / "a.png")
