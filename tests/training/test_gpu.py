"""The row engine on a CUDA device: as on a CPU. CI has none; these wait for one."""

import pytest
import torch
from support import tiny_llama
from test_every_method import METHOD_NAMES
from trainers import lora, trainer, weights

from unteach.head.products import add_outer, back, product

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("name", METHOD_NAMES)
@pytest.mark.parametrize("make", [tiny_llama, lora], ids=["full", "lora"])
@pytest.mark.parametrize("rows", [4, None])
def test_a_run_ends_where_it_does_on_a_cpu(name, make, rows, tmp_path):
    """In float64, so that nothing but the order of sums differs."""
    if name == "task-vector" and make is lora:
        pytest.skip("its adapters must begin as nothing")
    found = []
    for cpu in (True, False):
        options = {"use_cpu": cpu, "chunk_rows": rows, "num_train_epochs": 2}
        retain = None if name == "rmu" else "kl"
        run = trainer(name, tmp_path, model=make(), retain=retain, **options)
        run.train()
        found.append(weights(run.model).cpu())
    torch.testing.assert_close(found[1], found[0], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_products_of_half_precision_are_kept_in_float32(dtype):
    generator = torch.Generator("cuda").manual_seed(0)
    states, matrix, gradient = (
        torch.randn(shape, generator=generator, device="cuda").to(dtype)
        for shape in ((64, 256), (1000, 256), (64, 1000))
    )
    found = product(states, matrix)
    assert found.dtype == torch.float32
    torch.testing.assert_close(
        found.double(), states.double() @ matrix.double().T, rtol=1e-5, atol=1e-4
    )
    expected = gradient.double() @ matrix.double()
    assert (back(gradient.float(), matrix).double() - expected).norm() < 5e-3 * expected.norm()
    into = torch.zeros(1000, 256, device="cuda")
    add_outer(gradient.float(), states, into)
    expected = gradient.double().T @ states.double()
    assert (into.double() - expected).norm() < 1e-5 * expected.norm()


@pytest.mark.parametrize("method", ["undial", "npo", "unilogit"])
def test_under_autocast_it_learns(method, tmp_path):
    run = trainer(
        method, tmp_path, model=tiny_llama(dtype=torch.float32), use_cpu=False, bf16=True,
        num_train_epochs=5, optim="adamw_torch",
    )  # fmt: skip
    run.train()
    terms = [entry["forget"] for entry in run.state.log_history if "forget" in entry]
    assert terms[-1] < terms[0]
