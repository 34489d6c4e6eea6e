"""Every method is its formula, in three dtypes; and the page says so of all of them."""

import re
from pathlib import Path

import parity
import pytest

from unteach.methods import METHODS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "parity.md"


@pytest.mark.parametrize(("name", "options"), parity.cases(), ids=str)
def test_every_method_is_its_formula(name, options):
    assert parity.compare(name, options, vocabulary=40).broken() == []


def test_a_wrong_formula_is_noticed(monkeypatch):
    """NPO with another beta than its default."""
    monkeypatch.setattr(parity, "build", lambda name, options: METHODS.get("npo")(beta=0.11))
    problems = parity.compare("npo", {}, vocabulary=40).broken()
    assert any("value in float64" in problem for problem in problems)
    assert any("gradient in bfloat16" in problem for problem in problems)


def test_the_page_has_every_method():
    text = PAGE.read_text(encoding="utf-8")
    names = {label.split(",")[0] for label in re.findall(r"^\| ([a-z][^|]*) \| \[", text, re.M)}
    assert names == set(METHODS)


def test_the_page_is_within_its_limits():
    lines = [x for x in PAGE.read_text(encoding="utf-8").splitlines() if "arxiv.org/abs" in x]
    limits = [*parity.LIMITS.values(), *parity.LIMITS.values(), 1e-9, parity.LIMIT_OF_A_ROW]
    for line in lines:
        errors = [float(cell) for cell in line.split("|")[3:-1]]
        assert all(e < limit for e, limit in zip(errors, limits, strict=True)), line
