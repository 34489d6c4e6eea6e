"""What one process finds stops all of them, with its examples in the message of each."""

import re
from pathlib import Path

import pytest

FILE = Path(__file__).with_name("trouble.py")


@pytest.mark.slow
def test_all_stop_at_the_same_step_with_one_message(tmp_path, python):
    several = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", 2)
    code, _, err = python(*several, FILE, tmp_path)
    assert code == 0, err[-2000:]
    # Of the gradient as many are named as ever; else those of the process that found it, and in a
    # pass of its own the forget answers alone.
    for case, named in {"loss": 8, "two passes": 4, "gradient": 8, "accumulated": 4}.items():
        first, other = ((tmp_path / f"{case} {rank}").read_text() for rank in (0, 1))
        assert first == other
        assert first.startswith("2 processes, sound: True, training, step 3: "), case
        found = "gradient's norm is nan" if case == "gradient" else "loss is nan (term forget"
        assert found in first
        assert len(re.findall(r"(?:forget|retain)-\d", first)) == named, (case, first)
