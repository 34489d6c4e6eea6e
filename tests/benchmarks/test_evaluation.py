"""What the benchmark sets side by side has the same values."""

from argparse import Namespace

import pytest
from evaluation import answers, endings, scoring

SMALL = Namespace(
    rounds=1, layers=1, hidden=16, vocabulary=97, batch=3, tokens=20, answer=10, prompts=6
)


def test_separate_forwards_and_one_scoring_agree():
    rows = {row["way"]: row for row in scoring(SMALL)}
    groups = {name: row for name, row in rows.items() if name not in {"ours", "all groups"}}
    assert (len(groups), rows["all groups"]["forwards"]) == (8, 9)
    for name, row in groups.items():
        # E[x^2] - E[x]^2 in float32 costs min-k++ two digits
        assert float(row["difference"]) < (1e-3 if name == "min_k_plus_plus" else 1e-5), name


def test_answers_agree():
    assert {row["difference"] for row in answers(SMALL)} == {0}


@pytest.mark.parametrize("lasting", [0.0, 0.5])
def test_end_tokens_leave_the_share_that_is_asked_for(lasting):
    said = [[k, k + 1, k + 2] for k in range(10, 30)]
    end = endings(said, [3] * 20, lasting)
    assert sum(not set(a) & set(end) for a in said) <= lasting * 20
