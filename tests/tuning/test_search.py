"""`unteach search` as a user types it: on a tiny model that knows nothing."""

import json
import re
import sqlite3

import pytest
from support import write_roles
from tuning.searches import FAST, ROLES, command, watched

import unteach
from unteach.settings.request import load
from unteach.tuning import request as asking
from unteach.tuning.workbench import Workbench

MORE = ("--budget", "10m", "--trials", "3", "--no-confirm")


@pytest.fixture(scope="module")
def found(tiny_folder, tmp_path_factory):
    """A whole search with its confirmation: the folder, the result and the ids that trials read."""
    files = write_roles(tmp_path_factory.mktemp("search"), 20)
    loads = []
    with pytest.MonkeyPatch.context() as patch:
        seen = watched(patch)
        from unteach import pipeline
        from unteach.models import loading

        real, confirm = loading.load_model, pipeline.run
        patch.setattr(loading, "load_model", lambda *a, **k: loads.append(a) or real(*a, **k))

        def run(*given, **more):
            before.update(seen)
            counted.append(len(loads))
            return confirm(*given, **more)

        before, counted = set(), []
        patch.setattr(pipeline, "run", run)
        files_of = {role: files / f"{role}.jsonl" for role in ROLES}
        result = unteach.search(
            model=tiny_folder, out=files / "out", train_anyway=True, **files_of, budget="10m",
            trials=4, methods=("npo", "undial"), settings=FAST,
        )  # fmt: skip
    return files, result, before, counted[0]


def test_what_it_writes_and_the_next_command(found, call):
    files, result, _, _ = found
    out = files / "out"
    assert {line.state for line in result.lines} <= {"done", "given up"}
    assert len(result.lines) == 4
    assert {(x.choice.method, x.state) for x in result.lines if x.default} == {
        ("npo", "done"), ("undial", "done"),
    }  # fmt: skip
    assert result.next.startswith(f"unteach attack --model {out / 'best'} --original ")
    page = (out / "search.html").read_text()
    assert "<svg" in page
    assert "http" not in page.replace("http-equiv", "")
    told = json.loads((out / "search.json").read_text())
    assert told["best"]["value"] == max(t["value"] or 0 for t in told["trials"])
    assert told["confirmed"][1]["model"] == "unlearned"
    report = result.confirmed
    kept = [report.value(m, "retain", "probability") for m in ("unlearned", "original")]
    assert told["confirmed_marks"]["kept"] == pytest.approx(min(kept[0] / kept[1], 1), abs=0.02)
    assert "on the half that no trial read: " in (out / "search.md").read_text()
    code, _, err = call("run", out / "best.yaml")
    assert code == 0, err
    assert "this very request is done already" in err


def test_the_numbers_that_confirm_are_of_data_that_no_trial_read(found):
    files, result, seen, _ = found
    rows = (files / "out" / "best" / "rows" / "unlearned.jsonl").read_text()
    judged = set(re.findall(r'"id": ?"([\w-]+)"', rows))
    assert {name.split("-")[0] for name in judged} == {*ROLES}
    assert seen & judged == set()
    counts = {role: sum(n.startswith(role) for n in judged) for role in ROLES}
    assert counts == {"forget": 10, "retain": 10, "holdout": 10}
    assert sum(n.startswith("forget") for n in seen) == 10
    request = load(files / "out" / "best.yaml")
    assert request.evaluate.half == "second"
    assert request.method_name == result.best.choice.method


def test_the_winner_is_trained_on_whole_files(found):
    from unteach.checks.request import check

    request = load(found[0] / "out" / "best.yaml").model_copy(update={"overwrite": True})
    intake = check(request)
    assert {role: len(s) for role, s in intake.sequences.items()} == {
        "forget": 20, "retain": 20, "holdout": 10,
    }  # fmt: skip
    assert {role: len(g) for role, g in intake.groups.items()} == dict.fromkeys(ROLES, 10)
    assert len(intake.calibration) == 10
    assert len(intake.whole["forget"]) == 20


def test_the_model_is_loaded_once_for_all_trials(found):
    assert found[3] == 1


def test_no_text_of_the_data_is_in_what_it_writes(found):
    files = found[0]
    lines = [x for role in ROLES for x in (files / f"{role}.jsonl").read_text().splitlines()]
    rows = [json.loads(line) for line in lines]
    texts = {part for row in rows for part in (row["question"], row["answer"])}
    for path in (files / "out").rglob("*"):
        if path.is_file() and path.parent.name != "best":
            held = path.read_bytes()
            assert not [text for text in texts if text.encode() in held], path
    with sqlite3.connect(files / "out" / "study.db") as study:
        names = {row[0] for row in study.execute("select param_name from trial_params")}
    settings = ("learning_rate", "retain_weight", "beta", "strength")
    assert names <= {f"{m}.{n}" for m in ("npo", "undial") for n in settings} | {"method"}


def test_a_search_that_was_stopped_goes_on(call, tiny_folder, tmp_path, monkeypatch):
    write_roles(tmp_path, 20)
    real, begun = Workbench.train, []

    def train(self, choice, *rest):
        begun.append(choice)
        if len(begun) == 2:
            raise KeyboardInterrupt
        return real(self, choice, *rest)

    monkeypatch.setattr(Workbench, "train", train)
    code, _, err = call(*command(tmp_path, tiny_folder, *MORE))
    assert code == 130, err
    code, out, err = call(*command(tmp_path, tiny_folder, *MORE, "--json"))
    assert code == 0, err
    assert "going on with the trials that are there" in err
    assert begun[2] == begun[1], "the trial that was cut off is the next one"
    told = json.loads(out)
    assert told["facts"]["trials"] == 3
    assert len(begun) == 4
    assert told["next"] == f"unteach run {tmp_path / 'out' / 'best.yaml'}"
    assert err.endswith(f"next: {told['next']}")


def test_another_request_does_not_go_on_there(call, tiny_folder, tmp_path, monkeypatch):
    write_roles(tmp_path, 20)

    def stopped(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(Workbench, "judge", stopped)
    assert call(*command(tmp_path, tiny_folder, *MORE))[0] == 130
    kept = (tmp_path / "forget.jsonl").read_text()
    (tmp_path / "forget.jsonl").write_text(kept.replace("Lund", "Berg"))
    code, _, err = call(*command(tmp_path, tiny_folder, *MORE))
    assert code == 2
    assert "or on data or a model that have changed hint: give another folder, or --over" in err
    code, _, err = call(*command(tmp_path, tiny_folder, *MORE, "--out", tmp_path))
    assert code == 2
    assert "is not empty" in err
    assert (tmp_path / "forget.jsonl").exists()


def test_what_is_missing_is_told_at_once(call, tiny_folder, tmp_path, monkeypatch):
    write_roles(tmp_path, 20)
    monkeypatch.setattr(asking, "find_spec", lambda name: None)
    given = ["--model", tiny_folder, "--forget", tmp_path / "forget.jsonl"]
    code, _, err = call(
        "search", *given, "--methods", "nppo", "--budget", "soon", "--ranks", "x",
        "--set", "method=npo",
    )  # fmt: skip
    assert code == 2
    for part in (
        'pip install "unteach[search]"', "write 90s, 20m or 2h", 'Did you mean "npo"?',
        "write 8,16,32", "give --holdout a file of texts", "name methods with --methods",
        "give --retain or --holdout",
    ):  # fmt: skip
        assert part in err, part
    assert not (tmp_path / "unteach-search").exists()


def test_files_that_cannot_be_halved_are_told(call, tiny_folder, tmp_path):
    write_roles(tmp_path, 7)
    code, _, err = call(*command(tmp_path, tiny_folder, *MORE))
    assert code == 2
    assert err.count("evaluate.half wants a half of them to judge") == 3
    assert "give at least 16" in err
