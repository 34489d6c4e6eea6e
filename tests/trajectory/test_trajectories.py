"""Every method takes the steps that it took when its series was stored: no refactor moves them."""

import json

import pytest
import torch
from trajectory.runs import COMMAND, FILE, cases, environment, series

from unteach.methods import METHODS

STORED = json.loads(FILE.read_text(encoding="utf-8"))
CASES = {name: case for name, *case in cases()}
RTOL, ATOL = 1e-5, 1e-9


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def moved(stored: dict, found: dict) -> list[str]:
    """The first step of each term that is not as it was."""
    lines = [f"{term}: is new" for term in found.keys() - stored.keys()]
    lines += [f"{term}: is gone" for term in stored.keys() - found.keys()]
    for term in sorted(stored.keys() & found.keys()):
        was, is_ = stored[term], found[term]
        if len(was) != len(is_):
            lines.append(f"{term}: {len(is_)} steps, were {len(was)}")
            continue
        for step, (old, new) in enumerate(zip(was, is_, strict=True), 1):
            if not abs(new - old) <= ATOL + RTOL * abs(old):
                lines.append(f"{term}: step {step} is {new:.8g}, was {old:.8g}")
                break
    return lines


@pytest.mark.parametrize("name", CASES)
def test_the_steps_are_those_that_were_stored(name, tmp_path):
    assert name in STORED["series"], f"no series is stored for it: {COMMAND}"
    lines = moved(STORED["series"][name], series(*CASES[name], tmp_path))
    note = f"stored in {STORED['environment']}, here {environment()}; if it shall move: {COMMAND}"
    assert not lines, "\n".join([f"{name} took other steps", *lines, note])


def test_every_method_has_a_series_and_no_other_has():
    assert set(STORED["series"]) == set(CASES), COMMAND
    for name in METHODS:
        assert sum(case.startswith(f"{name}, ") for case in STORED["series"]) >= 2
    for case, terms in STORED["series"].items():
        of = METHODS.get(case.partition(",")[0]).trains_on
        assert {"loss", "grad_norm", f"{of}_probability"} <= set(terms), case
        assert {"forget", "hold"} & set(terms), case
        assert all(len(set(terms[name])) > 1 for name in ("loss", "grad_norm")), case


def test_a_small_change_is_named():
    stored = {"loss": [1.0, 2.0, 3.0], "gone": [1.0], "hold": [1.0]}
    found = {"loss": [1.0, 2.0 * 1.001, 9.0], "new": [1.0], "hold": [float("nan")]}
    assert moved(stored, found) == [
        "new: is new",
        "gone: is gone",
        "hold: step 1 is nan, was 1",
        "loss: step 2 is 2.002, was 2",
    ]
    assert not moved(stored, {**stored, "loss": [1.0, 2.0 * (1 + 1e-7), 3.0]})
