"""The tokenizer of whole words that the tests of teachers share."""

import pytest
from teachers.words import tokenizer


@pytest.fixture(scope="session")
def own(tmp_path_factory):
    return tokenizer(tmp_path_factory.mktemp("tokenizer"))
