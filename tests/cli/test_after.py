"""Runs on the result of a run: earlier requests are asked again, held, or told not to be."""

import json
import os
import shutil

import pytest
from audit.learned import SECRET, learn, write
from secrecy.leaks import canary, leaks

from unteach.checks.earlier import find_earlier, nothing_held
from unteach.cli import _next
from unteach.evaluation import rows as asking
from unteach.files.rows import read_rows
from unteach.report import from_json, to_html
from unteach.report.markdown import to_markdown
from unteach.settings.request import load

SETS = ["--set", "train.epochs=3", "--set", "evaluate.max_new_tokens=12", "--method", "npo",
        "--train-anyway"]  # fmt: skip


@pytest.fixture(scope="module")
def learned(tmp_path_factory, tiny_folder):
    """A model that knows twelve records, in two files; and the result of a run on the first."""
    place = tmp_path_factory.mktemp("after")
    rows = write(place)
    learn(place, tiny_folder, count=12, steps=60)
    for name, some in (("one", rows[:6]), ("two", rows[6:])):
        (place / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    return place


@pytest.fixture
def place(learned, tmp_path, monkeypatch, call):
    """A folder of one's own, in which the first request is done."""
    for name in ("one.jsonl", "two.jsonl", "holdout.jsonl"):
        shutil.copy2(learned / name, tmp_path / name)
    shutil.copytree(learned / "model", tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    done = learned / "first"
    if not done.exists():
        code, _, told = call(*arguments("model", "one", "first", "--request-id", "R-1",
                                        "--set", "train.epochs=30"))  # fmt: skip
        assert code == 0, told
        shutil.copytree("first", done)
    elif not (tmp_path / "first").exists():
        shutil.copytree(done, tmp_path / "first")
    return tmp_path


def arguments(model, forget, out, *more):
    return ["run", "--model", model, "--forget", f"{forget}.jsonl", "--holdout", "holdout.jsonl",
            "--out", out, *SETS, *more]  # fmt: skip


def report(out):
    return from_json((out / "scores.json").read_text())


def test_an_earlier_request_is_asked_before_and_after_and_stands_in_every_report(place, call):
    code, printed, told = call(*arguments("first", "two", "second"))
    assert code == 0, told
    made = report(place / "second")
    (one,) = made.earlier
    assert (one.name, one.group, one.records, one.not_asked) == ("R-1", "earlier-1", 6, "")
    assert one.before.asked == one.after.asked == 6
    assert not one.known_before
    groups, _ = read_rows(place / "second" / "rows" / "original.jsonl")
    then, _ = read_rows(place / "first" / "rows" / "unlearned.jsonl")
    now, before = ([r.logp for r in rows] for rows in (groups["earlier-1"], then["forget"]))
    assert now == pytest.approx(before, abs=0.2)  # the same model; rounded by other ids
    assert "earlier-1" not in made.models["original"]
    markdown, page = (make(made) for make in (to_markdown, to_html))
    for text in (markdown, page, printed):
        assert "worst R-1" in text
    assert "## Earlier requests" in markdown
    assert call("verify", "second")[0] == 0
    words = [canary(f"km by {SECRET}", tokenizer(place))]
    whole = [json.loads(line) for line in (place / "one.jsonl").read_text().splitlines()]
    shutil.rmtree(place / "first")
    for name in ("one.jsonl", "two.jsonl", "holdout.jsonl"):
        (place / name).unlink()
    heavy = (".safetensors", "tokenizer.json")
    files = [p for p in (place / "second").rglob("*") if p.is_file()]
    written = b"".join(p.read_bytes() for p in files if not p.name.endswith(heavy))
    texts = [row[name].encode() for row in whole for name in ("question", "answer")]
    assert not [text for text in texts if text in written]
    assert leaks(written, words[0]) == []
    assert SECRET not in printed + told


def tokenizer(place):
    from unteach.models.loading import load_tokenizer

    return load_tokenizer(str(place / "model"))


def test_the_chain_is_followed_through_parents_the_oldest_first(place, call):
    assert call(*arguments("first", "two", "second"))[0] == 0
    third = {"model": "second", "forget": "holdout.jsonl", "out": "third"}
    found = find_earlier(load(flags=third))
    assert [(one.request.name, one.request.group) for one in found] == [
        ("R-1", "earlier-1"),
        ("second", "earlier-2"),
    ]
    tuned = place / "tuned"
    shutil.copytree(place / "second", tuned)
    for name in ("request.yaml", "run.json"):
        (tuned / name).unlink()
    assert find_earlier(load(flags={**third, "model": "tuned"})) == ()
    (named,) = find_earlier(load(flags={**third, "model": "tuned", "after": ["first"]}))
    assert named.request.name == "R-1"
    (place / "first" / "model.safetensors").write_bytes(b"another model by now")
    again = find_earlier(load(flags=third))
    assert [one.request.not_asked for one in again] == ["its folder holds another model by now", ""]


@pytest.mark.parametrize(("change", "why"), [
    (lambda file: file.unlink(), "is not there any more"),
    (lambda file: file.write_text(file.read_text().split("\n", 1)[1]), "5 records and 6 then"),
    (lambda file: file.write_text(file.read_text().replace(SECRET, "all that " * 9)), "lengths"),
    (lambda file: file.write_text("{torn"), "cannot be read any more"),
], ids=["missing", "fewer", "other words", "torn"])  # fmt: skip
def test_data_that_are_gone_or_changed_are_said_and_not_asked(place, call, change, why):
    change(place / "one.jsonl")
    code, printed, told = call(*arguments("first", "two", "second", "--set", "train.epochs=1"))
    assert code == 0, told
    assert "earlier request R-1: is not asked" in told
    assert why in told
    (one,) = report(place / "second").earlier
    assert (one.group, one.before, one.after) == ("", None, None)
    assert why in one.not_asked
    assert "None of 1 earlier requests could be asked" in printed
    code, _, told = call(*arguments("first", "two", "held", "--replay"))
    assert code == 2
    assert "no earlier request's records are at hand" in told


def test_a_file_that_was_written_anew_with_the_same_answers_is_asked_and_said(place, call):
    file = place / "one.jsonl"
    os.utime(file, (1, 1))
    (one,) = find_earlier(load(flags={"model": "first", "forget": "two.jsonl", "out": "o"}))
    assert one.examples
    assert "written anew since" in one.request.note


def test_what_after_names_must_be_a_result_and_retain_may_not_teach_it_again(place, call):
    code, _, told = call(*arguments("model", "two", "second", "--after", "model"))
    assert code == 2
    assert "--after model: is no result of a run" in told
    code, _, told = call(*arguments("first", "two", "second", "--retain", "one.jsonl"))
    assert code == 1
    assert "earlier request R-1 removed it, and this run would teach it" in told
    assert SECRET not in told
    code, _, told = call(*arguments("model", "two", "second", "--gates", "earlier=0"))
    assert code == 2
    assert "gates.earlier" in told


def back(monkeypatch):
    """The model that is written gives earlier requests again, as far as its rows tell."""
    plain = asking.ask_model

    def ask_model(name, *rest):
        found = plain(name, *rest)
        if name != "original":
            from dataclasses import replace

            found.rows["earlier-1"] = [
                replace(row, verbatim=True, logp=-0.05) for row in found.rows["earlier-1"]
            ]
        return found

    monkeypatch.setattr(asking, "ask_model", ask_model)


def test_a_request_that_comes_back_fails_the_gate_with_the_next_command(place, call, monkeypatch):
    back(monkeypatch)
    gates = ("--gates", "given=12", "--no-replay")
    code, printed, told = call(*arguments("first", "two", "second", *gates))
    assert code == 3
    assert "resurfaced" in told
    assert "--set train.replay=true" in told
    assert "comes back: earlier request R-1 (known: 6 of 6 given" in printed
    made = report(place / "second")
    assert made.facts["gates"]["outcome"] == "resurfaced"
    assert made.request["gates"]["earlier"] == 0
    off = ("--gates", "given=12,earlier=none")
    assert call(*arguments("first", "two", "third", *off))[0] == 0


def test_without_gates_it_is_said_and_the_exit_code_is_0(place, call, monkeypatch):
    back(monkeypatch)
    monkeypatch.setattr(_next, "free", lambda out: out.with_name("again"))
    code, _, told = call(*arguments("first", "two", "second", "--set", "train.epochs=1"))
    assert code == 0
    assert "an earlier request came back with this run" in told
    assert "--out again" in told
    assert "train.replay_weight=3" in told  # it was held already


class Stopped(BaseException):
    pass


def test_killed_and_given_again_it_ends_the_same_with_replay(place, call, monkeypatch):
    """Once within training, once between training and the evaluation of earlier requests."""
    more = ("--replay", "--set", "train.checkpoint_steps=1")
    assert call(*arguments("first", "two", "whole", *more))[0] == 0
    from unteach.training.trainer import UnlearningTrainer

    plain, count = UnlearningTrainer.training_step, [0]

    def step(self, *args, **kwargs):
        count[0] += 1
        if count[0] == 3:
            raise Stopped
        return plain(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(UnlearningTrainer, "training_step", step)
        with pytest.raises(Stopped):
            call(*arguments("first", "two", "cut", *more))

    def fail(*_):
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr("unteach.pipeline.evidence", fail)
        with pytest.raises(Stopped):
            call(*arguments("first", "two", "cut", *more))
    code, _, told = call(*arguments("first", "two", "cut", *more))
    assert code == 0
    assert "going on: the model is trained and written" in told
    one, other = place / "whole", place / "cut"
    for name in ("model.safetensors", "rows/unlearned.jsonl", "rows/original.jsonl"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    assert report(one).earlier == report(other).earlier
    assert report(one).facts["replayed"] == 6
    code, _, told = call(*arguments("first", "two", "cut", *more))
    assert "this very request is done already" in told


def test_a_damaged_result_is_no_chain(place):
    (place / "first" / "rows" / "unlearned.jsonl").write_text("torn")
    (place / "first" / "rows" / "original.jsonl").write_text("torn")
    flags = {"model": "first", "forget": "two.jsonl", "out": "o"}
    (one,) = find_earlier(load(flags=flags))
    assert "cannot be told to be the same" in one.request.not_asked
    (problem,) = nothing_held(load(flags=flags, sets=["train.replay=true"]), (one,))
    assert "nothing to hold" in problem.what
