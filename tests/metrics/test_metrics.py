"""Each metric against its definition written a second time, and at its limits."""

import math
import random
from dataclasses import replace

import pytest

from unteach.metrics import COMPARISONS, METRICS, compare, score_model
from unteach.metrics.truth_ratio import truth_ratios
from unteach.nouns import Row

DIRECTIONS = {"low", "high", "unchanged", "as retrained"}


def row(id, logps, **more):
    n = len(logps)
    values = {"hits": (False,) * n, "means": (-3.0,) * n, "spreads": (1.0,) * n, "zlib": 10}
    return Row(id=id, logps=tuple(logps), **{**values, **more})


def world(seed=0, n=12, shift=0.0):
    """Rows of all groups, with paraphrases and wrong answers."""
    rng = random.Random(seed)

    def logps():
        return [-rng.expovariate(1.0) + shift for _ in range(rng.randint(2, 9))]

    groups = {}
    for group in ("forget", "retain", "holdout"):
        rows = []
        for k in range(n):
            id, own = f"{group}-{k}", [min(x, 0.0) for x in logps()]
            hits = tuple(rng.random() < 0.6 for _ in own)
            spreads = tuple(rng.uniform(0.5, 2) for _ in own)
            rouge, zlib = rng.random(), rng.randint(9, 40)
            more = {"hits": hits, "spreads": spreads, "rouge_l_recall": rouge, "zlib": zlib}
            rows.append(row(id, own, fact_given=rng.random() < 0.3, **more))
            rows.append(row(id, logps(), kind="paraphrase"))
            rows += [row(id, logps(), kind="perturbed", index=i) for i in range(3)]
        groups[group] = rows
    return groups


def prob(r):
    return math.prod(math.exp(x) for x in r.logps) ** (1 / len(r.logps))


def of(name, group="forget", groups=None):
    groups = groups or world()
    return METRICS.get(name)(group, groups)


def own(group, groups=None):
    return [r for r in (groups or world())[group] if r.kind == "answer"]


def test_probability_and_perplexity():
    rows = own("forget")
    assert of("probability").value == pytest.approx(sum(map(prob, rows)) / len(rows))
    all_logps = [x for r in rows for x in r.logps]
    assert of("perplexity").value == pytest.approx(math.exp(-sum(all_logps) / len(all_logps)))
    assert of("perplexity", groups={"forget": [row("a", [-1e6])]}).value < math.inf
    low, high = of("perplexity").low, of("perplexity").high
    assert 1 <= low < of("perplexity").value < high


def test_rouge_and_facts_are_means():
    rows = own("retain")
    rouge = sum(r.rouge_l_recall for r in rows) / len(rows)
    assert of("rouge_l_recall", "retain").value == pytest.approx(rouge)
    facts = sum(r.fact_given for r in rows) / len(rows)
    assert of("fact_recall", "retain").value == pytest.approx(facts)


@pytest.mark.parametrize(
    ("hits", "exact", "strength"),
    [
        ((True, True, True), 1.0, 1.0),
        ((False, False), 0.0, 0.0),
        ((True, False), 0.5, 0.0),
        ((False, True, False, True), 0.5, 0.25),
        ((True, True, False, True, True), 0.8, 0.4),
    ],
)
def test_memorization(hits, exact, strength):
    groups = {"forget": [row("a", [-1.0] * len(hits), hits=hits)]}
    assert of("exact_memorization", groups=groups).value == pytest.approx(exact)
    assert of("extraction_strength", groups=groups).value == pytest.approx(strength)
    # 1 - k / n for the least k from which on every token is extracted, as the definition has it
    k = next(k for k in range(len(hits) + 1) if all(hits[k:]))
    assert strength == pytest.approx(1 - k / len(hits))


def test_truth_ratio_is_the_papers_equation():
    groups = world()
    ratios = {}
    for k in range(12):
        mine = [r for r in groups["forget"] if r.id == f"forget-{k}"]
        wrong = [prob(r) for r in mine if r.kind == "perturbed"]
        right = next(prob(r) for r in mine if r.kind == "paraphrase")
        ratios[f"forget-{k}"] = sum(wrong) / len(wrong) / right
    assert truth_ratios(groups["forget"]) == pytest.approx(ratios)
    mean = sum(min(r, 1 / r) for r in ratios.values()) / 12
    assert of("truth_ratio").value == pytest.approx(mean)
    kept = truth_ratios(groups["retain"]).values()
    expected = sum(max(0, 1 - r) for r in kept) / 12
    assert of("truth_ratio", "retain").value == pytest.approx(expected)


def test_a_broken_model_has_a_truth_ratio_too():
    """Its probabilities are 0 in floats; their ratio is not."""
    rows = [row("a", [-2000.0]), row("a", [-2001.0], kind="perturbed")]
    assert truth_ratios(rows) == {"a": pytest.approx(math.exp(-1))}
    gone = [row("a", [-math.inf]), row("a", [-math.inf], kind="perturbed")]
    assert truth_ratios(gone) == {"a": 1.0}
    assert of("truth_ratio", groups={"forget": gone}).value == 1


def test_truth_ratios_do_not_depend_on_which_list_they_came_in():
    groups = world()
    copied = {**groups, "forget": list(groups["forget"])}
    assert of("truth_ratio", groups=copied) == of("truth_ratio")
    assert of("truth_ratio", "forget") != of("truth_ratio", "retain", {"retain": groups["forget"]})


def test_without_a_paraphrase_the_answer_itself_is_right():
    rows = [row("a", [-1.0]), row("a", [-2.0], kind="perturbed")]
    assert truth_ratios(rows) == {"a": pytest.approx(math.exp(-1))}


def slow_auc(members, others):
    wins = [(m > o) + 0.5 * (m == o) for m in members for o in others]
    return sum(wins) / len(wins)


def min_k(values):
    count = max(int(0.2 * len(values)), 1)
    return sum(sorted(values)[:count]) / count


@pytest.mark.parametrize(
    ("name", "score"),
    [
        ("loss", lambda r: sum(r.logps) / len(r.logps)),
        ("zlib", lambda r: sum(r.logps) / r.zlib),
        ("min_k", lambda r: min_k(r.logps)),
        (
            "min_k_plus_plus",
            lambda r: min_k(
                [(x - m) / s for x, m, s in zip(r.logps, r.means, r.spreads, strict=True)]
            ),
        ),
    ],
)
def test_membership(name, score):
    groups = world()
    expected = slow_auc([score(r) for r in own("forget")], [score(r) for r in own("holdout")])
    found = of(f"membership_auc_{name}")
    assert found.value == pytest.approx(expected)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert f"membership_auc_{name}" not in score_model(groups)["retain"]


def test_membership_at_its_limits():
    def rows(logp, n=5):
        return [row(f"x-{k}", [logp]) for k in range(n)]

    sure = {"forget": rows(-0.1), "holdout": rows(-3.0)}
    never = {"forget": rows(-3.0), "holdout": rows(-0.1)}
    alike = {"forget": rows(-1.0), "holdout": rows(-1.0)}
    single = {"forget": rows(-1.0, 1), "holdout": rows(-1.0, 1)}
    for groups, value in ((sure, 1), (never, 0), (alike, 0.5), (single, 0.5)):
        found = of("membership_auc_loss", groups=groups)
        assert found.value == value
        assert found.low is None, "no comparison ends otherwise, so nothing is known of the spread"
    problem = of("membership_auc_loss", groups={"forget": sure["forget"]})
    assert problem.value is None
    assert "no holdout set" in problem.note


def test_membership_agrees_with_scikit_learn():
    from sklearn.metrics import roc_auc_score

    groups = world(5, n=30)
    members, others = own("forget", groups), own("holdout", groups)
    labels = [1] * len(members) + [0] * len(others)
    scores = [sum(r.logps) / len(r.logps) for r in members + others]
    found = of("membership_auc_loss", groups=groups)
    assert found.value == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert found.n == 60


def test_the_interval_of_an_auc_is_delongs():
    """By its definition: variances of each answer's share of won comparisons."""
    groups = world(2, n=20)
    m, o = ([sum(r.logps) / len(r.logps) for r in own(g, groups)] for g in ("forget", "holdout"))
    value = slow_auc(m, o)
    won = [slow_auc([x], o) for x in m], [slow_auc(m, [y]) for y in o]
    variance = sum(sum((w - value) ** 2 for w in ws) / (len(ws) - 1) / len(ws) for ws in won)
    found = of("membership_auc_loss", groups=groups)
    assert found.high - found.value == pytest.approx(1.959964 * math.sqrt(variance))


def test_utility_is_a_harmonic_mean():
    parts = [of(n, "retain").value for n in ("probability", "rouge_l_recall", "truth_ratio")]
    assert of("model_utility", "retain").value == pytest.approx(3 / sum(1 / p for p in parts))
    assert of("model_utility", "retain").n == 12
    wider = {**world(), "world": world(3)["retain"]}
    more = [of(n, "world", wider).value for n in ("probability", "rouge_l_recall", "truth_ratio")]
    found = of("model_utility", "retain", wider)
    assert found.value == pytest.approx(6 / sum(1 / p for p in parts + more))
    assert "truth_ratio on world" in found.note
    groups = world()
    groups["retain"] = [replace(r, rouge_l_recall=0.0) for r in groups["retain"]]
    assert of("model_utility", "retain", groups).value == 0
    groups["retain"] = [r for r in groups["retain"] if r.kind == "answer"]
    assert of("model_utility", "retain", groups).value is None
    assert "perturbed_answer" in of("model_utility", "retain", groups).note


def test_forget_quality_is_the_ks_test():
    from scipy.stats import ks_2samp

    ours, theirs = world(0), world(1, shift=-1.0)
    samples = [list(truth_ratios(g["forget"]).values()) for g in (ours, theirs)]
    expected = ks_2samp(*samples)
    found = compare(ours, theirs)
    assert found["forget_quality"].value == pytest.approx(expected.pvalue)
    assert "never alone" in found["forget_quality"].note
    log10 = math.log10(expected.pvalue)
    assert found["forget_quality_log10"].value == pytest.approx(log10)


def test_a_model_compared_with_itself():
    same = compare(world(), world())
    assert same["forget_quality"].value == 1
    assert same["utility_ratio"].value == 1
    for name in ("probability_gap", "membership_auc_loss_gap", "privleak"):
        assert same[name].value == 0


def test_privleak_has_the_sign_of_muse():
    """Below 0 when the forget answers still stand out, above 0 when they are over-forgotten."""
    even = {
        "forget": [row(str(k), [-1.0 - k]) for k in range(4)],
        "holdout": [row(str(k), [-1.0 - k]) for k in range(4)],
    }
    known = {**even, "forget": [row(str(k), [-0.001]) for k in range(4)]}
    gone = {**even, "forget": [row(str(k), [-9.0]) for k in range(4)]}
    assert compare(known, even)["privleak"].value < -50
    assert compare(gone, even)["privleak"].value == pytest.approx(100)


def test_comparisons_without_their_references():
    bare = {"forget": [row("a", [-1.0])], "retain": [row("b", [-1.0])]}
    for name, score in compare(bare, bare).items():
        if name not in ("probability_gap", "closeness_privacy"):
            assert score.value is None, name
            assert score.note.startswith("not measurable: "), name


def test_windows_of_a_long_text_are_one_answer():
    """In the order of their numbers (10 after 2), wherever they stand."""
    seen = [True, False] + [True] * 10
    parts = [(f"forget-0/{k}" if k > 1 else "forget-0", hit) for k, hit in enumerate(seen, 1)]
    cut = [row(id, [-1.0 * k], hits=(hit,)) for k, (id, hit) in enumerate(parts, 1)]
    whole = [row("forget-0", [-1.0 * k for k in range(1, 13)], hits=tuple(seen))]
    other = row("forget-1", [-4.0])
    assert of("extraction_strength", groups={"forget": whole}).value == pytest.approx(10 / 12)
    for rows in (cut, cut[::-1], sorted(cut, key=lambda r: r.id)):
        for name in ("probability", "perplexity", "exact_memorization", "extraction_strength"):
            joined, expected = ([*x, other] for x in (rows, whole))
            assert of(name, groups={"forget": joined}) == of(name, groups={"forget": expected})


def test_a_slash_in_an_id_need_not_be_a_window():
    rows = [row("a/x", [-1.0]), row("a/y", [-2.0]), row("/3", [-3.0])]
    assert of("probability", groups={"forget": rows}).n == 3


EMPTY = {
    "hits": ("exact_memorization", "extraction_strength"),
    "means": ("membership_auc_min_k_plus_plus",),
    "spreads": ("membership_auc_min_k_plus_plus",),
    "zlib": ("membership_auc_zlib",),
}


@pytest.mark.parametrize("field", EMPTY)
def test_a_field_that_was_not_filled_is_named(field):
    groups = world()
    groups["forget"][0] = replace(groups["forget"][0], **{field: 0 if field == "zlib" else ()})
    for name, score in score_model(groups)["forget"].items():
        assert (score.value is None) == (name in EMPTY[field]), name
        assert name not in EMPTY[field] or f"no `{field}`" in score.note


def test_answers_without_a_token_are_left_out():
    groups = world()
    expected = score_model(groups)["forget"]
    groups["forget"].append(Row(id="forget-99", logps=()))
    groups["forget"].append(Row(id="forget-0", kind="perturbed", index=9, logps=()))
    assert score_model(groups)["forget"] == expected
    only = score_model({"forget": [Row(id="forget-99", logps=())]})["forget"]
    assert {score.note for score in only.values()} == {"not measurable: no examples in this group"}


@pytest.mark.parametrize("bad", [math.nan, -math.inf])
def test_broken_models_never_give_a_broken_number(bad):
    groups = world()
    groups["forget"] = [replace(r, logps=(bad, *r.logps[1:])) for r in groups["forget"]]
    scores = {**score_model(groups)["forget"], **compare(groups, world())}
    for name, score in scores.items():
        numbers = [x for x in (score.value, score.low, score.high) if x is not None]
        assert all(map(math.isfinite, numbers)), name
        assert numbers or score.note.startswith("not measurable"), name
    if math.isnan(bad):
        for name in ("probability", "truth_ratio", "membership_auc_loss", "forget_quality"):
            assert scores[name].note == "not measurable: the value is nan", name


@pytest.mark.parametrize("name", list(METRICS))
def test_every_metric(name):
    """It explains itself, the order of rows changes nothing, and no group is no error."""
    found = METRICS.get(name)
    assert len(found.help) > 20
    assert {found.should_be(g) for g in ("forget", "retain", "holdout", "anything")} <= DIRECTIONS
    assert found.function.__doc__
    group = (found.groups or ("forget",))[0]
    groups = world()
    before = found(group, groups)
    assert before.value is not None
    assert before.n > 0
    mixed = {name: random.Random(3).sample(rows, len(rows)) for name, rows in groups.items()}
    after = found(group, mixed)
    assert after.value == pytest.approx(before.value, rel=1e-12)
    if before.low is not None:
        assert before.low <= before.value <= before.high
        assert (after.low, after.high) == pytest.approx((before.low, before.high), rel=1e-12)
    for nothing in ({}, {group: []}):
        assert found(group, nothing).note.startswith("not measurable")


@pytest.mark.parametrize("name", list(COMPARISONS))
def test_every_comparison(name):
    comparison = COMPARISONS.get(name)
    assert len(comparison.help) > 20
    assert comparison.should_be
    assert comparison.function.__doc__
    groups, other, original = world(), world(1), world(2)
    before = compare(groups, other, original=original)[name]
    if "there is no metric `fluency`" in before.note:
        pytest.skip("needs the fluency metric")
    assert before.value is not None
    mixed = {name: random.Random(3).sample(rows, len(rows)) for name, rows in groups.items()}
    found = compare(mixed, other, original=original)[name]
    assert found.value == pytest.approx(before.value, rel=1e-9)
    for nothing in ({}, {"forget": [], "retain": []}):
        assert compare(nothing, nothing)[name].note.startswith("not measurable")
