"""The files of a small request."""

import pytest
from cli.small import written


@pytest.fixture
def files(tmp_path):
    return written(tmp_path)
