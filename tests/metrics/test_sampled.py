"""Probabilistic extraction: the chance of an answer among n samples, against counting samples."""

import random
from math import exp, log

import pytest
from worlds import row

from unteach.metrics import METRICS
from unteach.metrics.sampled import TRIES, extracted_once
from unteach.types import Row


@pytest.mark.parametrize("p", [0.3, 0.02, 1e-3, 1e-12])
@pytest.mark.parametrize("tokens", [1, 7])
def test_it_is_one_minus_the_chance_of_missing_it_every_time(p, tokens):
    """Also where p is so small that 1 - p is 1 in float64: then the chance is n times p."""
    asked = Row(id="a", tokens=tokens, logp=log(p) / tokens)
    missed = (1 - p) ** TRIES
    assert extracted_once(asked) == pytest.approx(1 - missed if p > 1e-9 else TRIES * p, rel=1e-6)


def test_it_is_the_share_of_tries_that_give_the_answer():
    """Ten samples of an answer of three tokens, drawn token by token, 4,000 times."""
    draw, each = random.Random(0), [0.6, 0.5, 0.4]
    said = sum(
        any(all(draw.random() < p for p in each) for _ in range(10)) for _ in range(4000)
    )  # fmt: skip
    logp = sum(map(log, each)) / 3
    assert said / 4000 == pytest.approx(
        extracted_once(Row(id="a", tokens=3, logp=logp), 10), abs=0.03
    )


def test_limits():
    assert extracted_once(Row(id="a", tokens=9, logp=0.0)) == 1
    assert extracted_once(Row(id="a", tokens=2000, logp=-9.0)) == 0
    assert extracted_once(Row(id="a", tokens=3, logp=-0.1), 1) == pytest.approx(exp(-0.3))


def test_the_metric_is_the_mean_over_answers():
    groups = {"forget": [row("a", [-0.2, -0.3]), row("b", [-9.0, -9.0])]}
    wanted = [1 - (1 - exp(total)) ** 100 for total in (-0.5, -18)]
    found = METRICS.get("probabilistic_extraction")("forget", groups).value
    assert found == pytest.approx(sum(wanted) / 2, rel=1e-6)
