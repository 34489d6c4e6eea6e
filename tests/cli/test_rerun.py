"""A removal that is done again gives the same weights, or it is said what differs."""

import json
import shutil

import pytest

import unteach
from unteach.files import RUN, hashes, read_sealed, write_sealed
from unteach.rerun import rerun

FORGET = [{"question": f"Where was Ada {k} born?", "answer": f"In Lund {k}."} for k in range(3)]


@pytest.fixture(scope="module")
def made(tiny_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    before = shutil.copytree(tiny_folder, folder / "before")
    file = folder / "forget.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in FORGET))
    unteach.unlearn(
        before, file, out=folder / "out", method="npo", train_anyway=True,
        settings={"train.epochs": 1, "evaluate.max_new_tokens": 4},
    )  # fmt: skip
    return folder


def test_every_bit_comes_out_again_and_nothing_is_left_behind(made, call):
    there = sorted(made.iterdir())
    code, printed, told = call("verify", made / "out", "--rerun")
    assert code == 0, told
    assert "tensors are the same, bit for bit" in printed
    assert "changed since then" not in told
    assert sorted(made.iterdir()) == there


def test_the_same_as_json(made, call):
    code, printed, _ = call("verify", made / "out", "--rerun", "--json")
    found = json.loads(printed)
    assert code == 0
    assert (found["surplus"], found["rerun"]["equal"], found["rerun"]["differ"]) == ([], True, {})
    assert found["files"] > 0
    assert found["rerun"]["tensors"] > 0


def test_other_weights_are_named_with_their_difference(made, tmp_path, call):
    """Weights that somebody changed and hashed anew: the files are whole, the removal is not it."""
    from safetensors.torch import load_file, save_file

    out = shutil.copytree(made / "out", tmp_path / "out")
    weights = load_file(out / "model.safetensors")
    name = "model.norm.weight"
    weights[name] = weights[name] + 0.25
    save_file(weights, out / "model.safetensors", {"format": "pt"})
    held = read_sealed(out / RUN)
    one = hashes(out, RUN)["model.safetensors"]
    facts = {**held["facts"], "torch": "1.0"}
    files = {**held["files"], "model.safetensors": one}
    write_sealed(out / RUN, {**held, "facts": facts, "files": files})
    code, printed, told = call("verify", out, "--rerun")
    assert code == 1
    assert f"1 of {len(weights)} tensors differ: {name} (by at most 0.25)" in printed
    assert "changed since then: torch: 1.0 then" in told


def test_other_data_is_told(made, tmp_path, monkeypatch):
    monkeypatch.setattr("unteach.pipeline.remove", lambda intake, out, listener, **_: {})
    assert rerun(made / "out").same_inputs is True
    (made / "forget.jsonl").touch()
    found = rerun(made / "out")
    assert found.same_inputs is False
    assert not found.equal


def test_what_is_no_result_is_not_done_again(made, call):
    code, _, told = call("verify", made / "before", "--rerun")
    assert code == 2
    assert "lists no files" in told
