"""How adapters start, by flag: what is implied, what is refused, and what comes out."""

import json

import pytest
import torch
from support import ANYWAY
from transformers import AutoModelForCausalLM, AutoTokenizer

from unteach import pipeline
from unteach.checks.request import check
from unteach.errors import UserError
from unteach.evaluation import of_run
from unteach.settings.request import load


@pytest.fixture
def asked(files, tiny_folder):
    """A request by these flags and settings."""

    def make(*sets, **flags):
        given = {name: str(files / f"{name}.jsonl") for name in ("forget", "retain")}
        given |= {"model": str(tiny_folder), "out": str(files / "out"), **flags}
        return load(None, given, [ANYWAY, "train.epochs=1", "evaluate.max_new_tokens=4", *sets])

    return make


@pytest.mark.parametrize(
    ("method", "init", "expected"),
    [
        ("npo", "fila", ("lora", "fila")),
        ("undial", "fila", ("lora", "fila")),
        ("npo", None, ("full", "default")),
        ("npo", "default", ("full", "default")),
        ("loku", None, ("lora", "fila")),
        ("loku", "default", ("lora", "default")),
    ],
)
def test_the_start_implies_adapters(asked, method, init, expected):
    adapter = check(asked(method=method, init=init)).request.adapter
    assert (adapter.kind, adapter.init) == expected


def test_the_start_needs_a_retain_set_and_says_what_it_does_without(asked):
    intake = check(asked(method="npo", init="fila", retain=None))
    adapter = intake.request.adapter
    assert (adapter.kind, adapter.init) == ("lora", "default")
    assert any("give --retain to use FILA" in note.hint for note in intake.notes)


def test_the_start_is_refused_where_all_weights_are_trained(asked):
    with pytest.raises(UserError, match=r"--init fila: adapter\.kind is full") as caught:
        check(asked("adapter.kind=full", method="npo", init="fila"))
    (problem,) = caught.value.problems
    assert problem.hint == "set adapter.kind=lora, or drop --init fila"
    assert caught.value.exit_code == 2
    with pytest.raises(UserError) as caught:
        check(asked("adapter.kind=full", method="npo", init="fila", adapter_only=True))
    assert [p.where for p in caught.value.problems] == ["--adapter-only", "--init fila"]


def test_an_unknown_start_is_explained(asked):
    with pytest.raises(UserError, match="'default' or 'fila'"):
        asked(init="pissa")


@pytest.mark.parametrize(
    "setting", ["epsilon=0", "fisher=batch", "fisher_batch=0", "fisher_samples=0", "epsilon=-1"]
)
def test_bad_settings_of_the_start(asked, setting):
    with pytest.raises(UserError, match=setting.partition("=")[0]):
        asked(f"adapter.{setting}")


def test_the_flag_is_on_both_commands(monkeypatch, capsys, asked):
    from unteach.cli import main

    request = asked()
    for command in ("run", "check"):
        monkeypatch.setattr("sys.argv", ["unteach", command, "--help"])
        with pytest.raises(SystemExit):
            main()
        assert "--init" in capsys.readouterr().out
    given = ["--model", request.model, "--forget", request.forget, "--retain", str(request.retain)]
    out = ["--out", str(request.out), "--init", "fila", "--set", "adapter.kind=full"]
    monkeypatch.setattr("sys.argv", ["unteach", "check", *given, *out])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert "--init fila: adapter.kind is full" in " ".join(capsys.readouterr().err.split())


def test_the_page_on_loku_names_settings_that_exist():
    import re

    from unteach.methods import METHODS
    from unteach.settings.sections import AdapterSettings

    named = set(re.findall(r"adapter\.(\w+)", METHODS.get("loku").__doc__ or ""))
    assert named <= set(AdapterSettings.model_fields)
    assert {n for n in AdapterSettings.model_fields if n.startswith("fisher")} | {
        "epsilon"
    } <= named


@pytest.mark.parametrize("init", ["default", "fila"])
def test_adapters_alone_know_their_base(asked, init, tiny_folder):
    request = asked("adapter.rank=2", method="loku", init=init, adapter_only=True)
    report = pipeline.run(request)
    mark = json.loads((request.out / "unteach_base.json").read_text())
    assert mark["name"] == tiny_folder.name
    assert len(mark["sha256"]) == 64
    assert ("fila_step0_error" in report.facts) == (init == "fila")
    facts = json.loads((request.out / "scores.json").read_text())["facts"]
    assert ("fila_retain_fisher_per_epsilon" in facts) == (init == "fila")
    assert ("fila step0 error" in (request.out / "report.md").read_text()) == (init == "fila")


def test_adapters_are_not_evaluated_on_another_base(asked, tmp_path, tiny_folder):
    request = asked("adapter.rank=2", method="loku", adapter_only=True)
    pipeline.run(request)
    other = tmp_path / "other"
    model = AutoModelForCausalLM.from_pretrained(tiny_folder)
    with torch.no_grad():
        model.model.norm.weight += 0.01
    model.save_pretrained(other)
    AutoTokenizer.from_pretrained(tiny_folder).save_pretrained(other)
    intake = check(asked(model=str(other), out=str(tmp_path / "again")))
    with pytest.raises(UserError, match=r"made for tiny \(sha256 .*weights are other \(sha256"):
        of_run.evaluate(str(request.out), intake, pipeline.NoProgress())


def test_adapters_alone_are_no_model_to_start_from(asked, tmp_path):
    request = asked("adapter.rank=2", method="loku", adapter_only=True)
    pipeline.run(request)
    again = str(tmp_path / "again")
    with pytest.raises(UserError) as caught:
        check(asked(model=str(request.out), retrained=str(request.out), out=again))
    assert [p.what for p in caught.value.problems] == ["holds adapters only"] * 2
    assert [p.where.split()[0] for p in caught.value.problems] == ["--model", "--retrained"]
