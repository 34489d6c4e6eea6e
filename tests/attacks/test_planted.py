"""Models that only hide what they know are caught; one that never knew it is not."""

from dataclasses import replace

import attacks
import pytest

from unteach.demo.settings import PRESETS

pytestmark = pytest.mark.slow
BITES = {  # which attack must see through which secret
    "refuses": "prompt",
    "first-token": "prompt",
    "softer": "sample",
    "part-left": "int4",
}
CHEAP = {  # each of them once; benchmarks/attacks.py asks more of each
    "int4.groups": "0", "int4.nf4": "0", "int4.control_bits": "0", "prompt.turns": "0",
    "sample.answers": "16", "sample.best": "1,4,16", "sample.temperatures": "0.25",
}  # fmt: skip


def attacked(demo, name, *names):
    options = {k: v for k, v in CHEAP.items() if k.partition(".")[0] in names}
    return attacks.attacked(demo, name, limit=30, options=options, attacks=names)


def test_what_is_only_hidden_comes_back_and_what_was_never_there_does_not(tmp_path, monkeypatch):
    """One test, so that the models are trained once, and as little as the verdict needs."""
    demo = tmp_path / "tiny"
    monkeypatch.setitem(PRESETS, "short", replace(PRESETS["tiny"], epochs=16))
    attacks.make(demo, "short")
    attacks.plant(demo, steps=120)
    for name, bite in BITES.items():
        line = attacked(demo, name, bite).of(bite)
        assert line.recovery.value > 0.5, name
        assert line.recovery.low > 0.25, name
    names = ("int4", "sample", "prompt")  # relearn is in benchmarks/results/attacks.md
    result = attacked(demo, "retrained-2", *names)
    for name in ("no attack", *names):
        assert result.of(name).recovery.value < 0.1, name
    assert result.worst.recovery.low < 0.1
    assert result.closeness.value > 0.6
