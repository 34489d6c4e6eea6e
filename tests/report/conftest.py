"""The rows and the report that several files of tests look at."""

import pytest
from report.pages import report, rows


@pytest.fixture(scope="module")
def found():
    return rows()


@pytest.fixture(scope="module")
def made(found):
    return report(found)
