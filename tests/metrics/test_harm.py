"""Single answers that broke are found, whatever the means say."""

from dataclasses import replace

from unteach.metrics.harm import harms
from unteach.types import Row

FINE = Row(
    id="", tokens=9, logp=-0.1, rouge_l_recall=1.0, said_tokens=6, said_repetition=0.0,
    said_distinct=1.0, said_logp=-0.2,
)  # fmt: skip


def rows(role="retain", n=9, **changed):
    """As many fine answers; those named by number are changed."""
    made = [replace(FINE, id=f"{role}-{k}") for k in range(n)]
    return {role: [replace(row, **changed.get(f"n{k}", {})) for k, row in enumerate(made)]}


def harm(group="retain", then=None, **changed):
    return harms(rows(group, **changed), then or rows(group))[group]


def test_a_model_like_before_harmed_nothing():
    found = harm()
    assert (found.asked, found.count) == (9, 0)


def test_the_answers_that_lost_most_come_first():
    found = harm(n2={"logp": -0.6}, n5={"logp": -3.0}, n7={"logp": -0.45})
    assert [fall.id for fall in found.lost] == ["retain-5", "retain-2"]
    assert round(found.lost[0].before, 2) == 0.90
    assert round(found.lost[0].after, 2) == 0.05


def test_a_small_fall_of_little_is_no_loss():
    then = rows(n0={"logp": -2.6})
    assert not harm(then=then, n0={"logp": -4.0}).lost


def test_circles_noise_and_silence_are_told_apart():
    """As a chat model that answered with one word, three times over, on a colleague."""
    found = harm(
        n0={"said_tokens": 3, "said_distinct": 1 / 3, "said_repetition": None},
        n1={"said_tokens": 60, "said_distinct": 0.2, "said_repetition": 0.8},
        n2={"said_logp": -9.0},
        n3={"said_tokens": 0, "said_distinct": None, "said_repetition": None, "said_logp": None},
        n4={"said_repetition": 0.1},
    )
    assert found.broken == ("retain-0", "retain-1", "retain-2")
    assert found.silent == ("retain-3",)


def test_what_was_broken_before_is_not_the_runs_doing():
    loop = {"said_tokens": 60, "said_distinct": 0.2, "said_repetition": 0.8}
    nothing = {"said_tokens": 0, "said_distinct": None, "said_repetition": None}
    assert not harm(then=rows(n0=loop, n1=nothing), n0=loop, n1=nothing).count


def test_answers_that_run_on_and_that_say_something_else():
    found = harm(
        n0={"said_tokens": 30},
        n1={"said_tokens": 9},
        n2={"rouge_l_recall": 0.3},
        n3={"rouge_l_recall": 0.6},
    )
    assert found.endless == ("retain-0",)
    assert [fall.id for fall in found.changed] == ["retain-2"]
    then = rows(n2={"rouge_l_recall": 0.7})
    assert not harm(then=then, n2={"rouge_l_recall": 0.1}).changed, "it was not said before"


def test_what_is_forgotten_is_no_loss_and_noise_on_it_is():
    found = harm("forget", n0={"logp": -9.0, "rouge_l_recall": 0.0, "said_logp": -9.0})
    assert (found.lost, found.changed, found.broken) == ((), (), ("forget-0",))


def test_raw_texts_and_groups_of_one_side():
    text = {"retain": [Row(id="retain-0", tokens=9, logp=-0.1)]}
    low = {"retain": [Row(id="retain-0", tokens=9, logp=-2.0)], "world": rows("world")["world"]}
    found = harms(low, text)
    assert list(found) == ["retain"]
    assert found["retain"].lost[0].id == "retain-0"
    assert harms(low, {}) == {}
