"""What the tests of this folder share."""

import pytest
from distributed.forks import Forks


@pytest.fixture(scope="session")
def python():
    """`python` without the time it takes to load the libraries: `Forks.python`."""
    forks = Forks()
    yield forks.python
    forks.close()
