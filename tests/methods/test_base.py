"""What registers as a method, and which options it takes."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

import unteach.methods as methods
from unteach.errors import UserError
from unteach.methods import METHODS, Method, build, method, options_of
from unteach.types import Paper

PAPER = Paper(title="T", authors="A B", year=2025, arxiv="1", where="eq. 1")


def test_a_method_without_paper_does_not_register():
    with pytest.raises(TypeError, match="paper"):

        @method("paperless")
        @dataclass(frozen=True, kw_only=True)
        class Paperless(Method):
            """Has no paper."""

            def forget(self, seen):
                return []

    assert "paperless" not in METHODS


def test_methods_are_final():
    with pytest.raises(TypeError, match="final"):

        @method("heir")
        class Heir(METHODS.get("npo")):
            """Subclasses another method."""

            paper: ClassVar = PAPER


def test_a_name_is_taken_once():
    with pytest.raises(ValueError, match="registered twice"):
        method("npo")(METHODS.get("npo"))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("unilogti", {}, 'Did you mean "unilogit"'),
        ("npo", {"bta": 1.0}, 'Did you mean "beta"'),
        ("npo", {"beta": 0.0}, "more than 0"),
        ("npo", {"beta": "much"}, "give a number"),
        ("npo", {"beta": float("nan")}, "more than 0"),
        ("npo", {"beta": True}, "true or false|give a number"),
        ("unilogit", {"direction": "revers"}, 'Did you mean "reverse"'),
        ("dto", {"draws": 0}, "at least 1"),
        ("dto", {"draws": 1.5}, "whole number"),
        ("ascent", {"beta": 1}, "has no options"),
        ("undial", {"strength": float("inf")}, "finite"),
    ],
)
def test_bad_options_are_explained(name, options, message):
    with pytest.raises(UserError, match=message) as caught:
        build(name, options)
    assert caught.value.exit_code == 2


def test_all_bad_options_come_at_once():
    with pytest.raises(UserError) as caught:
        build("dto", {"draws": 0, "ratio": -1.0, "suffix": "drop"})
    assert len(caught.value.problems) == 3


def test_options_are_listed_with_defaults_and_choices():
    listed = {o["name"]: o for o in options_of(METHODS.get("dto"))}
    assert listed["suffix"]["choices"] == ["held", "target", "ignored"]
    assert listed["ratio"]["default"] == 0.3
    assert all(o["help"] for o in listed.values())


def test_methods_are_found_by_class_name():
    assert methods.Unilogit is METHODS.get("unilogit")
    with pytest.raises(AttributeError):
        _ = methods.Unilogti
