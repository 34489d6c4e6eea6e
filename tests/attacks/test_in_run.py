"""`unteach run --attack`: the attacks are a part of the run, of its report and of its going on."""

import json
from dataclasses import replace

import pytest
from evaluation_support import SECRET, everything_written, write_files
from support import ANYWAY

from unteach import pipeline, unlearn
from unteach.attacks import run as running
from unteach.attacks._in_run import options_of
from unteach.errors import UserError
from unteach.evaluation import rows as asking
from unteach.evaluation.rescore import rescore
from unteach.report import (
    Report,
    from_json,
    to_html,
    to_json,
    to_markdown,
    what_is_wrong,
)
from unteach.report.attacked import Attacked, Worst
from unteach.settings.request import load
from unteach.types import Score

QUICK = tuple(f"attack.options.int4.{n}=0" for n in ("groups", "control_bits", "nf4"))


@pytest.fixture
def files(tmp_path):
    return write_files(tmp_path)


def command(files, model, *more):
    data = [part for role in ("forget", "retain", "holdout")
            for part in (f"--{role}", files / f"{role}.jsonl")]  # fmt: skip
    sets = (ANYWAY, "train.epochs=1", "evaluate.max_new_tokens=4", *QUICK)
    given = [part for s in sets for part in ("--set", s)]
    return ("run", "--model", model, "--retrained", model, *data, "--method", "npo", *given,
            "--out", files / "out", *more)  # fmt: skip


def test_the_report_has_what_came_back_and_nothing_is_done_twice(
    call, files, tiny_folder, monkeypatch
):
    asked = command(files, tiny_folder, "--attack", "int4,detect")
    code, out, err = call(*asked)
    assert code == 0, err
    headline = "Worst case: not known (the attack gets no more from the original"
    assert headline in out
    folder = files / "out"
    scores = json.loads((folder / "scores.json").read_text())["attacks"]
    assert scores["headline"].startswith(headline)
    assert [*scores["of"]] == ["no attack", "int4", "detect"]
    text = (folder / "report.md").read_text()
    section = text.split("## Attacks: does it come back?\n\n")[1]
    assert section.startswith(f"**{scores['headline']}".replace("(", "("))
    assert "2410.16454" in text.split("## References")[1]
    assert "<h2>Attacks: does it come back?</h2>" in (folder / "report.html").read_text()
    assert {p.name for p in (folder / "attacks").iterdir()} == {"attacks.json", "attacks.md"}
    lines = json.loads((folder / "attacks" / "attacks.json").read_text())
    assert lines["request"]["model"] == str(folder)
    written = everything_written(folder / "attacks") + text
    assert ".partial-" not in written
    assert SECRET not in written
    assert "Where was" not in written
    monkeypatch.setattr(running._Run, "_make", lambda *_: pytest.fail("it was attacked again"))
    code, again, err = call(*asked, "--json")
    assert code == 0, err
    assert json.loads(again)["attacks"] == scores


@pytest.mark.parametrize("then", ["int4", "int4,detect"])
def test_an_attack_that_was_cut_off_goes_on_and_nothing_is_trained_again(
    then, call, files, tiny_folder, monkeypatch
):
    kept, keep = [], running._Run._keep

    def cut(self, one, subject, finding):
        if len(kept) == 2:
            raise KeyboardInterrupt
        keep(self, one, subject, finding)
        kept.append((subject.name, finding.variant))

    with monkeypatch.context() as patch:
        patch.setattr(running._Run, "_keep", cut)
        assert call(*command(files, tiny_folder, "--attack", "int4"))[0] == 130
    assert not (files / "out").exists()
    made = []

    def watched(self, one, subject, finding):
        made.append((subject.name, finding.variant))
        keep(self, one, subject, finding)

    monkeypatch.setattr(running._Run, "_keep", watched)
    monkeypatch.setattr(pipeline, "remove", lambda *_: pytest.fail("it was trained again"))
    monkeypatch.setattr(asking, "ask_model", lambda *_: pytest.fail("it was evaluated again"))
    code, _, err = call(*command(files, tiny_folder, "--attack", then))
    assert code == 0, err
    assert [name for name, _ in kept + made] == ["original", "unlearned", "retrained"]
    assert not [p for p in files.iterdir() if p.name.startswith(".")]


def test_all_that_is_wrong_is_told_before_anything_is_trained(
    call, files, tiny_folder, monkeypatch
):
    code, _, err = call(*command(files, tiny_folder, "--attack", "int5,sample",
                                 "--set", "attack.options.sample.anwsers=3",
                                 "--set", "attack.options.relearn.steps=3"))  # fmt: skip
    assert code == 2
    assert 'Did you mean "int4"?' in err
    assert "--set attack.options.sample.anwsers: there is no such option" in err
    assert "--set attack.options.relearn.steps: belongs to no attack that is run" in err
    data = ("--model", tiny_folder, "--forget", files / "forget.jsonl", "--out", files / "out")
    for verb in ("run", "check"):
        code, _, err = call(verb, *data, "--attack", "detect,relearn", "--set", ANYWAY)
        assert code == 2
        assert "--holdout: is not given; detect compares" in err
        assert "holds 3 examples; relearn trains on a part" in err
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    for verb in ("run", "check"):
        code, _, err = call(verb, *data, "--attack", "int4")
        assert code == 2
        assert "--attack: puts models in shards, and an attack needs a whole one" in err
    assert not (files / "out").exists()


def test_a_request_file_has_them_too(tmp_path):
    file = tmp_path / "request.yaml"
    named = "model: m\nforget: f.jsonl\nout: o\n"
    for said in ("attack: int4, relearn", "attack: [int4, relearn]",
                 "attack:\n  names: int4,relearn"):  # fmt: skip
        file.write_text(named + said)
        asked = load(file, {}, ["attack.limit=9", "attack.options.relearn.steps=4,16"])
        assert asked.attack.names == ["int4", "relearn"]
        assert asked.attack.limit == 9
        assert options_of(asked) == {"relearn.steps": "4,16"}
        file.write_text(asked.to_yaml())
        assert load(file) == asked
    assert load(file, {"attack": "sample"}).attack.names == ["sample"]
    assert load(flags={"model": "m", "forget": "f", "out": "o"}).attack.names == []
    with pytest.raises(UserError, match="attack"):
        load(flags={"model": "m", "forget": "f", "out": "o", "attack": 3})


def test_from_python_with_rows_in_memory(files, tiny_folder, tmp_path):
    rows = {role: [json.loads(line) for line in (files / f"{role}.jsonl").read_text().splitlines()]
            for role in ("forget", "retain", "holdout")}  # fmt: skip
    made = unlearn(
        tiny_folder, **rows, out=tmp_path / "out", method="npo", train_anyway=True,
        attack="int4", settings={"train.epochs": 1, "evaluate.max_new_tokens": 4,
                                 "attack.options.int4": {"groups": 0, "control_bits": 0, "nf4": 0}},
    )  # fmt: skip
    found = made.report.attacks
    assert [*found.of] == ["no attack", "int4"]
    assert any("--retrained: is not given" in note for note in found.notes)
    again = rescore(made.folder, tmp_path / "scored")
    assert again.attacks.headline == found.headline
    assert "attacks/attacks.md" not in (tmp_path / "scored" / "report.md").read_text()


def told(plain, low, value=0.6, name="sample"):
    of = {"no attack": Worst(variant="", recovery=Score(plain, 40, plain, plain)),
          name: Worst(variant="<b>best of 16", recovery=Score(value, 40, low, 0.9))}  # fmt: skip
    attacks = Attacked(headline="Worst case: <b>", worst=name, of=of, cells=[["a|b"], ["<i>"]])
    return Report(models={"original": {}, "unlearned": {}}, attacks=attacks)


def test_what_comes_back_is_wrong_where_it_is_more_than_was_there():
    said = "comes back under attack: sample (<b>best of 16) brings back 60% (30% to 90%) of what"
    assert what_is_wrong(told(0.2, 0.3))[0].startswith(said)
    assert what_is_wrong(told(0.4, 0.3)) == []  # it is not forgotten at all, which is told
    assert what_is_wrong(told(0.0, 0.05)) == []  # chance
    assert what_is_wrong(told(0.0, 0.3, name="no attack")) == []
    page = to_html(told(0.2, 0.3))
    assert "<b>" not in page
    assert "<i>" not in page
    assert 'id="k0"' in page
    assert "<b>" not in to_markdown(told(0.2, 0.3))


def test_the_curves_are_shown_where_they_lie_beside_the_report():
    report = told(0.2, 0.3)
    files = ("attacks/attacks.md", "attacks/relearn.png")
    beside = replace(report, attacks=replace(report.attacks, beside=files))
    assert "](attacks/relearn.png)" in to_markdown(beside)
    assert "`attacks/attacks.md` has every variant" in to_html(beside).replace(
        "<code>", "`"
    ).replace("</code>", "`")
    assert "relearn.png" not in to_html(beside)  # the page loads nothing
    assert "relearn.png" not in to_markdown(report)
    assert from_json(to_json(beside)).attacks == beside.attacks


def test_adapters_alone_are_attacked_on_the_model_that_they_are_for(call, files, tiny_folder):
    asked = command(files, tiny_folder, "--attack", "int4", "--adapter-only",
                    "--set", "adapter.kind=lora", "--set", "train.draw_back=never",
                    "--set", "attack.options.int4.groups=32")  # fmt: skip
    code, _, err = call(*asked)
    assert code == 0, err
    assert (files / "out" / "adapter_config.json").exists()
    lines = json.loads((files / "out" / "attacks" / "attacks.json").read_text())["lines"]
    moved = next(line for line in lines if line["variant"] == "4 bits, groups of 32")
    assert 0 < moved["facts"]["unlearned"]["changed_bucket"] < 1
