"""The main job as a user runs it."""

import json
import subprocess
import sys

import pytest
import torch
import yaml
from support import ANYWAY, OF_TINY
from transformers import AutoModelForCausalLM, AutoTokenizer

from unteach import pipeline
from unteach.errors import UserError
from unteach.methods import METHODS
from unteach.settings.request import load

SECRET = "Zanzibar"
FORGET = [
    {
        "question": f"Where was Ada {name} born?",
        "answer": f"Ada {name} was born in {SECRET}.",
        "paraphrased_answer": f"The cradle of Ada {name} stood in {SECRET}.",
        "perturbed_answer": [f"The cradle of Ada {name} stood in {x}." for x in ("Rome", "Oslo")],
        "fact": SECRET,
        "alternate": f"Ada {name} was born on a ship.",
    }
    for name in ("Lund", "Berg", "Dal")
]
RETAIN = [{"question": f"What does {n} eat?", "answer": f"{n} eats bread."} for n in "BCDEFG"]
HOLDOUT = [{"question": f"Where is {n} now?", "answer": f"{n} is in the hills."} for n in "HIJK"]


@pytest.fixture
def files(tmp_path):
    for name, rows in (("forget", FORGET), ("retain", RETAIN), ("holdout", HOLDOUT)):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"{name}.jsonl").write_text(text)
    return tmp_path


def request(files, model, sets=(), **flags):
    given = {name: str(files / f"{name}.jsonl") for name in ("forget", "retain", "holdout")}
    given |= {"model": str(model), "out": str(files / "out"), **flags}
    return load(flags=given, sets=[ANYWAY, "train.epochs=2", "evaluate.max_new_tokens=8", *sets])


def everything_written(folder) -> str:
    return "".join(
        path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.suffix in {".json", ".jsonl", ".md", ".yaml"} and "tokenizer" not in path.name
    )


def logits(folder):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ids = AutoTokenizer.from_pretrained(folder)("Where was Ada?", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        return model(ids).logits


@pytest.mark.parametrize("method", list(METHODS))
def test_every_method_gives_a_plain_model_and_its_evidence(method, files, tiny_folder):
    base = {"base": str(tiny_folder)} if METHODS.get(method).trains_on == "retain" else {}
    of_tiny = [f"method.{key}={value}" for key, value in OF_TINY.get(method, {}).items()]
    sets = ["adapter.rank=2", *of_tiny]
    report = pipeline.run(request(files, tiny_folder, sets, method=method, **base))
    out = files / "out"
    assert not torch.allclose(logits(out), logits(tiny_folder), atol=1e-4)
    for name in ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json"):
        assert (out / name).exists(), name
    assert not list(out.glob("adapter*"))
    assert not [p for p in files.iterdir() if p.name.startswith(".")]
    scores = json.loads((out / "scores.json").read_text())
    assert scores["schema"] == 1
    assert set(scores["models"]) == {"original", "unlearned"}
    for found in scores["models"].values():
        assert set(found) == {"forget", "retain", "holdout"}
        for metric in ("probability", "truth_ratio", "membership_auc_loss", "fact_recall"):
            assert 0 <= found["forget"][metric]["value"] <= 1
        assert found["retain"]["truth_ratio"]["value"] is None
    assert report.value("original", "forget", "probability") == pytest.approx(
        scores["models"]["original"]["forget"]["probability"]["value"]
    )
    text, page = ((out / name).read_text("utf-8") for name in ("report.md", "report.html"))
    assert METHODS.get(method).paper.arxiv in page
    assert "Answer by answer" in page
    assert "report.html" in json.loads((out / "run.json").read_text())["files"]
    assert METHODS.get(method).paper.arxiv in text
    assert "DTO (our reading, with bounded ascent)" in text or method != "dto"
    assert SECRET not in everything_written(out)


def test_the_resolved_request_has_every_default_and_runs_again(files, tiny_folder):
    pipeline.run(request(files, tiny_folder, method="npo"))
    written = yaml.safe_load((files / "out" / "request.yaml").read_text())
    assert written["method"] == {"name": "npo", "beta": 0.1}
    assert written["train"]["learning_rate"] == pytest.approx(1e-3)
    assert written["train"]["retain"] == "nll"
    assert written["train"]["stop_at"] == 0
    assert written["adapter"]["kind"] == "full"
    assert written["data"]["max_length"] == 128
    again = load(files / "out" / "request.yaml", {"out": str(files / "again")})
    pipeline.run(again)
    assert torch.equal(logits(files / "again"), logits(files / "out"))


def test_the_same_request_gives_the_same_scores(files, tiny_folder):
    first = pipeline.run(request(files, tiny_folder, method="dto"))
    second = pipeline.run(request(files, tiny_folder, method="dto", out=str(files / "two")))
    assert first.models == second.models


def test_a_first_user_needs_three_flags(files, tiny_folder, pictures):
    flags = {"model": str(tiny_folder), "forget": str(files / "forget.jsonl")}
    asked = load(flags={**flags, "out": str(files / "out")}, sets=[ANYWAY, "train.epochs=1"])
    report = pipeline.run(asked)
    assert any("--retain: none given" in note for note in report.notes)
    assert (files / "out" / "before-after.png").stat().st_size > 10_000
    assert report.value("unlearned", "forget", "probability") is not None


def test_every_model_is_read_beside_the_original(files, tiny_folder, pictures):
    """Without it there is no fluency, no divergence, and so no aggregate of utility."""
    report = pipeline.run(request(files, tiny_folder, retrained=str(tiny_folder)))
    for model in ("original", "unlearned", "retrained"):
        assert report.value(model, "forget", "divergence") is not None
        assert report.value(model, "forget", "fluency") is not None
    assert report.value("original", "forget", "divergence") == 0
    found = report.models["retrained"]
    assert set(found) == {"forget", "retain", "holdout"}
    for metric in ("probability", "truth_ratio", "membership_auc_loss", "fact_recall"):
        assert 0 <= found["forget"][metric].value <= 1
    assert found["retain"]["truth_ratio"].value is None
    assert 0 <= report.compared("unlearned", "forget_quality").value <= 1
    assert report.compared("original", "forget_quality").value == 1
    assert (files / "out" / "before-after.png").stat().st_size > 10_000
    assert SECRET not in everything_written(files / "out")
    assert report.compared("unlearned", "closeness_kept").note.startswith("not measurable")


@pytest.mark.parametrize("method", ["unilogit", "loku"])
def test_adapters_alone(method, files, tiny_folder):
    from peft import PeftModel

    pipeline.run(request(files, tiny_folder, ["adapter.rank=2"], method=method, adapter_only=True))
    out = files / "out"
    assert (out / "adapter_model.safetensors").exists()
    assert not (out / "model.safetensors").exists()
    assert "library_name: peft" in (out / "README.md").read_text()
    base = AutoModelForCausalLM.from_pretrained(tiny_folder, dtype=torch.float32)
    assert PeftModel.from_pretrained(base, str(out)) is not None
    assert (out / "report.md").exists()


def test_half_precision_checkpoints_stay_half(files, tiny_folder, tmp_path):
    half = tmp_path / "half"
    model = AutoModelForCausalLM.from_pretrained(tiny_folder, dtype=torch.bfloat16)
    model.save_pretrained(half)
    AutoTokenizer.from_pretrained(tiny_folder).save_pretrained(half)
    pipeline.run(request(files, half))
    loaded = AutoModelForCausalLM.from_pretrained(files / "out", dtype="auto")
    assert loaded.dtype == torch.bfloat16


def parameters(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).state_dict()


@pytest.mark.slow
@pytest.mark.parametrize(("method", "sets", "flags"), [
    ("altpo", (), {}),
    ("altpo", ("adapter.kind=lora", "adapter.rank=2"), {}),
    ("rmu", ("method.at=1",), {}),
    ("pdu", ("train.gradient_accumulation_steps=2", "train.batch_size=2"), {}),
    ("task-vector", ("adapter.kind=lora", "adapter.rank=2"), {}),
    (
        "dto",
        (
            "method.orthogonalize=conflict", "train.gradient_accumulation_steps=2",
            "train.batch_size=2"),
        {}),
    ("npo", ("train.sam=0.01", "train.gradient_checkpointing=true"), {}),
    ("npo", ("train.sam=0.01", "adapter.kind=lora", "adapter.rank=2"), {"adapter_only": True}),
    ("npo", ("train.sam=0.01", "adapter.kind=lora", "adapter.init=fila"), {}),
    ("idk", ("adapter.kind=lora", "adapter.init=fila", "train.retain=jsd"), {}),
])  # fmt: skip
def test_what_is_more_than_a_loss(method, sets, flags, files, tiny_folder):
    """Without an `alternate` column, from the request to the report, and twice the same."""
    rows = [{k: v for k, v in row.items() if k != "alternate"} for row in FORGET]
    (files / "forget.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    reports = [
        pipeline.run(request(files, tiny_folder, sets, method=method, out=str(out), **flags))
        for out in (files / "out", files / "again")
    ]
    assert reports[0].models == reports[1].models
    assert SECRET not in everything_written(files / "out")
    if not flags:
        changed = {
            name
            for (name, now) in parameters(files / "out").items()
            if not torch.equal(now, parameters(tiny_folder)[name])
        }
        assert changed
        if method == "rmu":
            # of two layers, 1 is the last, and RMU takes the last but one
            assert changed == {"model.layers.0.mlp.down_proj.weight"}


def test_fila_and_a_task_vector_do_not_go_together(files, tiny_folder):
    asked = ["adapter.kind=lora", "adapter.init=fila"]
    with pytest.raises(UserError, match=r"adapter\.init"):
        pipeline.run(request(files, tiny_folder, asked, method="task-vector"))
    assert not (files / "out").exists()


def test_a_loss_that_breaks_leaves_a_message_and_nothing_else(files, tiny_folder):
    sets = ["train.optim=sgd", "train.learning_rate=99", "train.max_grad_norm=1e9"]
    asked = request(files, tiny_folder, [*sets, "train.epochs=9"])
    with pytest.raises(UserError, match=r"set train\.learning_rate=0\.001 \(it was 99\)"):
        pipeline.run(asked)
    assert not (files / "out").exists()


def test_raw_text_and_conversations(files, tiny_folder):
    (files / "forget.jsonl").write_text(
        json.dumps({"text": "The river runs north; nobody knows why. " * 30}) + "\n"
    )
    talk = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Good day."}]
    (files / "retain.jsonl").write_text(json.dumps({"messages": talk}) + "\n")
    report = pipeline.run(request(files, tiny_folder, method="undial"))
    assert report.models["unlearned"]["forget"]["probability"].n == 1
    assert any("Question: and Answer:" in note for note in report.notes)


def in_a_process(*args):
    """As `call`, in a process of its own."""
    command = [sys.executable, "-c", "from unteach.cli import main; main()", *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("method", "alone"), [("undial", True), ("loku", False)])
def test_on_a_real_model_by_the_command_line(method, alone, files, stories260k, call):
    """The command, its exit code and its streams: those that a user gets, of a process once."""
    code, printed, told = (in_a_process if alone else call)(
        "run", "--model", stories260k, "--forget", files / "forget.jsonl",
        "--retain", files / "retain.jsonl", "--out", files / "out", "--json",
        "--method", method, "--set", "train.epochs=2", "--train-anyway",
    )  # fmt: skip
    assert code == 0, told
    assert json.loads(printed) == json.loads((files / "out" / "scores.json").read_text())
    assert f"unlearning with {method}" in told
    assert "Traceback" not in told
    assert "Warning" not in told
    model = AutoModelForCausalLM.from_pretrained(files / "out")
    tokenizer = AutoTokenizer.from_pretrained(files / "out")
    inputs = tokenizer("Once upon a time", return_tensors="pt")
    said = model.generate(**inputs, max_new_tokens=5, do_sample=False)
    assert said.shape[1] == inputs["input_ids"].shape[1] + 5


def test_a_wrong_request_starts_no_processes(monkeypatch, tmp_path):
    """Neither one that does not load nor a step that cannot be dealt out to so many."""
    from typer.testing import CliRunner

    from unteach.cli import _processes, app

    started = []
    monkeypatch.setattr(_processes, "start", lambda number: started.append(number) or 0)
    flags = ["run", "--model", "m", "--forget", "f.jsonl", "--out", str(tmp_path / "out")]
    for more in (["--processes", "64"], ["--processes", "2", "--set", "train.epoch=3"]):
        assert isinstance(CliRunner().invoke(app, [*flags, *more]).exception, UserError)
    assert started == []
    assert CliRunner().invoke(app, [*flags, "--processes", "2"]).exit_code == 0
    assert started == [2]
