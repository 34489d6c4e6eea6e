"""`unteach evaluate`, `score` and `compare` as a user types them."""

import json

import pytest

ROLES = ("forget", "retain", "holdout")


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("UNTEACH_CACHE", str(tmp_path / "cache"))
    for role in ROLES:
        rows = [{"question": f"Who is {role} {k}?", "answer": f"A baker {k}."} for k in range(4)]
        (tmp_path / f"{role}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def flags(files, *roles):
    return [part for role in roles for part in (f"--{role}", files / f"{role}.jsonl")]


def test_one_model_and_then_its_rows_again(call, files, tiny_folder):
    pair = ("--max-new-tokens", 4, "--model", tiny_folder)
    code, out, err = call(
        "evaluate", *pair, *flags(files, *ROLES), "--out", files / "a", "--retrained", tiny_folder
    )
    assert code == 0
    assert "forget probability" in out
    assert "closeness" not in out or "model" in out
    assert "report.md are in" in err
    assert list((files / "cache" / "rows").glob("*.jsonl"))
    code, again, _ = call("score", files / "a", "--out", files / "b", "--json")
    assert code == 0
    first = json.loads((files / "a" / "scores.json").read_text())
    assert json.loads(again)["models"] == first["models"]
    code, both, _ = call("compare", files / "a", files / "b", "--out", files / "c", "--json")
    assert code == 0
    assert json.loads(both)["facts"]["runs of retrained"] == 1  # a score is no second run
    code, out, err = call("compare", files / "a", files / "b")
    assert code == 0
    assert "means over runs: " not in out
    assert f"{files / 'b'}: holds the very rows of {files / 'a'}: one run, counted once" in err
    assert (files / "c" / "report.md").exists()
    code, _, err = call("compare", files / "a", files / "c")
    assert code == 2
    assert "is a comparison, not a run" in err


def test_a_folder_of_files_is_enough(call, files, tiny_folder, monkeypatch):
    monkeypatch.chdir(files)
    code, _, _ = call(
        "evaluate", "--model", f"mine={tiny_folder}", "--data", files,
        "--max-new-tokens", 4, "--limit", 2, "--no-cache", "--json",
    )  # fmt: skip
    assert code == 0
    (files / "unteach-evaluation").rename(files / "a")
    record = json.loads((files / "a" / "scores.json").read_text())
    assert set(record["models"]["mine"]) == set(ROLES)
    assert record["never_seen"]["probability"]["n"] == 2
    assert "no retrained model was given" in (files / "a" / "report.md").read_text()
    assert not (files / "cache").exists()


def test_questions_that_do_not_fit_are_told_on_the_terminal(call, files, tiny_folder):
    code, _, err = call(
        "evaluate", "--model", tiny_folder, *flags(files, "forget"), "--max-length", 8,
        "--out", files / "a",
    )  # fmt: skip
    assert code == 0
    assert "note: forget: 4 of 4 questions were not asked" in err
    assert "Nothing here was measurable." in (files / "a" / "report.md").read_text()


def test_further_files_are_groups_of_their_own(call, files, tiny_folder):
    (files / "world.jsonl").write_bytes((files / "retain.jsonl").read_bytes())
    base = ("evaluate", "--model", tiny_folder, "--data", files, "--max-new-tokens", 4)
    also = f"also=world={files / 'world.jsonl'}"
    code, _, _ = call(*base, "--out", files / "a", "--set", also)
    assert code == 0
    record = json.loads((files / "a" / "scores.json").read_text())
    assert set(record["models"]["model"]) == {*ROLES, "world"}
    code, _, err = call(*base, "--out", files / "b", "--set", "also=retain=x.jsonl,world")
    assert code == 2
    assert err.count("names no further group") == 2


def test_the_suites_are_listed_with_their_options(call):
    code, out, _ = call("suites")
    assert code == 0
    for part in (
        "own (version",
        "--set split=forget10 [forget01, forget05, forget10]",
        "muse",
        "wmdp",
    ):
        assert part in out
    code, one, _ = call("suites", "tofu")
    assert code == 0
    assert one.startswith("tofu (version")
    assert "muse" not in one
    code, _, err = call("suites", "tofo")
    assert code == 2
    assert 'Did you mean "tofu"?' in err
    code, out, _ = call("suites", "--json")
    assert {suite["name"] for suite in json.loads(out)} >= {
        "own",
        "tofu",
        "muse",
        "wmdp",
        "general",
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--suite", "tofoo"], 'Did you mean "tofu"?'),
        (["--suite", "tofu", "--set", "split=forget02"], "forget01, forget05, forget10"),
        (["--suite", "tofu", "--forget", "a.jsonl"], "--forget: is not used by the suite tofu"),
        (["--set", "splitt"], "is not a setting"),
        (["--forget", "nowhere.jsonl"], "nowhere.jsonl"),
        (["--limit", "0"], "--limit"),
        (["--bits", "3"], "--bits"),
        (["--model", "x", "--model", "y/x"], 'the label "x" is taken'),
        ([], "add --forget FILE"),
    ],
)
def test_what_is_wrong_is_said_without_a_trace(given, said, call, tmp_path, tiny_folder):
    model = [] if "--model" in given else ["--model", tiny_folder]
    code, _, err = call("evaluate", *model, "--out", tmp_path / "out", *given)
    assert code == 2
    assert said in err
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_the_files_that_a_suite_wants_are_named(call, tmp_path, tiny_folder):
    code, _, err = call(
        "evaluate", "--model", tiny_folder, "--suite", "tofu", "--data", tmp_path, "--out",
        tmp_path / "out",
    )  # fmt: skip
    assert code
    for name in ("forget10_perturbed", "retain_perturbed", "real_authors", "world_facts"):
        assert name in err


def test_a_result_in_what_is_given_is_refused(call, files, tiny_folder):
    """In a model in any case; of a folder of data files, where it would take its place."""
    before = sorted(files.rglob("*")), sorted(tiny_folder.rglob("*"))
    asked = ("evaluate", "--model", tiny_folder, "--data", files, "--overwrite", "--out")
    for out, said in (
        (tiny_folder / "asked", "is within model model"),
        (tiny_folder, "is in it, and would be replaced"),
        (files, "is in it, and would be replaced"),
    ):
        code, _, err = call(*asked, out)
        assert code == 2
        assert said in err
    assert (sorted(files.rglob("*")), sorted(tiny_folder.rglob("*"))) == before


def test_what_cannot_be_compared(call, tmp_path):
    code, _, err = call("compare", tmp_path)
    assert code == 2
    assert "scores.json: does not exist" in err
    code, _, err = call("score", tmp_path, "--out", tmp_path / "b")
    assert code == 2
    assert "holds no rows" in err
