"""The table of what withstands attacks."""

import pytest


@pytest.fixture(scope="module")
def defences():
    import defences

    return defences


def line(attack, value, low, *, closeness=0.8, counts=True):
    return {
        "attack": attack, "variant": f"{attack} at {value}", "main": "fact_recall",
        "counts": counts, "closeness": closeness,
        "recovery": {"value": value, "low": low, "high": value + 0.1},
        "retain_kept": {"unlearned": 0.97, "original": 0.99},
    }  # fmt: skip


def result(relearn):
    lines = [
        line("no attack", 0.0, -0.1),
        line("int4", 0.02, -0.1),
        line("relearn", relearn, relearn - 0.1),
        line("relearn", relearn + 0.1, relearn - 0.3),
        line("relearn", 0.9, 0.8, counts=False),
        line("prompt", 0.05, 0.0, closeness=None),
    ]
    run = {"steps": 300, "drawn_back_to": None}
    return {"lines": lines, "closeness_under_attack": {"value": 0.6}, "run": run}


def test_a_row_is_a_mean_of_runs_and_takes_what_is_surely_back(defences):
    cells = defences.row("unseen", "none", [result(0.1), result(0.2)])
    relearn = "15% (10% to 20%)"
    assert cells[:8] == ["unseen", "-", "2", "0% (0% to 0%)", "2% (2% to 2%)", relearn, "-",
                         "5% (5% to 5%)"]  # fmt: skip
    assert cells[8:] == ["0.80", "0.60", "97%", "300"]


def test_the_list_has_the_single_runs(defences):
    listed = [dict(zip(defences.COLUMNS[4:], row, strict=True))
              for row in defences.listed(result(0.1))]  # fmt: skip
    assert [row["attack"] for row in listed] == ["no attack", "int4", "relearn", "prompt"]
    assert (listed[2]["recovery"], listed[2]["low"]) == ("0.1", "0")
    assert listed[3]["closeness"] == ""


def test_attacks_ask_the_half_of_the_holdout_that_set_no_level(defences, tmp_path):
    from unteach.data import read
    from unteach.data.calibration import calibrating_half

    rows = [f'{{"question": "Who is {k}?", "answer": "The one of {k}."}}\n' for k in range(20)]
    (tmp_path / "holdout.jsonl").write_text("".join(rows), "utf-8")
    groups = {"holdout": read(str(tmp_path / "holdout.jsonl"), "holdout")[0]}
    calibrating_half(groups, {"holdout": []})
    asked, _ = read(str(defences.attacks.judging(tmp_path)), "holdout")
    assert [x.answer for x in asked] == [x.answer for x in groups["holdout"]]
    assert len(asked) == 10
