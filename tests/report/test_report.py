"""What people read, and what programs read."""

import json
import re
from dataclasses import replace

import pytest

from unteach.report import Report, draw, from_json, table, to_json, to_markdown, what_is_wrong
from unteach.types import Paper, Score

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


def report(after=0.08, kept=0.9, auc=0.5, facts=None, **more):
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
        facts=facts
        or {"steps": 50, "stopped_because": "", "examples": {"forget": 40, "retain": 9}},
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


def test_json_knows_no_nan_and_says_null_with_a_reason():
    """A run of hours must not end without its report for one number that is none."""
    broken = report(facts={"loss": float("nan"), "deep": [{"rate": float("inf")}]})
    broken.models["original"]["forget"]["probability"] = Score(float("nan"), 3, float("nan"), 1.0)
    broken.models["original"]["retain"]["probability"] = Score(0.5, 3, 0.4, float("inf"))
    record = json.loads(to_json(broken), parse_constant=pytest.fail)
    assert record["facts"] == {"loss": None, "deep": [{"rate": None}]}
    found = record["models"]["original"]
    note = "not measurable: the value is nan"
    assert found["forget"]["probability"] == {"value": None, "n": 3, "note": note}
    assert found["retain"]["probability"] == {"value": 0.5, "n": 3, "low": 0.4}
    bare = Report(models={"original": model(0.5, 0.5)})
    found = json.loads(to_json(bare))["models"]["original"]["forget"]["membership_auc_loss"]
    assert found == {"value": None, "n": 0, "note": "not measurable: no holdout set is given"}


def test_json_of_another_schema_is_refused():
    with pytest.raises(ValueError, match="schema 2"):
        from_json('{"schema": 2}')


@pytest.mark.parametrize(("given", "said", "unsaid"), [
    ({}, "0.95 per token before, and have 0.08 after", "not forgotten"),
    ({"after": 0.6}, "**They are not forgotten to that level.**", "below it"),
    ({"after": 0.0}, "less likely than if they had never been learned", "not forgotten to"),
    ({"kept": 0.5}, "**The rest of the model was damaged.**", "Over-forgotten"),
    ({}, "**Request.** Forget 40 examples, keep 9, with NPO.", "damaged"),
    ({"after": 1e-9}, "and have less than 0.01 after", "1e-09"),
    ({"auc": 0.02}, "**Over-forgotten.**", "Still recognisable"),
    ({"auc": 0.9}, "**Still recognisable.**", "Over-forgotten"),
])  # fmt: skip
def test_the_opening_says_what_the_numbers_say(given, said, unsaid):
    text = to_markdown(report(**given))
    assert said in text
    assert unsaid not in text.split("## At a glance")[0]


@pytest.mark.parametrize(("given", "said"), [
    ({}, ""),
    ({"after": 0.6}, "not forgotten"),
    ({"kept": 0.5}, "damaged"),
    ({"auc": 0.02}, "over-forgotten"),
    ({"auc": 0.9}, "still recognisable"),
])  # fmt: skip
def test_a_terminal_is_told_what_is_wrong(given, said):
    assert [line.split(":")[0] for line in what_is_wrong(report(**given))] == [said][: bool(said)]


def test_the_report_is_complete():
    text = to_markdown(report(), picture="a.png")
    for part in (
        "# Unlearning report: NPO",
        "](a.png)",
        "## What this does not prove",
        "train:\n  epochs: 10",
        "| steps | 50 |",
        "https://arxiv.org/abs/2501.00001",
        "@misc{lee2025forgetting,",
        "0.08 (0.07 to 0.09)",
        "retain: something",
    ):
        assert part in text
    assert "stopped because" not in text
    assert not re.search(r"\b(nan|inf|None)\b", text)


def test_without_retrained_and_retain_the_report_says_so():
    models = {
        name: {"forget": found["forget"]}
        for name, found in report().models.items()
        if name != "retrained"
    }
    text = to_markdown(Report(models=models, label="NPO"))
    assert "With neither a retrained model nor a holdout" in text
    assert "hardly knew them" not in text
    models["original"] = model(0.02, 0.5)
    assert "hardly knew them" in to_markdown(Report(models=models, label="NPO"))
    assert "No retain set was given" in text


def test_what_is_not_measurable_is_listed_and_not_tabled():
    text = to_markdown(Report(models={"original": model(0.5, 0.5)}, label="x"))
    assert "- no holdout set is given: `membership_auc_loss`" in text
    assert "| `membership_auc_loss`" not in text


def test_one_reason_is_given_once_and_says_of_which_model():
    missing = Score(None, note="not measurable: no reason")
    both = {"forget": {"probability": Score(0.5), "truth_ratio": missing, "perplexity": missing}}
    some = {"forget": {"probability": missing, "truth_ratio": missing, "perplexity": missing}}
    text = to_markdown(Report(models={"a": both, "b": some}, label="x"))
    assert "- no reason: `probability` (of b); `truth_ratio`, `perplexity`" in text
    assert text.count("no reason") == 1
    assert "| `probability` | low | 0.50 | - |" in text


def test_a_reason_names_the_groups_that_it_is_about():
    why = Score(None, note="not measurable: no reason")
    groups = {"forget": {"probability": why}, "retain": {"probability": Score(0.5)}}
    assert "- no reason: `probability` (on forget)\n" in to_markdown(Report(models={"a": groups}))


def test_what_needs_a_retrained_model_is_listed_without_one():
    one = {"forget": {"probability": Score(0.5)}}
    text = to_markdown(Report(models={"a": one}))
    line = next(x for x in text.splitlines() if x.startswith("- no retrained model was given"))
    assert "`closeness`" in line
    assert "`forget_quality`" in line
    assert "open_unlearning" not in line
    assert "no retrained model" not in to_markdown(Report(models={"a": one, "retrained": one}))


def test_the_main_metrics_stand_first_and_the_others_are_folded():
    scores = {name: Score(0.5) for name in ("rouge_l_f1", "fluency", "probability", "perplexity")}
    text = to_markdown(Report(models={"a": {"forget": scores}}))
    order = ("| `probability`", "| `fluency`", "<summary>More metrics", "| `perplexity`")
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)
    assert text.count("<details>") == text.count("</details>") == 2  # and BibTeX


def test_muse_questions_on_what_should_be_gone_are_no_damage():
    """A model that forgot the passages and keeps the rest was called damaged."""
    found = report()
    for name, p in (("original", 0.9), ("unlearned", 0.01), ("retrained", 0.02)):
        found.models[name]["verbmem"] = {"probability": Score(p, 30)}
        found.models[name]["knowmem"] = {"probability": Score(p, 30)}
    text = to_markdown(found).split("## At a glance")[0]
    assert "damaged" not in text
    assert "verbmem" not in text
    for name, p in (("original", 0.9), ("unlearned", 0.01), ("retrained", 0.9)):
        found.models[name]["knowmem_retain"] = {"probability": Score(p, 30)}
    assert "damaged" in to_markdown(found)


def test_lost_wording_is_damage_too():
    """As likely as before when read, and half of it gone when asked: that went unsaid."""
    found = report()
    for name, said in (("original", 1.0), ("unlearned", 0.5), ("retrained", 1.0)):
        found.models[name]["retain"]["rouge_l_recall"] = Score(said, 30)
    text = to_markdown(found).split("## At a glance")[0]
    assert "Generated answers have 0.50 of their wording, and had 1.00 before." in text
    assert "**The rest of the model was damaged.**" in text
    found.models["original"]["retain"]["rouge_l_recall"] = Score(0.55, 30)
    assert "damaged" not in to_markdown(found).split("## At a glance")[0]


def test_what_it_took_is_told_in_words():
    asking = {"distinct_texts": 3, "decode_steps": 4}
    text = to_markdown(report(facts={"asking model": asking, "examples": {"a_b": 1}}))
    assert "| asking model | distinct texts 3, decode steps 4 |" in text
    assert "| examples | a_b 1 |" in text


def test_real_authors_are_judged_by_choice():
    """As TOFU does: a fluent model may find a short right answer unlikely, and still choose it."""
    found = report()
    for name, p, chosen in (("original", 0.01, 0.8), ("unlearned", 0.001, 0.78)):
        scores = {"probability": Score(p, 9), "choice_probability": Score(chosen, 9)}
        found.models[name]["authors"] = scores
    text = to_markdown(found)
    assert "Those on real authors, among wrong ones, had 0.80 before and have 0.78 after" in text
    assert "damaged" not in text.split("## At a glance")[0]


def test_the_holdout_is_the_yardstick_where_no_model_was_retrained():
    models = {name: found for name, found in report().models.items() if name != "retrained"}
    never = {"probability": Score(0.1, 20, 0.05, 0.2), "membership_auc_loss": Score(None)}
    bare = Report(models=models, never_seen=never)
    text = to_markdown(bare)
    assert "; had no model seen them, they would have 0.10 (0.05 to 0.20), as far as" in text
    assert "With neither a retrained model" not in text
    assert "| never seen | 0.10 | - | - | - |" in text
    assert "never seen: what the forget answers would score" in text
    models["unlearned"] = model(0.4, 0.9, 0.5)
    assert "**They are not forgotten to that level.**" in to_markdown(replace(bare, models=models))


def test_one_model_alone_is_told_without_before_and_after():
    facts = {"suite": "own, version 1", "examples": {"forget": 40}, "limit": "9 of each group"}
    text = to_markdown(Report(models={"model": model(0.4, 0.9)}, facts=facts, label="own"))
    assert "**Forget.** The answers have a probability of 0.40 per token. With neither" in text
    assert "**Retain.** The answers to keep have 0.90." in text
    assert "Limited to 9 of each group." in text


def test_damage_outside_the_retain_set_is_told():
    found = report()
    for name, p in (("original", 0.99), ("unlearned", 0.45), ("retrained", 0.98)):
        found.models[name]["world"] = {"probability": Score(p, 30)}
    text = to_markdown(found)
    assert (
        "Other facts, which unlearning was not shown, had 0.99 before and have 0.45 after" in text
    )
    assert "**The rest of the model was damaged.**" in text


def test_nothing_to_forget_is_told():
    found = report()
    found.models["original"]["forget"]["probability"] = Score(0.15, 40)
    assert "there was little to forget" in to_markdown(found)
    assert "little to forget" not in to_markdown(report())


def test_a_warning_needs_more_than_chance():
    """An AUC far off, but with so few examples that its interval holds the retrained model's."""
    few, many = (Score(0.3, n, low, high) for n, low, high in ((9, 0.05, 0.55), (900, 0.28, 0.32)))
    for score, warned in ((few, False), (many, True)):
        found = report()
        found.models["unlearned"]["forget"]["membership_auc_loss"] = score
        assert ("**Over-forgotten.**" in to_markdown(found)) == warned


def test_many_methods_are_judged_one_by_one():
    models = dict(report().models)
    del models["unlearned"]
    models |= {
        "kept": model(0.9, 0.9, 0.9),
        "broken": model(0.0, 0.0, 0.5),
        "good": model(0.1, 0.92, 0.52),
        "marked": model(0.1, 0.92, 0.01),
        "retrained-2": model(0.14, 0.5, 0.9),
    }
    text = to_markdown(replace(report(), models=models, comparisons={}))
    opening = text.split("## At a glance")[0]
    assert "closeness" not in opening
    beside = {"good_vs_retrained": 0.9, "kept_vs_retrained": 0.1}
    beside = {name: {"closeness": Score(value)} for name, value in beside.items()}
    near = to_markdown(replace(report(), models=models, comparisons=beside))
    assert "The nearest by closeness is `good` with 0.90." in near
    beside = {"good_vs_retrained": {"closeness": Score(0.0)}}
    far = to_markdown(replace(report(), models=models, comparisons=beside))
    assert "By closeness none is near." in far
    for line in (
        "- Not forgotten (probability more than 0.1 above the retrained model's): `kept`\n",
        "from texts never seen): `kept`\n",
        "than texts never seen): `marked`\n",
        "of what should stay): `broken`\n",
        "- None of these: `good`\n",
    ):
        assert line in opening
    assert "| `probability` | as retrained | 0.95 | 0.12 | 0.90 |" in text, (
        "many columns, no intervals"
    )
    assert "not known" not in opening
    models = {name: groups for name, groups in models.items() if "retrained" not in name}
    opening = to_markdown(Report(models=models)).split("## At a glance")[0]
    assert (
        "- Not forgotten (probability more than 0.1 above what it would be if they were unseen)"
        in (opening)
    )
    assert ": not known" in opening
    assert "None of these" not in opening, "who was not judged has no clean bill"
    assert "- `probability`: how likely the model finds the answer" in text


def test_metrics_and_comparisons_cite_their_papers():
    scores = {"forget": {"truth_ratio": Score(0.5), "probability": Score(0.5)}}
    bare = Report(models={"original": scores, "retrained": scores}, label="x")
    text = to_markdown(bare)
    assert "2401.06121" in text
    assert "2407.06460" not in text
    text = to_markdown(
        replace(bare, comparisons={"original_vs_retrained": {"privleak": Score(3.0)}})
    )
    assert "https://arxiv.org/abs/2407.06460" in text
    assert "| `privleak` | near 0 | 3.00 |" in text


def test_a_table_stays_a_table_whatever_the_facts():
    text = to_markdown(report(facts={"odd": "a|b\nc"}))
    assert "| odd | a\\|b c |" in text


def test_the_settings_are_yaml():
    import yaml

    block = to_markdown(report()).split("```yaml\n")[1].split("```")[0]
    assert yaml.safe_load(block) == {"model": "m", "train": {"epochs": 10}}


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


def test_the_picture_has_the_panels_of_the_benchmarks_and_what_unseen_would_score(tmp_path):
    pytest.importorskip("matplotlib", reason="the plots extra is not installed")
    from unteach.report.picture import panels

    known = {"knowledge_memorization": Score(0.5, 9, 0.0, 1.0)}
    groups = {"forget": {"probability": Score(0.5)}, "knowmem": known, "knowmem_retain": known}
    groups |= {name: {"choice_probability": Score(0.5)} for name in ("authors", "facts")}
    found = Report(models={"a": groups}, never_seen={"probability": Score(0.2)})
    assert [(panel.group, panel.heading) for panel in panels(found)] == [
        ("forget", "What should be gone"),
        ("knowmem", "What should be gone"),
        ("knowmem_retain", "What should stay"),
        ("authors", "What should stay"),
        ("facts", "What should stay"),
    ]
    assert panels(found)[0].level == 0.2
    assert panels(found)[1].level is None
    draw(found, tmp_path / "a.png")


def test_the_picture_without_matplotlib(monkeypatch, tmp_path):
    import sys

    from unteach.errors import UserError

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UserError, match=r"unteach\[plots\]"):
        draw(report(), tmp_path / "a.png")
