"""The pages of docs/reference are what the code says."""

import pytest
from reference_pages import FOLDER, pages


@pytest.fixture(scope="module")
def made():
    return pages()


@pytest.mark.parametrize("name", ["settings.md", "commands.md", "python.md", "papers.md"])
def test_the_page_is_up_to_date(made, name):
    held = (FOLDER / name).read_text(encoding="utf-8")
    assert held == made[name], "run `python benchmarks/reference_pages.py`"


def test_there_is_no_other_page(made):
    assert {file.name for file in FOLDER.iterdir()} == set(made)


def test_they_name_all_there_is(made):
    import unteach
    from unteach.methods import METHODS

    assert "`train.learning_rate`" in made["settings.md"]
    assert all(f"## unteach.{name}" in made["python.md"]
               for name in unteach.__all__ if not name.startswith("__"))  # fmt: skip
    assert "## unteach ledger add" in made["commands.md"]
    assert all(METHODS.get(name).paper.url in made["papers.md"] for name in METHODS)
