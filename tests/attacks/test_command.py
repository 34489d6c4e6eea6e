"""`unteach attack` as a user types it: on tiny models that know nothing, and what can go wrong."""

import json
import shutil

import pytest
from evaluation_support import SECRET, everything_written, write_files

from unteach.attacks import run as running

SMALL = {
    "int4": ("groups=0", "nf4=0"),
    "relearn": ("kinds=lora", "rates=1", "steps=1,2", "arms=part"),
    "sample": ("answers=4", "best=1,4", "temperatures=1"),
    "prompt": ("turns=1",),
    "detect": (),
}
COUNTS = {"int4": 2, "relearn": 2, "sample": 2, "prompt": 16, "detect": 3}


def small(*names):
    sets = [f"{name}.{option}" for name in names for option in SMALL[name]]
    return ["--attack", ",".join(names), *(part for s in sets for part in ("--set", s)),
            "--max-new-tokens", 4]  # fmt: skip


@pytest.fixture
def files(tmp_path):
    write_files(tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "forget.jsonl").read_text().splitlines()]
    rows += [{**rows[0], "question": f"Where was Ada {n} born?"} for n in ("Rask", "Holm")]
    rows[0]["paraphrased_question"] = "In which place was Ada Lund born?"
    (tmp_path / "forget.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def flags(files, *roles):
    return [part for role in roles for part in (f"--{role}", files / f"{role}.jsonl")]


@pytest.mark.parametrize(
    "names", [("int4", "detect"), pytest.param((*SMALL,), marks=pytest.mark.slow)], ids=len
)
def test_from_files_to_a_table_and_nothing_is_asked_twice(
    names, call, files, tiny_folder, monkeypatch
):
    models = ("--model", tiny_folder, "--original", tiny_folder, "--retrained", tiny_folder)
    command = ("attack", *models, *flags(files, "forget", "retain", "holdout"), *small(*names),
               "--out", files / "out")  # fmt: skip
    code, out, err = call(*command)
    assert code == 0, err
    assert out.startswith("Worst case: not known (the attack gets no more from the original")
    left = ",".join(name for name in ("prompt", "relearn", "sample") if name not in names)
    assert (f"--attack {left}" if left else "next: unteach evaluate") in err.split("next:")[1] + err
    found = json.loads((files / "out" / "attacks.json").read_text())
    by_attack = {}
    for line in found["lines"]:
        by_attack.setdefault(line["attack"], []).append(line)
    counts = {name: len(lines) for name, lines in by_attack.items()}
    assert counts == {"no attack": 1, **{name: COUNTS[name] for name in names}}
    for lines in by_attack.values():  # one model thrice: no attack can tell them apart
        for line in lines:
            for of in line["scores"].values():
                given = [s["value"] for m, s in of.items() if m in ("unlearned", "retrained")]
                assert len({*given}) <= 1
    assert by_attack["int4"][0]["facts"]["unlearned"] == {"changed_bucket": 0.0}
    assert found["papers"]["int4"]["arxiv"] == "2410.16454"
    assert "arXiv 2410.16454" in (files / "out" / "attacks.md").read_text()
    if "relearn" in names:
        assert "wording: given (1)" in [line["variant"] for line in by_attack["prompt"]]
        assert (files / "out" / "relearn.png").stat().st_size > 10_000
    written = everything_written(files / "out")
    assert SECRET not in written
    assert "bread" not in written
    assert "Where was" not in written
    assert {p.stat().st_mode & 0o777 for p in (files / "out" / "parts").iterdir()} == {0o600}

    monkeypatch.setattr(running._Run, "_make", lambda *_: pytest.fail("it was asked again"))
    monkeypatch.setattr(running._Run, "_plain", lambda *_: pytest.fail("it was asked again"))
    code, again, err = call(*command, "--json")
    assert code == 0, err
    assert json.loads(again)["lines"] == found["lines"]


def test_a_run_that_was_cut_off_goes_on(call, files, tiny_folder, monkeypatch):
    command = ("attack", "--model", tiny_folder, *flags(files, "forget", "holdout"),
               *small("relearn"), "--out", files / "out")  # fmt: skip
    kept, keep = [], running._Run._keep

    def cut(self, one, subject, finding):
        if kept:
            raise KeyboardInterrupt
        keep(self, one, subject, finding)
        kept.append(finding.variant)

    with monkeypatch.context() as patch:
        patch.setattr(running._Run, "_keep", cut)
        assert call(*command)[0] == 130
    assert not (files / "out" / "attacks.json").exists()
    made = []

    def watched(self, one, subject, finding):
        made.append(finding.variant)
        keep(self, one, subject, finding)

    monkeypatch.setattr(running._Run, "_keep", watched)
    code, out, err = call(*command)
    assert code == 0, err
    assert made
    assert not {*made} & {*kept}
    assert "--original: is not given" in err
    assert out.startswith("Worst case: not known (no original model is given)")


def test_all_that_is_wrong_is_told_at_once(call, files, tiny_folder):
    code, _, err = call(
        "attack", "--model", files / "none", "--original", files / "neither",
        "--forget", files / "no.jsonl", "--attack", "int4,detect", "--out", files / "out",
    )  # fmt: skip
    assert code == 2
    assert f"--model {files / 'none'}: does not exist" in err
    assert f"--original {files / 'neither'}: does not exist" in err
    assert f"{files / 'no.jsonl'}: does not exist" in err
    assert "reference-model" not in err
    code, _, err = call("attack", "--model", "m", "--forget", "f", "--attack", "int5",
                        "--set", "sample.best=1")  # fmt: skip
    assert code == 2
    assert 'Did you mean "int4"?' in err
    assert "--set sample.best: belongs to no attack that is run" in err
    code, _, err = call(
        "attack", "--model", tiny_folder, *flags(files, "forget"), "--attack", "detect,sample",
        "--set", "sample.answers=8", "--out", files / "out",
    )  # fmt: skip
    assert code == 2
    assert "--holdout: is not given; detect compares" in err
    assert "has 64, and only 8 answers are sampled" in err
    assert not (files / "out").exists()
    (files / "out").mkdir()
    (files / "out" / "mine.txt").write_text("keep me")
    code, _, err = call("attack", "--model", tiny_folder, *flags(files, "forget"),
                        "--attack", "int4", "--out", files / "out")  # fmt: skip
    assert code == 2
    assert "is not empty" in err


def test_a_changed_model_is_asked_anew(files, tiny_folder, tmp_path_factory):
    import torch
    from transformers import AutoModelForCausalLM

    from unteach import AttackRequest, attack

    folder = tmp_path_factory.mktemp("changed") / "model"
    shutil.copytree(tiny_folder, folder)
    asked = AttackRequest(
        model=str(folder), forget=str(files / "forget.jsonl"), attacks=("detect",),
        holdout=str(files / "holdout.jsonl"), out=files / "out", max_new_tokens=4,
    )  # fmt: skip
    before = attack(asked).lines[0].scores
    model = AutoModelForCausalLM.from_pretrained(folder)
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.1 * torch.randn_like(weight)
    model.save_pretrained(folder)
    assert attack(asked).lines[0].scores != before
