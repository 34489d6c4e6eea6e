"""One process and two make the same steps."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

STEPS = Path(__file__).with_name("steps.py")


def run(file: Path, *arguments: str, processes: int) -> dict:
    several = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes))
    launcher = several if processes > 1 else ()
    command = [sys.executable, *launcher, str(STEPS), *arguments, str(file)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return torch.load(file)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "epochs", "stop_at"),
    [("npo", "2", "0"), ("dto", "2", "0"), ("ascent", "40", "1.1e-2")],
)
def test_two_processes_of_four_are_one_of_eight(method, epochs, stop_at, tmp_path):
    """Averages over answers (NPO) and chosen tokens (DTO), and the same last step (ascent)."""
    alone = run(tmp_path / "one.pt", method, "8", epochs, stop_at, processes=1)
    both = run(tmp_path / "two.pt", method, "4", epochs, stop_at, processes=2)
    assert (alone["processes"], both["processes"]) == (1, 2)
    assert alone["steps"] == both["steps"]
    assert alone["steps"] < 40
    assert both["terms"] == pytest.approx(alone["terms"], rel=1e-6)
    for name, weight in alone["state"].items():
        torch.testing.assert_close(both["state"][name], weight, rtol=1e-8, atol=1e-10)


TWO_GRADIENTS = {
    "sam": ('npo?{"sam": 0.05}', 1),
    "sam, accumulated": ('npo?{"sam": 0.05, "gradient_accumulation_steps": 2}', 2),
    "orthogonalize": ('dto?{"method": {"orthogonalize": "conflict"}}', 1),
    "orthogonalize, accumulated": (
        'dto?{"method": {"orthogonalize": "always"}, "gradient_accumulation_steps": 2}',
        2,
    ),
    "both": ('dto?{"method": {"orthogonalize": "always"}, "sam": 0.05}', 1),
    "like lengths together": ('npo?{"packing": true}', 1),
    "rows of the model before": ('undial?{"retain": "kl"}', 1),
    "rows dealt out in many passes": ('undial?{"retain": "kl", "reference_tokens": 30}', 1),
    "pdu": ('pdu?{"method": {"tolerance": 0.01, "dual_rate": 3.0}}', 1),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TWO_GRADIENTS)
def test_two_gradients_and_the_dual_weight_over_two_processes(name, tmp_path):
    """Also where only the last of two micro-batches is reduced."""
    method, cut = TWO_GRADIENTS[name]
    alone = run(tmp_path / "one.pt", method, str(8 // cut), "3", "0", processes=1)
    both = run(tmp_path / "two.pt", method, str(4 // cut), "3", "0", processes=2)
    assert (both["processes"], both["steps"], alone["steps"]) == (2, 3, 3)
    assert both["terms"] == pytest.approx(alone["terms"], rel=1e-6)
    assert both["retain_weight"] == pytest.approx(alone["retain_weight"], rel=1e-6)
    for weight_name, weight in alone["state"].items():
        torch.testing.assert_close(both["state"][weight_name], weight, rtol=1e-7, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "rows", "tied"),
    [("undial", 2, "true"), ("npo", 2, "true"), ("npo", 1000, "false")],
)
def test_weights_in_shards_take_the_same_steps(name, rows, tied, tmp_path):
    """Also where logits of an answer longer than a chunk are made again on the way back."""
    method = f'{name}?{{"retain": "kl", "chunk_rows": {rows}, "tied": {tied}, "sharded": true}}'
    alone = run(tmp_path / "one.pt", method, "8", "3", "0", processes=1)
    both = run(tmp_path / "two.pt", method, "4", "3", "0", processes=2)
    assert (alone["processes"], both["processes"]) == (1, 2)
    assert both["terms"] == pytest.approx(alone["terms"], rel=1e-6)
    for weight_name, weight in alone["state"].items():
        torch.testing.assert_close(both["state"][weight_name], weight, rtol=1e-8, atol=1e-10)
