"""Only a model that plainly never knew the data is told so."""

import math

import pytest
from metrics.test_given import asked
from worlds import told

from unteach.metrics.known import known


def texts(role, ps, *, ends=0, said=0.2, **more):
    """One row for each probability, of which the last tokens are the model's first choice."""
    hits = (False,) * (10 - ends) + (True,) * ends
    return [
        asked(
            told(f"{role}-{k}", (math.log(p),) * 10, hits=hits, rouge_l_recall=said, zlib=80,
                 said_tokens=9, **more)
        )
        for k, p in enumerate(ps)
    ]  # fmt: skip


HOLDOUT = [0.1, 0.15, 0.2, 0.25, 0.3] * 4


@pytest.mark.parametrize(
    ("ps", "more", "never"),
    [
        (HOLDOUT, {}, True),
        ([p * 0.5 for p in HOLDOUT], {}, True),
        ([0.9] * 20, {"ends": 10}, False),
        ([p + 0.2 for p in HOLDOUT], {}, False),
        (HOLDOUT, {"ends": 5}, False),  # drawn out from their middle on
        (HOLDOUT, {"said": 1.0}, False),
        (HOLDOUT, {"fact_given": True}, False),
        (HOLDOUT, {"fact_given": False}, True),
    ],
)
def test_beside_a_holdout(ps, more, never):
    found = known({"forget": texts("forget", ps, **more), "holdout": texts("holdout", HOLDOUT)})
    assert found.never == never


@pytest.mark.parametrize(
    ("p", "more", "never"),
    [
        (0.01, {}, True),
        (0.2, {}, False),
        (0.01, {"fact_given": True}, False),
        (0.01, {"ends": 5}, False),
        (0.9, {"ends": 10}, False),
    ],
)
def test_without_one_it_must_be_plainer(p, more, never):
    assert known({"forget": texts("forget", [p] * 8, **more)}).never == never


def test_a_fact_or_two_can_be_guessed_beside_a_holdout():
    forget = texts("forget", HOLDOUT, fact_given=False)
    forget[:2] = texts("forget", HOLDOUT[:2], fact_given=True)
    assert known({"forget": forget, "holdout": texts("holdout", HOLDOUT)}).never
    assert not known({"forget": texts("forget", [0.01] * 2, fact_given=True)}).never


def test_a_holdout_that_is_known_too_tells_nothing():
    rows = {role: texts(role, [0.8] * 9) for role in ("forget", "holdout")}
    assert not known(rows).never
    assert not known(rows).spent
    rows["holdout"][:5] = texts("holdout", [0.8] * 5, said=1.0)
    assert known(rows).spent


def test_those_that_were_not_known_are_named():
    forget = texts("forget", [0.9] * 28, ends=10, said=1.0)
    forget += texts("odd", [0.05] * 12)
    found = known({"forget": forget, "holdout": texts("holdout", HOLDOUT)})
    assert not found.never
    assert found.unknown == tuple(f"odd-{k}" for k in range(12))
    assert found.holdout == pytest.approx(0.2)
    assert known({"forget": forget}).unknown == ()  # without a holdout below 0.05 alone
    assert known({"retain": forget}) is None
