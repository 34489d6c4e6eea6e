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
