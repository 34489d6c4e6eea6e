"""Gates of `unteach evaluate`: of one model by the user's own files, with the removal as next."""

import json

import pytest

from unteach.evaluation.verify import verify


@pytest.fixture
def files(tmp_path):
    for role, count in (("forget", 12), ("holdout", 24), ("retain", 3)):
        lines = [
            {"question": f"Where is {role} {k}?", "answer": f"In {role} {k}."} for k in range(count)
        ]
        (tmp_path / f"{role}.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    return tmp_path


def test_the_model_before_is_held_to_gates_and_the_removal_is_next(files, tiny_folder, call):
    roles = ("forget", "retain", "holdout")
    given = [x for role in roles for x in (f"--{role}", files / f"{role}.jsonl")]
    out = files / "out"
    command = ["evaluate", "--model", tiny_folder, *given, "--out", out, "--no-cache",
               "--max-new-tokens", "4", "--reference-model", tiny_folder]  # fmt: skip
    code, _, told = call(*command, "--gates", "default,membership=0.0001,given=none")
    assert code == 3, told
    assert "Gates: " in told
    assert verify(out).scores > 50
    scores = json.loads((out / "scores.json").read_text())
    assert {gate["name"] for gate in scores["gates"]} == {
        "membership",
        "retain",
        "holdout",
        "fluency",
    }
    assert all(g["outcome"] == "done" for g in scores["gates"] if g["name"] != "membership")
    assert scores["facts"]["gates"]["sha256"]
    (membership,) = [g for g in scores["gates"] if g["name"] == "membership"]
    if membership["outcome"] == "cannot tell":
        assert "--holdout MORE_HOLDOUT.jsonl" in told
    else:
        assert f"unteach run --model {tiny_folder} --forget" in told
    del scores["gates"], scores["request"]["gates"]  # as a release before wrote it
    (out / "scores.json").write_text(json.dumps(scores))
    assert verify(out).scores > 50


def test_gates_that_it_could_not_tell_of_are_refused(files, tiny_folder, call):
    own = ["evaluate", "--model", tiny_folder, "--forget", files / "forget.jsonl",
           "--out", files / "out", "--gates", "default"]  # fmt: skip
    code, _, told = call(*own)
    assert code == 2
    for said in ("it is not given", "gates.membership", "gates.retain", "gates.holdout"):
        assert said in told
    code, _, told = call(*own, "--model", f"b={tiny_folder}")
    assert code == 2
    assert "are of one model, and 2 are given" in told
    assert not (files / "out").exists()
