"""The tiny model and another one, loaded once for each file of tests."""

import pytest


@pytest.fixture(scope="module")
def model(tiny_folder):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(tiny_folder).eval()


@pytest.fixture(scope="module")
def original(model):
    """Another model of the same shape."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(5)
    return AutoModelForCausalLM.from_config(model.config).eval()
