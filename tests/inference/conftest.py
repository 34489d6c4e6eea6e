"""A tiny model, made once for each file of tests."""

import pytest
import torch
from support import tiny_llama


@pytest.fixture(scope="module")
def model():
    return tiny_llama(dtype=torch.float32)
