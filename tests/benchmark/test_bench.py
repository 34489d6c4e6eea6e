"""`unteach bench` as a user types it: on a tiny model that knows nothing."""

import csv
import io
import json
import re

import pytest
from support import write_roles

import unteach
from unteach import pipeline

ROLES = ("forget", "retain", "holdout")
FAST = {"evaluate.max_new_tokens": 4, "train.batch_size": 8}


def command(files, model, *more):
    roles = [part for role in ROLES for part in (f"--{role}", files / f"{role}.jsonl")]
    sets = [part for k, v in FAST.items() for part in ("--set", f"{k}={v}")]
    return ["bench", "--model", model, *roles, *sets, "--train-anyway", "--out", files / "out",
            "--epochs", "1", *more]  # fmt: skip


@pytest.fixture(scope="module")
def files(tiny_folder, tmp_path_factory):
    """A folder with a benchmark of two methods that run, two seeds each, and one that cannot."""
    folder = write_roles(tmp_path_factory.mktemp("bench"), 16)
    unteach.bench(
        model=tiny_folder, out=folder / "out", train_anyway=True, methods="npo,retrain,undial",
        seeds=2, epochs=1, settings=FAST,
        **{role: folder / f"{role}.jsonl" for role in ROLES},
    )  # fmt: skip
    return folder


def table_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_means_and_intervals_are_of_the_reports_of_the_cells(files):
    out = files / "out"
    lines = {row["model"]: row for row in table_of((out / "bench.csv").read_text())}
    assert [*lines] == ["original", "npo", "retrain", "undial"]
    for name in ("npo", "undial"):
        values = []
        for seed in (0, 1):
            scores = json.loads((out / "cells" / f"{name}-seed{seed}" / "scores.json").read_text())
            values.append(scores["models"]["unlearned"]["forget"]["probability"]["value"])
            assert scores["facts"]["steps"] == 2, "one pass over 16 examples, 8 at a time"
            assert scores["request"]["train"]["seed"] == seed
        mean, half = sum(values) / 2, abs(values[0] - values[1]) / 2 * 12.706
        row = lines[name]
        assert row["seeds"] == "2"
        assert float(row["forget probability"]) == pytest.approx(mean)
        ends = float(row["forget probability low"]), float(row["forget probability high"])
        assert ends == pytest.approx((mean - half, mean + half), rel=1e-3, abs=1e-6)
        assert float(row["peak memory, GB"]) > 0.05
    assert lines["retrain"]["seeds"] == "0"
    assert "retrain begins at the model before fine-tuning" in lines["retrain"]["not run because"]


def test_every_form_of_the_table_has_the_same_numbers(files):
    out = files / "out"
    told = json.loads((out / "bench.json").read_text())
    mean = next(x for x in told["lines"] if x["model"] == "npo")["means"]["retain probability"]
    shown = re.search(r"\| npo \| 2 \| (.+) \|", (out / "bench.md").read_text())[1].split(" | ")
    number = shown[told["columns"].index("retain probability")].split(" ± ")[0]
    assert float(number) == pytest.approx(mean["value"], rel=0.2)
    latex = (out / "bench.tex").read_text()
    assert latex.count(r"\\") == 4
    assert rf"{number} \pm" in latex
    page = (out / "bench.html").read_text()
    assert number in page
    assert "http" not in page.replace("http-equiv", "")
    cells = table_of((out / "cells.csv").read_text())
    assert [(row["method"], row["seed"], row["state"]) for row in cells] == [
        (method, seed, "cannot run" if method == "retrain" else "done")
        for seed in "01" for method in ("npo", "retrain", "undial")
    ]  # fmt: skip


def test_no_weights_and_no_text_of_the_data_are_left(files):
    lines = [x for role in ROLES for x in (files / f"{role}.jsonl").read_text().splitlines()]
    rows = [json.loads(line) for line in lines]
    texts = [part.encode() for row in rows for part in (row["question"], row["answer"])]
    for path in (files / "out").rglob("*"):
        assert path.suffix != ".safetensors"
        if path.is_file():
            held = path.read_bytes()
            assert not [text for text in texts if text in held], path


def test_finished_cells_are_kept_and_further_ones_are_added(files, call, tiny_folder, monkeypatch):
    real, runs = pipeline.run, []

    def run(request, listener=None):
        runs.append((request.method_name, request.train.seed))
        if len(runs) == 2:
            raise KeyboardInterrupt
        return real(request, listener)

    monkeypatch.setattr(pipeline, "run", run)
    more = ("--methods", "npo,undial,retrain", "--seeds", "3")
    assert call(*command(files, tiny_folder, *more))[0] == 130
    code, out, err = call(*command(files, tiny_folder, *more))
    assert code == 0, err
    assert runs == [("npo", 2), ("undial", 2), ("undial", 2)]
    assert re.search(r"npo +3 ", out)
    assert "retrain: cannot run: --base: is not given" in err
    assert re.search(r"next: unteach run \S+/cells/(npo|undial)-seed0/request.yaml", err)


def test_the_table_is_made_again_without_a_run(files, call, monkeypatch):
    out = files / "out"
    before = {name: (out / name).read_text() for name in ("bench.csv", "cells.csv", "bench.tex")}
    for name in before:
        (out / name).unlink()
    monkeypatch.setattr(pipeline, "run", None)
    code, said, err = call("bench", "--table-only", "--out", out, "--json")
    assert code == 0, err
    assert json.loads(said)["facts"]["done"] >= 4
    assert {name: (out / name).read_text() for name in before} == before


def test_what_is_missing_is_told(call, tiny_folder, tmp_path):
    write_roles(tmp_path, 3)
    code, _, err = call("bench", "--table-only", "--out", tmp_path)
    assert (code, "has no cells of a benchmark" in err) == (2, True)
    code, _, err = call(*command(tmp_path, tiny_folder, "--methods", "nppo,npo", "--tune", "x"))
    assert code == 2
    assert 'Did you mean "npo"?' in err
    assert "--tune: is" in err
    code, _, err = call(*command(tmp_path, tiny_folder, "--epochs", "few"))
    assert (code, "write a number, or own" in err) == (2, True)
    code, _, err = call(*command(tmp_path, tiny_folder, "--methods", "retrain"))
    assert (code, "retrain begins at the model before" in err) == (1, True)
    code, _, err = call(*command(tmp_path, tiny_folder, "--suite", "muse"))
    assert (code, "has nothing to train on hint: These have: tofu" in err) == (2, True)


def test_files_of_tofu_are_found_by_their_roles(tmp_path):
    from unteach.benchmark.request import of_suite
    from unteach.errors import UserError

    for name in ("forget05_perturbed", "real_authors_perturbed", "world_facts_perturbed"):
        (tmp_path / f"{name}.json").write_text("[]")
    with pytest.raises(UserError, match="holds no retain95"):
        of_suite("tofu", str(tmp_path), {"split": "forget05"})
    (tmp_path / "retain95.json").write_text("[]")
    found = of_suite("tofu", str(tmp_path), {"split": "forget05"})
    assert found.pop("also") == {
        "authors": str(tmp_path / "real_authors_perturbed.json"),
        "facts": str(tmp_path / "world_facts_perturbed.json"),
    }
    names = {role: path.rpartition("/")[2] for role, path in found.items()}
    assert names == {"forget": "forget05_perturbed.json", "retain": "retain95.json"}
    hub = of_suite("tofu", None, {})
    assert hub["retain"].startswith("locuslab/TOFU:retain90:train@")
    assert hub["holdout"].startswith("locuslab/TOFU:holdout10:train@")


@pytest.mark.slow
def test_settings_are_searched_for_each_method_on_the_other_half(call, tiny_folder, tmp_path):
    write_roles(tmp_path, 20)
    more = ("--methods", "npo,retrain", "--seeds", "1", "--tune", "1s")
    code, _, err = call(*command(tmp_path, tiny_folder, *more))
    assert code == 0, err
    cell = tmp_path / "out" / "cells" / "npo-seed0"
    scores = json.loads((cell / "scores.json").read_text())
    assert scores["request"]["evaluate"]["half"] == "second"
    best = json.loads((tmp_path / "out" / "tuned" / "npo" / "search.json").read_text())["best"]
    assert scores["request"]["train"]["learning_rate"] == best["settings"]["train.learning_rate"]
    assert scores["models"]["unlearned"]["forget"]["probability"]["n"] == 10
    assert "retrain: cannot run" in err
