"""`unteach methods NAME`: what the data change is told too."""

import json
import re

import pytest


def defaults(page):
    found = page.partition("\nDefaults: ")[2].partition("\nPaper: ")[0]
    return re.sub(r"\s+", " ", found)


@pytest.mark.parametrize(("name", "usual", "held"), [
    (
        "dto", "40 epochs, stops at forget probability 0.3;",
        "With --holdout: method.objective=level; 20 epochs, run up to 3 times"),
    ("unilogit", "10 epochs;", "With --holdout: method.level=holdout; 10 epochs, run up to 3"),
    ("undial", "10 epochs;", "With --holdout: method.level=holdout; 10 epochs, run up to 3"),
    ("unseen", "20 epochs, run up to 3 times until the forget answers", ""),
    ("npo", "10 epochs;", ""),
])  # fmt: skip
def test_what_a_holdout_changes_is_told(name, usual, held, call):
    said = defaults(call("methods", name)[1])
    plain, _, more = said.partition("With --holdout")
    assert usual in plain
    assert held in said
    assert bool(held) == bool(more)
    assert ("Without --retain: method.hold=100.0" in said) == (name == "dto")


def test_scripts_see_both_plans(call):
    (found,) = json.loads(call("methods", "unilogit", "--json")[1])
    assert found["defaults"]["rounds"] == 3
    assert found["with_holdout"]["options"] == {"level": "holdout"}
    assert found["with_holdout"]["defaults"]["adam_epsilon"] == "auto"
