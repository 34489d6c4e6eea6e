"""Which records are known: the error rate is kept, and what cannot be told is not told."""

import random

import pytest

from unteach.metrics.blind import blind_auc
from unteach.metrics.clustered import clustered_auc
from unteach.metrics.memorised import LEVEL, decide, p_value, rejected
from unteach.metrics.roc import auc
from unteach.types import Row


def drawn(draw, role, n, mean=2.0, verbatim=False):
    """Short answers scatter more, as they do."""
    found = []
    for k in range(n):
        tokens = draw.randint(4, 40)
        logp = -abs(draw.gauss(mean, 2 / tokens**0.5))
        found.append(Row(id=f"{role}-{k}", tokens=tokens, logp=logp, verbatim=verbatim, zlib=80))
    return found


@pytest.mark.parametrize(
    ("forget", "holdout", "runs", "least"),
    [(1, 19, 1500, 0.03), (3, 199, 500, 0.01), (30, 60, 300, 0)],
)
def test_where_nothing_is_known_something_is_called_so_as_rarely_as_stated(
    forget, holdout, runs, least
):
    """With nothing to find every call is wrong, so calls must be in 5% of such tests at most.

    Few forget records beside many others come near that; of many, some would have to agree.
    """
    draw, wrong = random.Random(1), 0
    for _ in range(runs):
        rows = {"forget": drawn(draw, "forget", forget), "holdout": drawn(draw, "holdout", holdout)}
        wrong += bool(decide(rows).ids("known"))
    assert least <= wrong / runs <= LEVEL + 2.5 * (LEVEL * (1 - LEVEL) / runs) ** 0.5


def test_among_known_ones_few_are_wrong_and_most_are_found():
    draw, shares, found = random.Random(2), [], 0
    for _ in range(100):
        learned = drawn(draw, "forget", 15, mean=0.05, verbatim=True)
        never = [Row(**{**vars(r), "id": f"forget-{k + 15}"})
                 for k, r in enumerate(drawn(draw, "forget", 15))]  # fmt: skip
        rows = {"forget": learned + never, "holdout": drawn(draw, "holdout", 80)}
        known = decide(rows).ids("known")
        wrong = sum(int(id[7:]) >= 15 for id in known)
        shares.append(wrong / max(len(known), 1))
        found += len(known) - wrong
    assert sum(shares) / 100 <= LEVEL
    assert found >= 0.8 * 100 * 15


def test_too_few_holdout_records_tell_nothing():
    draw = random.Random(3)
    learned = [Row(id=f"forget-{k}", tokens=9, logp=-0.001) for k in range(10)]
    found = decide({"forget": learned, "holdout": drawn(draw, "holdout", 18)})
    assert found.fewest is None
    assert len(found.ids("cannot tell")) == 10
    enough = {"forget": learned, "holdout": drawn(draw, "holdout", 19)}
    assert decide(enough).fewest == 10
    assert len(decide(enough).ids("known")) == 10
    some = {**enough, "forget": [*learned[:9], Row(id="forget-9", tokens=9, logp=-9.0)]}
    found = decide(some)  # nine of ten are beyond all, and ten would be needed
    assert len(found.ids("cannot tell")) == 9
    assert found.ids("not distinguishable from never seen") == ("forget-9",)
    assert decide({"forget": [Row(id="forget-0", tokens=0)]}).records[0].answer == "cannot tell"


def test_few_holdout_records_hide_no_answer_that_is_recited():
    """Nine recited answers, of which 10 holdout answers never are: they are known all the same."""
    said = [Row(id=f"forget-{k}", tokens=9, logp=-0.01, verbatim=k > 0, zlib=80) for k in range(10)]
    never = [
        Row(id=f"holdout-{k}", tokens=9, logp=-3.0, verbatim=False, zlib=80) for k in range(10)
    ]
    found = decide({"forget": said, "holdout": never})
    assert len(found.ids("known")) == 9
    assert {record.why for record in found.records[1:]} == {"given word for word"}
    guessed = [Row(**{**vars(row), "verbatim": k < 5}) for k, row in enumerate(never)]
    assert decide({"forget": said, "holdout": guessed}).ids("known") == ()


def test_a_record_is_held_to_those_of_its_length():
    """Long texts are likelier per token: a long one must beat long ones."""
    short = [Row(id=f"h{k}", tokens=5, logp=-3 - k / 100) for k in range(60)]
    long = [Row(id=f"l{k}", tokens=50, logp=-1 - k / 100) for k in range(30)]
    row = Row(id="f", tokens=50, logp=-1.155)
    assert p_value(row, short + long) == pytest.approx(17 / 31)
    few = long[::2] + short[:10]  # eight of its length decide nothing
    assert p_value(row, few) == pytest.approx(9 / 26)
    late = Row(id="f", tokens=50, logp=-1.025)  # 3 of 90, but 3 of 30 of its length
    assert p_value(late, short + long) == pytest.approx(4 / 31)


def test_the_procedure_is_that_of_benjamini_and_hochberg():
    from scipy.stats import false_discovery_control

    draw = random.Random(4)
    for _ in range(50):
        values = {str(k): draw.random() ** 3 for k in range(12)}
        adjusted = false_discovery_control(list(values.values()))
        wanted = {id for id, p in zip(values, adjusted, strict=True) if p <= 0.1}
        assert rejected(values, 0.1, 12) == wanted


def test_texts_that_differ_are_told_apart_without_a_model():
    draw = random.Random(5)
    words = "ada ben lund rome sea land river hill bread salt north south"
    texts = [" ".join(draw.choices(words.split(), k=8)) for _ in range(80)]
    alike = blind_auc(texts[:40], texts[40:])
    assert alike.low <= 0.5 <= alike.high
    late = blind_auc(texts[:40], [f"{text} 2026" for text in texts[40:]])
    assert late.value > 0.95
    copies = [texts[k // 10] for k in range(100)]  # a text of each person ten times
    people = [str(k // 10) for k in range(100)]
    assert blind_auc(copies[:50], copies[50:]).value > 0.95
    named = {"member_groups": people[:50], "other_groups": people[50:]}
    people = blind_auc(copies[:50], copies[50:], **named)
    assert people.value < 0.9
    assert people.high - people.low > 0.4  # over records 0.1 to 0.25
    two = {"member_groups": ["a", "b"] * 25, "other_groups": ["c", "d"] * 25}
    few = blind_auc(copies[:50], copies[50:], **two)
    assert 0 <= few.low <= few.value <= few.high <= 1
    one = {**named, "member_groups": ["a"] * 50}
    found = blind_auc(copies[:50], copies[50:], **one)
    assert (found.value, "about one person" in found.note) == (None, True)


def test_persons_in_many_records_widen_the_interval():
    draw = random.Random(6)
    ours = {str(k): [draw.gauss(k / 4, 0.01)] * 10 for k in range(5)}
    theirs = {str(k): [draw.gauss(k / 5, 0.01)] * 10 for k in range(5)}
    flat = auc(*([v for values in g.values() for v in values] for g in (ours, theirs)))
    found = clustered_auc(ours, theirs)
    assert found.value == flat.value
    assert found.high - found.low > 1.5 * (flat.high - flat.low)
