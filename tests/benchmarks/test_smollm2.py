"""The table of runs on a real chat model."""

import pytest

CASE = {"original": {"rows": 84}, "retrained": {"rows": 60}}


@pytest.fixture(scope="module")
def table():
    import smollm2_page

    return smollm2_page


def scores(closeness):
    def of(**values):
        return {name: {"value": value} for name, value in values.items()}

    names = ("closeness_forget", "closeness_privacy", "closeness_kept")
    near = {"closeness": {"value": closeness, "low": 0.5, "high": 0.95}}
    return {
        "models": {
            "unlearned": {
                "forget": of(probability=0.08, extraction_strength=0.11, membership_auc_loss=0.62),
                "retain": of(probability=0.97, fluency=1.0),
                "holdout": of(probability=0.1),
            }
        },
        "comparisons": {"unlearned_vs_retrained": near | of(**dict.fromkeys(names, 0.7))},
        "harm": {
            "unlearned": {
                "retain": {
                    "lost": [["a", 0.9, 0.4]],
                    "changed": [["a", 1.0, 0.3], ["b", 1.0, 0.2]],
                    **{key: [] for key in ("broken", "silent", "endless")},
                }
            }
        },
        "given": {"unlearned": {"count": 0}},
        "facts": {"steps": 60},
    }


def run(method, closeness, **more):
    cell = [method, more.pop("adapter", "own"), more.pop("rate", 1.0), more.pop("seed", 0)]
    return {"cell": cell, "scores": scores(closeness), "cpu_seconds": 600, "exit_code": 0, **more}


def test_an_answer_harmed_in_two_ways_counts_once(table):
    cells = dict(zip(table.COLUMNS, table.line(run("undial", 0.8)), strict=True))
    assert cells["harmed_retain"] == "2"
    assert (cells["closeness"], cells["low"], cells["privacy"]) == ("0.8", "0.5", "0.7")
    assert cells["ordinary_kl"] == ""  # was not asked


def test_a_run_that_failed_has_no_numbers(table):
    failed = {"cell": ["ascent", "own", 1.0, 0], "cpu_seconds": 90, "exit_code": 1}
    cells = dict(zip(table.COLUMNS, table.line(failed), strict=True))
    assert cells["closeness"] == cells["forget_p"] == ""
    assert (cells["exit_code"], cells["cpu_seconds"]) == ("1", "90")


def test_the_page_is_sorted_and_says_what_was_changed(table):
    lines = [run("npo", 0.3), run("unseen", 0.86, seed=2, rate=0.3, adapter="lora")]
    page = table.page([table.line(one) for one in lines], CASE)
    assert "learned 84 answers" in page
    assert "24 of them" in page
    assert page.index("unseen, LoRA, rate x 0.3, seed 2 | 0.86") < page.index("npo | 0.30")


def test_a_run_that_was_killed_is_kept_nowhere(table, tmp_path, monkeypatch):
    import smollm2

    monkeypatch.setattr(smollm2, "unteach", lambda *_: {"exit_code": -9})
    with pytest.raises(SystemExit, match="killed by signal 9: run this command again"):
        smollm2.once(tmp_path, tmp_path / "work", smollm2.Cell("npo", "own", 1.0, 0))
    assert not (tmp_path / "work").exists()
