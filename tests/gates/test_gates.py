"""Gates: declared before, told from rows alone, and each outcome with what to try next."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from unteach.checks.gates import gate_problems
from unteach.cli import app
from unteach.cli._next import again
from unteach.errors import UserError
from unteach.evaluation.results import declared, judge
from unteach.report import Report, from_json, gate_sentence, outcome_of, to_html, to_json
from unteach.report.gates import WORDS
from unteach.report.headline import headline
from unteach.report.markdown import to_markdown
from unteach.report.nextstep import Step, next_step
from unteach.settings.gates import DEFAULT, Gates
from unteach.settings.request import load
from unteach.types import Example, Row, Score, Turn

ALL = Gates(**DEFAULT)
FLAGS = {"model": "m", "forget": "f.jsonl", "out": "o"}


def rows(group, logps, **more):
    said = {
        "verbatim": False,
        "said_tokens": 9,
        "said_distinct": 0.9,
        "said_repetition": 0.0,
        "said_logp": -1.0,
    }
    return [
        Row(id=f"{group}-{k}", tokens=9, logp=logp, **{**said, **more})
        for k, logp in enumerate(logps)
    ]


def spread(base, count=40):
    return [base - 0.02 * k for k in range(count)]


BEFORE = {
    "forget": rows("forget", spread(-0.1)),
    "retain": rows("retain", spread(-0.1)),
    "holdout": rows("holdout", spread(-2.0)),
}
GONE = {**BEFORE, "forget": rows("forget", spread(-2.0))}


def report(now, gates=ALL, **more):
    found = judge({"original": BEFORE, "unlearned": now}, gates=gates)
    request = {"gates": gates.model_dump(), "train": {"learning_rate": 1e-3, "epochs": 20}}
    return Report(**found, label="npo", request={**request, **more})


def outcomes(made):
    return {gate.measure: gate.outcome for gate in made.gates}


def test_a_model_that_never_saw_them_passes_and_the_original_does_not():
    made = report(GONE)
    assert len(made.gates) == 7  # membership, given, retain, holdout, and fluency of three groups
    assert set(outcomes(made).values()) == {"done"}
    assert outcome_of(made.gates) == "done"
    assert next_step(made) is None
    known = report(BEFORE)
    assert outcomes(known)["membership AUC"] == "still recognisable"
    (gate,) = [g for g in known.gates if g.name == "membership"]
    assert gate.score.value == 1.0
    assert (gate.low, gate.high) == (0.4, 0.6)


@pytest.mark.parametrize(("now", "outcome", "failed"), [
    ({"forget": rows("forget", spread(-6.0))}, "over-forgotten", "membership AUC"),
    (
        {"retain": rows("retain", spread(-0.3))}, "others damaged",
        "retain: share of probability kept"),
    (
        {"holdout": rows("holdout", spread(-3.0)), "forget": rows("forget", spread(-3.0))},
        "others damaged", "holdout: share of probability kept"),
    (
        {"retain": rows("retain", spread(-0.1), said_repetition=0.9)}, "others damaged",
        "retain: share of fluency kept"),
    (
        {"forget": rows("forget", spread(-2.0), verbatim=True)}, "still recognisable",
        "answers still given"),
])  # fmt: skip
def test_each_outcome_is_told_with_its_number_its_interval_and_its_limit(now, outcome, failed):
    made = report({**GONE, **now})
    assert outcome_of(made.gates) == outcome
    assert [g.measure for g in made.gates if not g.passed] == [failed]
    (gate,) = [g for g in made.gates if not g.passed]
    assert None not in (gate.score.value, gate.score.low, gate.score.high)
    said = gate_sentence(made.gates)
    assert said.startswith(f"Gates: {outcome} ({WORDS[outcome]}): 1 of 7 failed: ")
    assert said in to_html(made)
    assert f"**Gates: {outcome}**" in to_markdown(made)
    assert headline(made).kind == "wrong"
    assert next_step(made) is not None


def test_what_chance_may_have_done_cannot_be_told():
    few = {**GONE, "forget": rows("forget", spread(-2.05, 5)), "holdout": rows("holdout", [-2.1])}
    made = report(few, Gates(membership=0.1))
    assert outcome_of(made.gates) == "cannot tell"
    assert "--holdout" in next_step(made).flags
    odd = {**GONE, "forget": rows("forget", [-1.7, -1.9, -2.1, -2.3, -2.5] * 2)}
    odd["holdout"] = rows("holdout", [-1.95, -2.15, -2.35, -2.55] * 3)
    (gate,) = report(odd, Gates(membership=0.05)).gates
    assert (gate.outcome, gate.passed) == ("cannot tell", False)
    assert "chance may have done it" in gate.why
    (gate,) = report({k: v for k, v in GONE.items() if k != "holdout"}, Gates(holdout=0.8)).gates
    assert gate.outcome == "cannot tell"
    assert "there are no such examples" in gate.why


def test_paraphrases_are_judged_where_the_data_has_some():
    def reworded(group, base):
        return [replace(row, kind="paraphrase") for row in rows(group, spread(base))]

    more = {g: [*GONE[g], *reworded(g, at)] for g, at in (("forget", -0.1), ("holdout", -2.0))}
    made = report({**GONE, **more}, Gates(membership=0.1))
    assert outcomes(made) == {
        "membership AUC": "done",
        "membership AUC, paraphrases": "still recognisable",
    }


def test_a_retrained_model_sets_the_level():
    never = {**GONE, "forget": rows("forget", spread(-1.8))}
    found = judge(
        {"original": BEFORE, "unlearned": never, "retrained": never}, gates=Gates(membership=0.05)
    )
    (gate,) = found["gates"]
    assert gate.passed
    assert gate.low > 0.5


def test_no_gates_no_outcome_and_the_record_comes_back_as_it_was():
    plain = report(GONE, Gates())
    assert plain.gates == ()
    assert declared(plain) == Gates()
    assert "Gates" not in to_markdown(plain)
    made = report(BEFORE)
    again_ = from_json(to_json(made))
    assert again_.gates == made.gates
    assert declared(again_) == ALL


def test_they_are_declared_in_words_in_a_file_and_by_flags(tmp_path):
    file = tmp_path / "request.yaml"
    file.write_text("model: m\nforget: f.jsonl\nout: o\ngates: default\n")
    assert load(file).gates == ALL == load(None, {**FLAGS, "gates": "default"}).gates
    assert load(file, {}, ["gates.given=3"]).gates.given == 3
    assert load(file, {"gates": "none"}).gates.declared == {}
    assert load(None, {**FLAGS, "gates": "given=2"}).gates.declared == {"given": 2}
    assert load(None, {**FLAGS, "gates": "default,holdout=none"}).gates.holdout is None
    assert load(None, FLAGS).gates.declared == {}
    for wrong in ("strict", "given=-1", "membership=2", "retain=a", "colour=1"):
        with pytest.raises(UserError, match="gates"):
            load(None, {**FLAGS, "gates": wrong})
    assert ALL.sha256 != Gates(**{**DEFAULT, "given": 1}).sha256


def example(group, k):
    turns = (Turn("user", "Who?"), Turn("assistant", "He."))
    return Example(id=f"{group}-{k}", where="", kind="pair", turns=turns)


def test_what_could_not_be_told_is_refused_before_anything_is_trained():
    def wrong(**counts):
        groups = {g: [example(g, k) for k in range(n)] for g, n in counts.items()}
        found = gate_problems(ALL, groups, shared=0 < counts.get("holdout", 0) < 16, others=())
        return {problem.where.removeprefix("gates."): str(problem) for problem in found}

    assert wrong(forget=20, retain=5, holdout=40) == {}
    assert set(wrong(forget=20)) == {"membership", "retain", "holdout"}
    assert "cannot judge it" in wrong(forget=20, retain=5, holdout=9)["membership"]
    assert "show no AUC below 0.97" in wrong(forget=3, retain=5, holdout=200)["membership"]
    text = Example(id="forget-0", where="", kind="text", text="A river.")
    (problem,) = gate_problems(Gates(fluency=0.8), {"forget": [text]}, shared=False, others=())
    assert "raw texts" in problem.what


def test_the_next_command_is_the_users_own_with_one_change(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    given = ["run", "r.yaml", "--set", "train.epochs=3", f"--out={out}", "--method", "npo",
             "--set", "method.beta=0.2"]  # fmt: skip
    plain = ["run", "r.yaml", "--set", "train.epochs=3", "--out", f"{out}-2", "--method"]
    slower = again(Step("", {"train.learning_rate": "0.0003"}), out, given)
    rate = ["--set", "train.learning_rate=0.0003"]
    assert slower == [*plain, "npo", "--set", "method.beta=0.2", *rate]
    other = again(Step("", flags={"--method": "auto"}), out, given)
    assert other == [*plain, "auto"]
    longer = again(Step("", {"train.epochs": "6"}), out, given)
    assert longer[-2:] == ["--set", "train.epochs=6"]
    assert "train.epochs=3" not in longer


@pytest.mark.parametrize(("now", "train", "more", "expected"), [
    ("forget", {}, {}, {"train.epochs": "40"}),
    ("forget", {"epochs": 80}, {}, {"train.learning_rate": "0.002"}),
    ("low", {}, {}, {"train.learning_rate": "0.0003"}),
    ("low", {"draw_back": "never"}, {"holdout": "h"}, {"train.draw_back": "holdout"}),
    ("retain", {"retain": "none"}, {"retain": "r"}, {"train.retain": "kl"}),
    (
        "retain", {"retain": "kl", "retain_weight": 1.0}, {"retain": "r"},
        {"train.learning_rate": "0.0003"}),
])  # fmt: skip
def test_each_failure_has_its_own_next_step(now, train, more, expected):
    found = {
        "forget": BEFORE,
        "low": {**GONE, "forget": rows("forget", spread(-6.0))},
        "retain": {**GONE, "retain": rows("retain", spread(-0.5))},
    }[now]
    made = report(found, train={"learning_rate": 1e-3, "epochs": 20, **train}, **more)
    assert next_step(made).sets == expected
    unbounded = report(found, method={"name": "ascent"}, retain="r")
    if now != "forget":
        assert next_step(unbounded).flags == {"--method": "auto"}


def test_at_the_holdouts_level_another_holdout_is_the_next_step():
    """Drawing back to the level that it is at would change nothing."""
    more = {"train": {"learning_rate": 1e-3, "draw_back": "never"}, "holdout": "h"}
    made = report({**GONE, "forget": rows("forget", spread(-6.0))}, **more)
    never = {**made.models["unlearned"]["forget"], "membership_auc_loss": Score(0.74)}

    def beside(auc):
        ours = {**made.models["unlearned"]["forget"], "membership_auc_loss": Score(auc)}
        models = {**made.models, "unlearned": {"forget": ours}, "retrained": {"forget": never}}
        return next_step(replace(made, models=models))

    assert beside(0.48).flags == {"--holdout": "OTHER_HOLDOUT.jsonl"}
    assert "(membership AUC 0.48)" in beside(0.48).why
    assert beside(0.1).sets == {"train.draw_back": "holdout"}
    assert beside(0.8).sets == {"train.draw_back": "holdout"}


def test_the_command_ends_with_3_and_names_the_next_one(tmp_path, tiny_folder, call):
    """A model that trained nothing away: the run is done, written, verified, and not passed."""
    for role, count in (("forget", 12), ("holdout", 24), ("retain", 3)):
        lines = [
            {"question": f"Where is {role} {k}?", "answer": f"It is in {'Lund' * (k % 3 + 1)} {k}."}
            for k in range(count)
        ]
        (tmp_path / f"{role}.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    files = [
        x for r in ("forget", "holdout", "retain") for x in (f"--{r}", tmp_path / f"{r}.jsonl")
    ]
    out = tmp_path / "out"
    given = ["run", "--model", tiny_folder, *files, "--out", out, "--method", "npo",
             "--train-anyway", "--set", "train.epochs=1", "--set", "train.learning_rate=1e-9",
             "--set", "evaluate.max_new_tokens=4", "--request-id", "R-1",
             "--operator", "jd"]  # fmt: skip
    code, _, told = call(*given, "--gates", "retain=1,membership=0.001")
    assert code == 3, told
    assert "gates are fixed: membership 0.001, retain 1 (sha256 " in told
    assert f"--out {out}-2" in told.partition("next: ")[2]
    facts = json.loads((out / "run.json").read_text())["facts"]
    assert facts["gates"]["sha256"] == Gates(membership=0.001, retain=1).sha256
    assert facts["gates"]["outcome"] != "done"
    page = (out / "report.html").read_text("utf-8")
    assert facts["gates"]["sha256"] in page
    assert "Unlearning report, request R-1, run by jd" in page
    assert "**Request.** Request R-1: forget 12 examples" in (out / "report.md").read_text("utf-8")
    assert CliRunner().invoke(app, ["verify", str(out)], catch_exceptions=False).exit_code == 0
    code, _, told = call(*given, "--gates", "retain=1,membership=0.001")
    assert code == 3  # done already, and still not passed
    assert "nothing was done again" in told
    code, _, told = call(*given, "--gates", "retain=0.1")
    assert code == 2  # the result stands by the gates that were fixed before it
