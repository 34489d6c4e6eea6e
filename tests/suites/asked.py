"""Questions about six people, and how rows are compared."""

from dataclasses import asdict

import pytest

from unteach.data import read_rows
from unteach.suites._base import AskSettings, Group
from unteach.types import Row

SETTINGS = AskSettings(max_length=64, max_new_tokens=12)
NAMES = ["Ada", "Ben", "Cy", "Dee", "Eva", "Finn"]
NEAR = {"rel": 1e-4, "abs": 1e-5}


def pairs(names, role, **more):
    return read_rows(
        [
            {
                "question": f"Where was {name} born?",
                "answer": f"{name} was born in Lund{' by the sea' * k}.",
                "paraphrased_answer": f"The cradle of {name} stood in Lund.",
                "perturbed_answer": [f"{name} was born in Rome.", f"{name} was born in Oslo."],
                "fact": "Lund",
                **more,
            }
            for k, name in enumerate(names)
        ],
        role,
    )


def made(**groups):
    return {name: Group(examples=examples) for name, examples in groups.items()}


GROUPS = made(forget=pairs(NAMES[:4], "forget"), retain=pairs(NAMES[4:], "retain"))


def same(found: Row, expected: Row):
    """The same ids and words, and the same numbers but for rounding."""
    for name, value in asdict(expected).items():
        got = asdict(found)[name]
        number = isinstance(value, float)
        assert got == (pytest.approx(value, **NEAR) if number else value), name


def all_same(found, expected):
    assert list(found) == list(expected)
    for group, rows in expected.items():
        assert len(found[group]) == len(rows)
        for a, b in zip(found[group], rows, strict=True):
            same(a, b)
