"""Formulas block by block, and compiled to one pass as on CUDA."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from unteach.losses import byrows, divergences, entropies, statistics, top
from unteach.losses.byrows import by_rows, pull_rows, read_rows

V = 50


def example(n=7, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    z, t = (3 * torch.randn(n, V, generator=generator, dtype=dtype) for _ in range(2))
    target = torch.randint(V, (n,), generator=generator)
    z[0, target[0]] = 12.0  # known by heart
    return z, t, target


Z, T, Y = example()
FORMULAS = {
    "statistics": (statistics.STATISTICS, (Y,)),
    "kl": (divergences.KL, (T,)),
    "undial": (divergences.UNDIAL, (T, Y, torch.full((7,), 3.0))),
    "jsd": (divergences.JENSEN_SHANNON, (T,)),
    "others, reverse": (divergences.OTHERS_REVERSE, (T, Y)),
    "others, forward": (divergences.OTHERS_FORWARD, (T, Y)),
    "flattening": (divergences.FLATTENING, ()),
    "top margin": (top._margin(3), (Y,)),
    "top flattening": (top._flattening(3), (T,)),
    "entropy": (entropies.ENTROPY, ()),
}


def both(formula, columns, logits):
    """What is read of the logits, and the gradient of the outputs' weighted sum."""
    read = read_rows(formula.read, logits, *columns)
    grads = [torch.linspace(-1, 1, len(logits)).to(logits) for _ in range(formula.outputs)]
    out = torch.empty_like(logits)
    pull_rows(formula, logits, out, *columns, *read[formula.outputs :], *grads)
    return read, out


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("size", [1, V, 3 * V, 1 << 20])
def test_the_blocks_change_nothing(name, size, monkeypatch):
    formula, columns = FORMULAS[name]
    read, out = both(formula, columns, Z)
    monkeypatch.setattr(byrows, "BLOCK", size)
    again, found = both(formula, columns, Z)
    torch.testing.assert_close(again, read)
    torch.testing.assert_close(found, out)
    pull_rows(formula, place := Z.clone(), place, *columns, *read[formula.outputs :],
              *[torch.linspace(-1, 1, 7)] * formula.outputs)  # fmt: skip
    torch.testing.assert_close(place, out)


@pytest.mark.parametrize("name", FORMULAS)
def test_the_gradients_are_those_of_finite_differences(name):
    formula, columns = FORMULAS[name]
    wide = tuple(c.double() if c.is_floating_point() else c for c in columns)
    logits = Z.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: by_rows(formula, z, *wide), logits)


COMPILED = """
from unteach.losses import byrows
byrows.find_spec = lambda name: True
fast = byrows._fast.__wrapped__
from test_byrows import FORMULAS, GENERATED, Z, both
import torch
plain, usual = {name: both(*FORMULAS[name], Z) for name in FORMULAS}, torch.compile
byrows._fast = lambda function, device: fast(function, "cuda")
for backend, names in (("aot_eager", FORMULAS), ("inductor", GENERATED)):
    torch.compile = lambda f, dynamic: usual(f, dynamic=dynamic, fullgraph=True, backend=backend)
    for name in names:
        torch.testing.assert_close(both(*FORMULAS[name], Z), plain[name])
"""
GENERATED = ("kl", "top margin")  # with and without a second matrix; the compiler takes seconds


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a compiler on a CPU")
def test_compiled_as_on_cuda_they_are_the_same():
    """In a process of its own: torch's compiler warns, and keeps what it made.

    Every formula becomes one graph; code is generated for two.
    """
    paths = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": paths, "TORCHINDUCTOR_COMPILE_THREADS": "1"}
    found = subprocess.run(
        [sys.executable, "-c", COMPILED], env=env, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert "torch.compile failed" not in found.stderr


def test_what_does_not_compile_goes_on_without_and_says_so_once(monkeypatch, caplog):
    def broken(function, dynamic):
        def run(*args):
            raise RuntimeError("no compiler")

        return run

    monkeypatch.setattr(torch, "compile", broken)
    monkeypatch.setattr(byrows, "find_spec", lambda name: True)
    run = byrows._fast.__wrapped__(torch.add, "cuda")
    for _ in range(2):
        assert run(torch.ones(1), torch.ones(1)) == 2
    assert len(caplog.records) == 1


def test_on_a_cpu_nothing_is_compiled():
    assert byrows._fast(torch.add, "cpu") is torch.add
