"""What holds for every metric and every comparison: a new one joins by existing."""

import math
import random
import struct
from dataclasses import fields, replace
from functools import cache

import pytest
from worlds import GROUPS, row, world

from unteach.metrics import COMPARISONS, METRICS, Metric, ModelCase, compare, score_model
from unteach.metrics.rows import MissingRows, answers
from unteach.suites.rivals import beside_wrong
from unteach.types import SHORT, Row, Score

DIRECTIONS = {"low", "high", "unchanged", "as retrained"}
EVERYTHING = [*METRICS, *COMPARISONS]


@cache
def case(seed=0, n=12, change=list):
    """A model between the original, which knows more, and the retrained one, which knows less.

    Made once for all metrics: who changes rows makes others.
    """
    models = (world(seed, n), world(seed + 1, n, shift=0.5), world(seed + 2, n, shift=-0.5))
    changed = [{name: change(rows) for name, rows in model.items()} for model in models]
    return ModelCase(changed[0], original=changed[1], retrained=changed[2])


def entry(name):
    return METRICS.get(name) if name in METRICS else COMPARISONS.get(name)


def scored(name, of):
    """The score in the first group that the metric is about, or of the comparison."""
    found = entry(name)
    if name in METRICS:
        return found((found.groups or ("forget",))[0], of)
    return found(of)


@cache
def plain(name):
    """The score of the case that nothing was done to."""
    return scored(name, case())


def shuffled(rows):
    return random.Random(3).sample(rows, len(rows))


def numbers(score):
    return [x for x in (score.value, score.low, score.high) if x is not None]


@pytest.mark.parametrize("name", EVERYTHING)
def test_it_explains_itself(name):
    found = entry(name)
    assert len(found.help) > 20
    assert found.retrained, "what a retrained model scores, in words"
    assert found.gaming, "how a useless model can score well, in words"
    assert found.range[0] < found.range[1]
    assert found.function.__doc__
    assert ">>>" in found.function.__doc__ or name.startswith(("closeness", "aggregate")), name
    if name in METRICS:
        assert {found.should_be(g) for g in (*GROUPS, "anything")} <= DIRECTIONS
    else:
        assert found.should_be


@pytest.mark.parametrize("name", EVERYTHING)
def test_the_order_of_rows_changes_nothing(name):
    before, after = plain(name), scored(name, case(change=shuffled))
    assert before.value is not None
    assert before.n > 0
    assert after.n == before.n
    assert after.value == pytest.approx(before.value, rel=1e-9)
    if before.low is not None:
        assert before.low <= before.value <= before.high
        assert (after.low, after.high) == pytest.approx((before.low, before.high), rel=1e-9)


def rounded(rows):
    """As float32 holds them."""

    def short(x):
        return struct.unpack("f", struct.pack("f", x))[0] if isinstance(x, float) else x

    return [
        replace(row, **{field.name: short(getattr(row, field.name)) for field in fields(Row)})
        for row in rows
    ]


@pytest.mark.parametrize("name", EVERYTHING)
def test_storage_in_float32_changes_next_to_nothing(name):
    stored = scored(name, case(change=rounded))
    assert stored.value == pytest.approx(plain(name).value, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("name", EVERYTHING)
def test_it_stays_in_its_range(name):
    low, high = entry(name).range
    for seed in range(3):
        for n in (1, 2, 7):
            for found in numbers(scored(name, case(seed, n))):
                assert low - 1e-9 <= found <= high + 1e-9, (seed, n)


@pytest.mark.parametrize("name", EVERYTHING)
def test_nothing_to_score_is_a_reason(name):
    empty = {group: [] for group in GROUPS}
    for nothing in (ModelCase({}), ModelCase(empty, original=empty, retrained=empty)):
        score = scored(name, nothing)
        assert score.value is None
        assert score.note.startswith("not measurable: ")
        assert len(score.note) > 20


@cache
def broken(bad):
    sound = case()
    model = {
        group: [replace(row, logp=bad, min_k=bad, min_40=bad) for row in rows]
        for group, rows in sound.model.items()
    }
    return replace(sound, model=model)


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_broken_model_never_gives_a_broken_number(name):
    for bad in (math.nan, -math.inf):
        score = scored(name, broken(bad))
        assert all(map(math.isfinite, numbers(score))), bad
        assert numbers(score) or score.note.startswith("not measurable: "), bad


@pytest.mark.parametrize("bad", [math.nan])
def test_what_is_read_off_a_nan_is_named(bad):
    wrong = row("a", [-1.0], kind="perturbed")
    groups = {"forget": beside_wrong([row("a", [bad]), wrong])}
    for name in ("probability", "truth_ratio", "truth_ratio_share", "choice_probability"):
        assert scored(name, ModelCase(groups)).note == "not measurable: the value is nan", name


READS = {
    "matched": "exact_memorization",
    "strength": "extraction_strength",
    "reciprocal_rank": "reciprocal_rank",
    "min_k": "membership_auc_min_k membership_tpr_min_k",
    "min_k_plus_plus": "membership_auc_min_k_plus_plus membership_tpr_min_k_plus_plus",
    "divergence": "divergence",
    "zlib": "membership_auc_zlib membership_tpr_zlib",
    "gradient_norm": "membership_auc_gradient_norm membership_tpr_gradient_norm",
}


@pytest.mark.parametrize("field", READS)
def test_a_field_that_was_not_filled_is_named(field):
    """Only the metrics that read it are lost, and they say why."""
    groups = world()
    at = next(k for k, row in enumerate(groups["forget"]) if row.tokens >= SHORT)
    groups["forget"][at] = replace(groups["forget"][at], **{field: None})
    scores = score_model(groups, original=world(1))["forget"]
    assert {name for name in scores if scores[name].value is None} == set(READS[field].split())


def test_answers_without_a_token_are_left_out():
    groups, original = world(), world(1)
    expected = score_model(groups, original=original)["forget"]
    groups["forget"].append(Row(id="forget-99"))
    groups["forget"].append(Row(id="forget-0", kind="perturbed", index=9))
    assert score_model(groups, original=original)["forget"] == expected
    only = score_model({"forget": [Row(id="forget-99")]}, original=original)["forget"]
    assert {score.note for score in only.values()} == {"not measurable: no examples in this group"}


def test_answers_too_short_to_say_more_of_are_left_out_where_more_is_asked():
    """Of fewer than eight tokens a row has no number of the least likely ones."""
    groups, original = world(), world(1)
    short = Row(id="forget-99", tokens=SHORT - 1, logp=-1.0, matched=0.5, strength=0.5, zlib=16)
    groups["forget"].append(short)
    scores = score_model(groups, compat="open-unlearning")["forget"]
    assert scores["probability"].n == scores["exact_memorization"].n == 13
    assert scores["reciprocal_rank"].n == scores["divergence"].n == 12
    assert scores["open_unlearning_extraction_strength"].n == 12
    assert scores["membership_auc_min_k"].n == scores["membership_auc_loss"].n - 1
    case = ModelCase(groups, original={**original, "forget": [*original["forget"], short]},
                retrained={**world(2), "forget": [*world(2)["forget"], short]})  # fmt: skip
    for name in ("closeness", "privleak", "probability_gap"):
        assert COMPARISONS.get(name)(case).value is not None
    only = score_model({**groups, "forget": [short]})["forget"]
    assert only["membership_auc_loss"].value is not None
    for name in ("membership_auc_min_k", "reciprocal_rank"):
        assert "no answer of 8 tokens or more" in only[name].note


def test_variants_of_other_projects_are_scored_for_who_asks():
    groups = world()
    plain, asked = (score_model(groups, compat=c)["forget"] for c in ("", "open-unlearning"))
    assert not any(name.startswith("open_unlearning_") for name in plain)
    assert {n for n in asked if n.startswith("open_unlearning_")} == asked.keys() - plain.keys()
    beside, more = (compare(groups, world(1), compat=c) for c in ("", "open-unlearning"))
    assert more.keys() - beside.keys() == {
        "open_unlearning_forget_quality",
        "open_unlearning_privleak",
    }


def test_the_words_of_a_plug_in_are_not_shown_and_ours_are():
    """What it lacks may be told with a text of the data in it."""

    def words(group, case):
        raise MissingRows("Ada was born in Lund")

    def through_ours(group, case):
        return Score(answers(case.model, "nobody")[0].logp)

    def note(function):
        made = Metric(name="plugged", help="", direction={"": "low"}, function=function)
        return made("forget", {"forget": []}).note

    assert note(words) == "not measurable: a plug-in lacks an input (its words are not shown)"
    assert note(through_ours).startswith("not measurable: no ")
