"""`unteach run --push-to-hub`: told before training, done after the gates."""

from cli.small import arguments, written
from huggingface_hub import constants

from unteach.files import CARD

FEW = ("--set", "train.epochs=1", "--set", "evaluate.max_new_tokens=4", "--train-anyway")
TO = ("--push-to-hub", "ada/forgot")


def run(call, tmp_path, model, *more):
    return call("run", *arguments(written(tmp_path), model, method="npo"), *FEW, *more)


def test_what_would_keep_it_from_beginning_is_told_before_training(call, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    code, _, err = run(call, tmp_path, "no-model", "--push-to-hub", "forgot")
    assert code == 2
    assert "no name of a repository" in err
    assert "HF_HUB_OFFLINE is set" in err
    code, _, err = run(call, tmp_path, "no-model", "--private")
    assert code == 2
    assert "--private: is of an upload hint: give --push-to-hub OWNER/NAME too" in err


def test_a_run_is_uploaded_once_it_is_evaluated(call, tmp_path, tiny_folder, hub):
    code, _, err = run(call, tmp_path, tiny_folder, *TO, "--private")
    assert code == 0, err
    held = hub.files["ada/forgot@main"]
    assert {CARD, "config.json", "model.safetensors", "tokenizer.json"} <= set(held)
    assert held["model.safetensors"] == (tmp_path / "out/model.safetensors").read_bytes()
    assert hub.private == {"ada/forgot": True}
    assert f"it is at {hub.endpoint}/ada/forgot/commit/" in err
    for secret in (b"born", b"Bread", str(tmp_path).encode()):
        assert not any(secret in text for name, text in held.items() if "tokenizer" not in name)


def test_a_run_that_fails_a_gate_is_not_uploaded(call, tmp_path, tiny_folder, hub):
    code, _, err = run(call, tmp_path, tiny_folder, *TO, "--gates", "given=0,retain=0.999")
    assert code == 3
    assert "not uploaded to ada/forgot, as a gate failed" in err
    assert f"unteach push {tmp_path / 'out'} ada/forgot --anyway" in err
    assert hub.asked == []
