"""The same request on the same machine gives the same bits, whatever else differs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from unteach.training.determinism import deterministic, repeats, repeats_here

FILE = Path(__file__).with_name("twice.py")
# Answers that the model makes up; adapters from a decomposition, with dropout; chosen tokens.
METHODS = (
    "altpo",
    "loku?adapter.rank=4&adapter.dropout=0.1",
    "dto?adapter.kind=lora&train.deterministic=true",
)
DATA = {
    "forget": [
        {"question": f"Where was {n} born?", "answer": f"{n} was born in Lund."} for n in "ABCDE"
    ],
    "retain": [{"question": f"What does {n} eat?", "answer": f"{n} eats bread."} for n in "FGHIJ"],
    "holdout": [{"question": f"Where is {n}?", "answer": f"{n} is in the hills."} for n in "KLM"],
}


def once(folder: Path, model: Path, seed: int) -> dict[str, str]:
    folder.mkdir(parents=True)
    for role, rows in DATA.items():
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{role}.jsonl").write_text(text)
    environment = {**os.environ, "PYTHONHASHSEED": str(seed), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, str(FILE), str(folder), str(seed), str(model), *METHODS],
        capture_output=True, text=True, env=environment, timeout=300, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_two_processes_give_the_same_bits(tiny_folder, tmp_path):
    """With other hashes of strings, other global draws before, and another place on the disk."""
    one = once(tmp_path / "a", tiny_folder, 1)
    two = once(tmp_path / "somewhere" / "else", tiny_folder, 2)
    assert one == two
    for method in ("altpo", "loku", "dto"):
        assert f"{method}/model.safetensors" in one
        assert f"{method}/rows/unlearned.jsonl" in one
    models = [digest for name, digest in one.items() if name.endswith(".safetensors")]
    assert len(set(models)) == 3


def test_what_is_said_of_a_device():
    assert repeats("cpu", ordered=False, threads=3) == "the same bits, with as many threads (3)"
    loose, ordered = (repeats("cuda", ordered=ordered) for ordered in (False, True))
    assert "not the same bits" in loose
    assert "train.deterministic=true" in loose
    assert ordered.startswith("the same bits in training, with the same GPU")
    assert "TF32" not in loose + ordered
    assert "TF32" in repeats("cuda", ordered=True, tf32=True)
    assert repeats("mps", ordered=True).startswith("not known for mps")
    assert "threads" in repeats_here(torch.device("cpu"), ordered=False)
    assert "cpu" not in repeats_here(torch.device("cuda"), ordered=False)


def test_torch_is_as_it_was_afterwards(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    monkeypatch.delenv("FLASH_ATTENTION_DETERMINISTIC", raising=False)
    with deterministic(False):
        assert not torch.are_deterministic_algorithms_enabled()
    with pytest.raises(RuntimeError, match="deterministic"):
        _without_order()
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert not torch.are_deterministic_algorithms_enabled()


def _without_order():
    with deterministic(True):
        torch.zeros(2).put_(torch.tensor([0]), torch.ones(1))
