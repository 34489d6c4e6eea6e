"""A small model to be broken."""

import shutil

import pytest
from safetensors.torch import load_file


@pytest.fixture
def copy(tmp_path, tiny_folder):
    """A folder with the model, which a test may change."""
    return shutil.copytree(tiny_folder, tmp_path / "model")


@pytest.fixture
def weights(copy):
    """Its weights by their names."""
    return load_file(copy / "model.safetensors")
