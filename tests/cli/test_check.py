"""Every bad input of the main job, by the message that a user reads; `run` checks the same."""

import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest
from cli.small import FORGET, RETAIN, arguments, lines


def test_nothing_wrong(call, files, tiny_folder):
    code, out, err = call("check", *arguments(files, tiny_folder), "--method", "undial")
    assert (code, err) == (0, "")
    assert "no problems: `unteach run` can start" in out
    assert not (files / "out").exists()


def test_what_was_found_as_json(call, files, tiny_folder):
    code, out, _ = call("check", *arguments(files, tiny_folder), "--method", "undial", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["request"]["method"]["name"] == "undial"
    assert found["data"]["forget"]["examples"] > 0
    assert {tuple(note) for note in found["notes"]} <= {("where", "what", "hint")}


FORGET_FILES = {
    "empty": ("", 1, "is empty"),
    "not JSON": ('{"question": \n', 1, "forget.jsonl:1: is not JSON"),
    "wrong columns": (lines([{"q": "a", "a": "b"}]), 1, "forget.jsonl:1: has the columns q, a"),
    "mixed columns": (lines([FORGET[0], {"text": "a"}]), 1, "mixes columns"),
    "empty answer": (
        lines([FORGET[0], {"question": "a", "answer": ""}]), 1, "forget.jsonl:2: answer is empty"),
    "in retain too": (lines([FORGET[0], RETAIN[1]]), 1, "forget.jsonl:2: also stands in retain"),
    "in retain too, written otherwise": (
        lines([{"question": "what does ben 1 eat", "answer": "BREAD 1"}]), 1,
        "but for case and punctuation"),
    "all of the answer cut off": (
        lines([{"question": "Where " * 200, "answer": "In Lund."}]), 1,
        "answer tokens are cut off"),
}  # fmt: skip


@pytest.mark.parametrize("case", FORGET_FILES)
@pytest.mark.parametrize("command", ["check", "run"])
def test_bad_forget_files(command, case, call, files, tiny_folder):
    text, wanted, message = FORGET_FILES[case]
    (files / "forget.jsonl").write_text(text)
    code, _, err = call(command, *arguments(files, tiny_folder))
    assert code == wanted
    assert message in err
    assert "Traceback" not in err
    assert not (files / "out").exists()


NOTES = {
    "duplicates": (lines([*FORGET, FORGET[0]]), "forget.jsonl:4: stands there twice"),
    "answer cut off": (
        lines([{"question": "Where?", "answer": "In Lund, " * 60}]),
        "answer tokens are cut off",
    ),
}


@pytest.mark.parametrize("case", NOTES)
def test_what_is_only_noted(case, call, files, tiny_folder):
    text, message = NOTES[case]
    (files / "forget.jsonl").write_text(text)
    code, _, err = call("check", *arguments(files, tiny_folder))
    assert code == 0
    assert message in err


def test_holdout_that_the_model_knows(call, files, tiny_folder):
    holdout = files / "forget.jsonl"
    code, _, err = call("check", *arguments(files, tiny_folder, holdout=holdout))
    assert code == 1
    assert "also stands in holdout" in err
    assert "it is no holdout" in err


def broken_model(tiny_folder, tmp_path, change):
    folder = tmp_path / "broken"
    shutil.copytree(tiny_folder, folder)
    change(folder)
    return folder


def without_eos(folder):
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text())
    config.pop("eos_token")
    path.write_text(json.dumps(config))


def without_head(folder):
    (folder / "config.json").write_text(json.dumps({"model_type": "t5"}))


def pickled(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def without_tokenizer(folder):
    for path in folder.glob("tokenizer*"):
        path.unlink()


MODELS = {
    "no eos": (without_eos, 1, "has no eos token"),
    "no causal head": (without_head, 2, "a t5 has no causal head"),
    "pickled weights": (pickled, 2, "has pickled weights only"),
    "no tokenizer": (without_tokenizer, 2, "has no tokenizer that loads"),
}


@pytest.mark.parametrize("case", MODELS)
def test_bad_models(case, call, files, tiny_folder):
    change, wanted, message = MODELS[case]
    code, _, err = call("check", *arguments(files, broken_model(tiny_folder, files, change)))
    assert code == wanted
    assert message in err


REQUESTS = {
    "no such model": ({"model": "nowhere/at-all"}, "nowhere/at-all: is no folder, and not in"),
    "no such folder": ({"model": "models/mine/there"}, "--model models/mine/there: does not exist"),
    "no such file": ({"forget": "none.jsonl"}, "none.jsonl: does not exist"),
    "no such method": ({"method": "unilogti"}, 'Did you mean "unilogit"'),
    "no such option": (
        {"method": "npo", "set": "method.btea=1"},
        'npo has no such option hint: Did you mean "beta"'),
    "no such setting": ({"set": "train.epoch=1"}, 'Did you mean "epochs"'),
    "no such argument": ({"set": "train.extra.optin=x"}, 'Did you mean "optim"'),
    "an argument of ours": ({"set": "train.extra.seed=1"}, "use train.seed"),
    "a saving of ours": (
        {"set": "train.extra.gradient_checkpointing=true"}, "use train.gradient_checkpointing"),
    "an argument in the wrong place": ({"set": "train.chunk_rows=8"}, "is train.extra.chunk_rows"),
    "no count of rows": (
        {"set": "train.extra.chunk_rows=0"},
        "train.extra: the trainer refuses it: chunk_rows is 0; it is a whole number"),
    "no number": ({"set": "train.extra.logging_steps=x"}, "train.extra: the trainer refuses it"),
    "no such schedule": ({"set": "train.lr_scheduler_type=cosin"}, 'Did you mean "cosine"'),
    "a schedule with more to say": (
        {"set": "train.lr_scheduler_type=warmup_stable_decay"},
        "'num_decay_steps' hint: set train.extra.lr_scheduler_kwargs"),
    "a schedule that follows scores": (
        {"set": "train.lr_scheduler_type=reduce_lr_on_plateau"},
        "train.lr_scheduler_type: reduce_lr_on_plateau follows scores that are taken in training"),
    "another schedule that follows scores": (
        {"set": "train.lr_scheduler_type=greedy"},
        "train.lr_scheduler_type: greedy follows scores that are taken in training"),
    "no such tracker": (
        {"set": "train.report_to=wandd"},
        "train.report_to: got 'wandd', which is no tracker hint: Did you mean \"wandb\"?"),
    "sending the model away": (
        {"set": "train.extra.push_to_hub=true"},
        "train.extra.push_to_hub: sends the model away while it trains"),
    "no evaluation between": (
        {"set": "train.extra.eval_strategy=steps"}, "scores the model before"),
    "no such device": ({"set": "device=gpuu"}, 'device: "gpuu" is no device'),
    "no such device here": ({"set": "device=cuda:99"}, "device: cuda:99 is not available here"),
    "a group's name twice": ({"set": "evaluate.also.retain=x"}, "evaluate.also.retain: is taken"),
}  # fmt: skip


@pytest.mark.parametrize("case", REQUESTS)
def test_what_was_asked_wrongly(case, call, files, tiny_folder):
    changes, message = REQUESTS[case]
    code, _, err = call("check", *arguments(files, tiny_folder, **changes))
    assert code == 2
    assert message in err


def test_a_folder_that_is_not_empty(call, files, tiny_folder):
    (files / "out").mkdir()
    (files / "out" / "mine").write_text("keep")
    code, _, err = call("run", *arguments(files, tiny_folder))
    assert code == 2
    assert "is not empty" in err
    assert "--overwrite" in err
    assert (files / "out" / "mine").read_text() == "keep"


def test_all_problems_come_at_once(call, files, tiny_folder):
    (files / "forget.jsonl").write_text('{"question": "a", "answer": ""}\n{"q": 1}\n')
    (files / "out").mkdir()
    (files / "out" / "mine").write_text("keep")
    code, _, err = call("check", *arguments(files, tiny_folder, method="nop", retain="none.csv"))
    assert code == 2
    for part in ("answer is empty", "has the columns q", "is not empty", "nop", "none.csv"):
        assert part in err


def test_nothing_given(call):
    code, _, err = call("run")
    assert code == 2
    for flag in ("--model", "--forget", "--out"):
        assert f"{flag}: is not given" in err


def test_no_text_of_the_forget_data_is_repeated(call, files, tiny_folder):
    """Whatever is wrong with a line, the message names the place and not what stands there."""
    secret = "Zanzibar-4711"
    rows = [{"question": secret, "answer": ""}, {"question": secret, "answer": [secret]}]
    (files / "forget.jsonl").write_text(lines(rows) + f'{{"question": "{secret}"\n')
    code, out, err = call("check", *arguments(files, tiny_folder))
    assert code == 1
    assert secret not in out + err


def test_the_notes_say_what_a_missing_retain_set_means(call, files, tiny_folder):
    code, _, err = call(
        "check", "--model", tiny_folder, "--forget", files / "forget.jsonl", "--out", files / "o",
        "--method", "loku",
    )  # fmt: skip
    assert code == 0
    assert "--retain: none given" in err
    assert "adapters start by default instead" in err


def test_a_choice_that_needs_no_model_is_tried_before_one_is_loaded(call, files, tiny_folder):
    """DTO by marks, on a file without marks: nothing would be chosen."""
    flags = ("--model", tiny_folder, "--forget", files / "forget.jsonl", "--out", files / "out")
    code, _, said = call("check", *flags, "--method", "dto", "--set", "method.selector=spans")
    assert code == 2
    assert "chooses no token" in said
    assert "`spans` column" in said


@pytest.mark.parametrize("sets", [[], ["--retain", "retain.jsonl", "--set", "train.retain=none"]])
def test_pdu_needs_something_to_be_bound_by(call, files, tiny_folder, sets):
    sets = [files / s if s.endswith(".jsonl") else s for s in sets]
    flags = ("--model", tiny_folder, "--forget", files / "forget.jsonl", "--out", files / "out")
    code, _, said = call("check", *flags, "--method", "pdu", *sets)
    assert code == 2
    assert "there is no retain term" in said


def test_refusals_that_nobody_reads_are_noted(call, files, tiny_folder):
    (files / "no.txt").write_text("Pass.\n")
    flags = ("--model", tiny_folder, "--forget", files / "forget.jsonl", "--out", files / "out")
    for method, noted in (("npo", True), ("idk", False)):
        sets = ("--set", f"data.refusals={files / 'no.txt'}")
        code, _, said = call("check", *flags, "--method", method, *sets)
        assert code == 0
        assert ("trains on no refusals" in said) == noted


def test_a_setting_given_as_a_flag(call, files, tiny_folder):
    given = arguments(files, tiny_folder)
    code, _, err = call("check", *given, "--epochs", 3, "--lr=1e-4", "--batch-size", 4)
    assert code == 2
    for flag, name in (("epochs", "epochs"), ("lr", "learning_rate"), ("batch-size", "batch_size")):
        assert f"--{flag}: is a setting, not a flag" in err
        assert f"write --set train.{name}=..." in err
    code, _, err = call("check", *given, "--modle", 1)  # typer says so, in words of its own
    assert (code, "--modle" in err, "is a setting" in err) == (2, True, False)
    assert 'Did you mean "train.learning_rate"?' in call("check", *given, "--set", "train.lr=1")[2]


def test_a_disk_without_room_is_told_before_the_work(call, files, tiny_folder, monkeypatch):
    given = arguments(files, tiny_folder)
    needed = (tiny_folder / "model.safetensors").stat().st_size
    for free, code in ((needed, 0), (needed - 1, 1)):
        monkeypatch.setattr("shutil.disk_usage", lambda path, free=free: SimpleNamespace(free=free))
        assert call("check", *given)[0] == code
    said = f"{needed - 1:,} bytes free, and the model alone takes {needed:,}"
    assert said in call("check", *given)[2]
    assert call("check", *given, "--adapter-only")[0] == 0
    begun = files / ".out.partial-0a1b2c"  # which may hold the model already
    (begun / "checkpoints" / "checkpoint-1").mkdir(parents=True)
    (begun / "lock").touch()
    (begun / "run.json").write_text('{"salt": "1"}')
    assert call("check", *given)[0] == 0


def test_data_given_as_a_request(call, files):
    code, _, err = call("check", files / "forget.jsonl")
    assert code == 2
    assert "is data by its name" in err
    assert "--forget" in err


def test_the_weights_given_as_the_model(call, files, tiny_folder):
    file = f"{tiny_folder}/model.safetensors"
    code, _, err = call("check", *arguments(files, file))
    assert code == 2
    assert f"that is a file; give its folder: {tiny_folder}" in err


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"instruction": "a", "output": "b"}, "question = `instruction`; answer = `output`"),
        ({"query": "a", "response": "b", "score": 3}, "has columns that are not read: score"),
        ({"prompt": "a", "chosen": "b", "rejected": "c"}, "This is a preference"),
    ],
)
def test_columns_of_other_tools(call, files, tiny_folder, row, said):
    (files / "forget.jsonl").write_text(lines([row]))
    assert said in call("check", *arguments(files, tiny_folder))[2]


def test_the_hub_client_does_not_tell_of_every_retry():
    """Each would be a line without its words, see unteach.cli._discreet."""
    code = """
import sys
from unteach.cli import main
sys.argv = ["unteach", "--version"]
try:
    main()
except SystemExit:
    from huggingface_hub.utils import logging
    print(logging.get_verbosity() == logging.ERROR)
"""
    asked = {k: v for k, v in os.environ.items() if k != "HF_HUB_VERBOSITY"}
    said = subprocess.run([sys.executable, "-c", code], env=asked, capture_output=True, text=True)
    assert said.stdout.splitlines()[-1] == "True", said.stderr
