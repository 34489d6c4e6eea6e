"""Closeness: its definition a second time, and what it must and must not reward."""

import math
import random
from dataclasses import replace

import pytest
from scipy.stats import wasserstein_distance
from worlds import told

from unteach.metrics import COMPARISONS, ModelCase
from unteach.suites.rivals import beside_wrong

N = 40
NEVER, KNOWN = -1.6, -0.05  # nats per token: of a text never seen, and of one known by heart
KNOWS = {"forget": NEVER, "retain": KNOWN, "holdout": NEVER, "world": KNOWN}
NAMES = ("closeness", "closeness_forget", "closeness_privacy", "closeness_kept")


def one(id, logp, rng, *, said=None):
    """Rows of one example: an answer, its paraphrase, three wrong answers."""
    tokens = [min(logp * rng.uniform(0.5, 1.5), -1e-9) for _ in range(12)]
    hits = tuple(math.exp(x) > 0.35 for x in tokens)
    sure = math.exp(logp) if said is None else said
    more = {"hits": hits, "means": (-3.0,) * 12, "spreads": (1.5,) * 12, "zlib": 30}
    own = told(id=id, logps=tuple(tokens), rouge_l_recall=sure, fact_given=sure > 0.5, **more)
    rows = [own, told(id=id, kind="paraphrase", logps=(logp - 0.1,))]
    wrong = [NEVER - 0.2 + rng.uniform(-0.3, 0.3) for _ in range(3)]
    rows += [told(id=id, kind="perturbed", index=k, logps=(x,)) for k, x in enumerate(wrong)]
    return beside_wrong(rows)


def model(seed, levels, *, n=N, noise=0.1, said=None, world=0):
    """A model that gives each group about that log-probability; examples differ in hardness."""
    rng = random.Random(seed)
    groups = {}
    for group, level in levels.items():
        groups[group] = []
        for k in range(n):
            hard = random.Random(f"{world} {group} {k}").gauss(0, 0.35)  # the same for every model
            target = level(k) if callable(level) else level
            logp = min(target * math.exp(hard + rng.gauss(0, noise)), -1e-6)
            groups[group] += one(f"{group}-{k}", logp, rng, said=said)
    return groups


ORIGINAL = model(1, {**KNOWS, "forget": KNOWN})
RETRAINED = model(2, KNOWS)


def score(groups, name="closeness", **beside):
    beside = {"original": ORIGINAL, "retrained": RETRAINED, **beside}
    return COMPARISONS.get(name)(ModelCase(groups, **beside))


def value(groups, name="closeness", **beside):
    found = score(groups, name, **beside).value
    assert found is not None, score(groups, name, **beside).note
    return found


def test_the_retrained_model_is_near_itself_and_the_original_is_not():
    assert [value(RETRAINED, name) for name in NAMES] == pytest.approx([1, 1, 1, 1])
    assert value(ORIGINAL) == 0
    assert value(ORIGINAL, "closeness_kept") > 0.95


def test_a_second_retrained_model_is_near_1_with_40_examples():
    found = [value(model(seed, KNOWS)) for seed in range(10, 15)]
    assert min(found) > 0.88, found


@pytest.mark.parametrize(("what", "levels"), [
    ("broken", dict.fromkeys(KNOWS, -12.0)),
    ("half broken", {**KNOWS, "retain": -6.0, "world": -6.0}),
    ("over-forgotten", {**KNOWS, "forget": -9.0}),
    ("only one group kept", {**KNOWS, "world": -9.0}),
    ("knows the holdout too", {**KNOWS, "forget": KNOWN, "holdout": KNOWN}),
])  # fmt: skip
def test_what_is_wrong_anywhere_is_near_0(what, levels):
    assert value(model(3, levels)) < 0.1, what


def test_to_lose_one_group_as_if_never_learned_is_not_near():
    lost = model(3, {**KNOWS, "retain": NEVER})
    assert value(lost) < 0.35
    assert value(lost, "closeness_forget") > 0.9  # which alone would not tell


def test_one_that_refuses_everything_is_not_near():
    """It knows all that it knew, and says nothing of it."""
    groups = {
        group: [replace(row, rouge_l_recall=0.0, fact_given=False) if row.kind == "answer" else row
                for row in rows]
        for group, rows in ORIGINAL.items()
    }  # fmt: skip
    assert value(groups) < 0.1


def test_noise_on_the_original_does_not_help():
    """It takes from all that was learned alike."""
    for level in (-0.3, -0.8, NEVER, -4.0):
        noisy = model(4, {**dict.fromkeys(KNOWS, level), "holdout": NEVER + level}, noise=0.5)
        assert value(noisy) < 0.4


def test_matching_the_means_alone_does_not_help():
    """Some of the forget answers known by heart, the others driven away: the right mean."""
    mean = sum(math.exp(r.logp) for r in RETRAINED["forget"] if r.kind == "answer") / N
    share = mean / math.exp(KNOWN)
    known = round(share * N)
    found = model(5, {**KNOWS, "forget": lambda k: KNOWN if k < known else -12.0})
    ours = sum(math.exp(r.logp) for r in found["forget"] if r.kind == "answer") / N
    assert ours == pytest.approx(mean, abs=0.05)
    assert value(found) < value(model(5, KNOWS)) - 0.25
    halves = model(5, {**KNOWS, "forget": lambda k: KNOWN if k % 2 else -12.0})
    assert value(halves, "closeness_privacy") < 0.65  # the AUCs alone would say it is near


def test_too_far_costs_what_too_little_costs():
    """A forget answer that moves by as much either way from the retrained model's value."""
    flat = {"hits": (True,), "means": (-3.0,), "spreads": (1.0,), "zlib": 9}

    def at(p):
        rows = [told(id=f"f{k}", logps=(math.log(p),), **flat) for k in range(N)]
        return {"forget": rows, "retain": [replace(row, id=f"r{row.id}") for row in rows]}

    for gap in (0.1, 0.2, 0.4):
        found = [
            value(at(0.5 + sign * gap), "closeness_forget", original=at(0.9), retrained=at(0.5))
            for sign in (-1, 1)
        ]
        # one number that moves, span 0.4; what is known token for token does not
        assert found == pytest.approx([1 - gap / 0.4] * 2)


def test_privacy_is_0_at_both_ends():
    for far in (KNOWN / 50, -30.0):
        assert value(model(6, {**KNOWS, "forget": far}), "closeness_privacy") < 0.15
    between = [value(model(6, {**KNOWS, "forget": x}), "closeness_privacy") for x in (-1.1, -2.3)]
    assert all(0.3 < x < 0.9 for x in between), between


def test_over_forgetting_shows_where_probabilities_are_all_0():
    """Long answers that a retrained model gives 1e-6 per token, and one that gives far less."""
    far = {**KNOWS, "forget": math.log(1e-6), "holdout": math.log(1e-6)}
    original, retrained = model(1, {**far, "forget": KNOWN}), model(2, far)
    beside = {"original": original, "retrained": retrained}
    assert value(model(3, far), **beside) > 0.85
    assert value(model(3, {**far, "forget": -40.0}), **beside) < 0.15
    assert value(original, **beside) < 0.02


def test_the_definition_written_again():
    groups, at = model(7, {**KNOWS, "forget": -0.7}), {}
    for name, rows in (("m", groups), ("o", ORIGINAL), ("r", RETRAINED)):
        at[name] = {group: numbers(found) for group, found in rows.items()}

    def between(a, b, group):
        return sum(wasserstein_distance(at[a][group][q], at[b][group][q]) for q in at[a][group])

    forget = 1 - between("m", "r", "forget") / between("o", "r", "forget")
    kept = []
    for group in ("retain", "holdout", "world"):
        kept.append(1 - between("m", "r", group) / between("o", "r", "forget"))
    assert value(groups, "closeness_forget") == pytest.approx(forget)
    assert value(groups, "closeness_kept") == pytest.approx(3 / sum(1 / x for x in kept))
    places = [below(rows) for rows in (groups, RETRAINED)]
    lost = []
    for ours, theirs in zip(*places, strict=True):
        auc, gaps = (
            sum(theirs) / N,
            [a - b for a, b in zip(sorted(ours), sorted(theirs), strict=True)],
        )
        up, down = (sum(max(sign * x, 0) for x in gaps) / N for sign in (1, -1))
        assert up + down == pytest.approx(wasserstein_distance(ours, theirs))
        lost.append(up / (1 - auc) + down / auc)
    privacy = 1 - sum(lost) / 4
    assert value(groups, "closeness_privacy") == pytest.approx(privacy)
    parts = (forget, privacy, 3 / sum(1 / x for x in kept))
    assert value(groups) == pytest.approx(3 / sum(1 / x for x in parts))


def numbers(rows):
    """Each number's values, examples in any order, in plain Python."""
    found = {"p": [], "extracted": [], "exact": [], "rouge": [], "fact": [], "para": [], "tr": []}
    for id in {row.id for row in rows}:
        mine = [row for row in rows if row.id == id]
        (own,) = (row for row in mine if row.kind == "answer")
        (para,) = (math.exp(row.scores.logps[0]) for row in mine if row.kind == "paraphrase")
        wrong = [math.exp(row.scores.logps[0]) for row in mine if row.kind == "perturbed"]
        found["p"].append(math.exp(sum(own.scores.logps) / 12))
        found["extracted"].append(max(k for k in range(13) if all(own.scores.hits[12 - k :])) / 12)
        found["exact"].append(sum(own.scores.hits) / 12)
        found["rouge"].append(own.rouge_l_recall)
        found["fact"].append(float(own.fact_given))
        found["para"].append(para)
        found["tr"].append(para / (para + sum(wrong) / 3))
    return found


def below(groups):
    """Share of the holdout below each forget answer, for each attack."""

    def of(row):
        logps = row.scores.logps
        low = sum(sorted(logps)[:2]) / 2
        return sum(logps) / 12, sum(logps) / 12 / 30, low, (low + 3) / 1.5

    members, others = (
        [of(row) for row in groups[group] if row.kind == "answer"]
        for group in ("forget", "holdout")
    )
    return [[sum(o[k] < m[k] for o in others) / len(others) for m in members] for k in range(4)]


def test_the_order_of_rows_changes_nothing():
    shuffled = {group: random.Random(0).sample(rows, len(rows)) for group, rows in ORIGINAL.items()}
    found = model(8, {**KNOWS, "forget": -0.8})
    turned = dict(reversed([(g, rows[::-1]) for g, rows in found.items()]))
    assert score(found) == score(turned, original=shuffled)


def test_without_a_holdout_the_forget_answers_are_ranked_among_themselves():
    def bare(groups):
        return {group: rows for group, rows in groups.items() if group != "holdout"}

    beside = {"original": bare(ORIGINAL), "retrained": bare(RETRAINED)}
    found = {name: score(bare(groups), "closeness_privacy", **beside) for name, groups in
             (("again", model(9, KNOWS)), ("far", model(9, {**KNOWS, "forget": -9.0})),
              ("original", ORIGINAL))}  # fmt: skip
    assert found["again"].value > 0.8
    assert found["far"].value < 0.1
    assert found["original"].value < 0.1
    assert "no holdout set" in found["again"].note
    assert "no holdout set" in score(bare(model(9, KNOWS)), **beside).note


def test_the_interval_holds_what_other_examples_would_say():
    """Of 30 worlds of 40 examples, about 95% of the intervals hold the mean of all the scores."""

    def world(k):
        levels, part = {"forget": NEVER, "holdout": NEVER}, {"forget": -0.9, "holdout": NEVER}
        names = (({**levels, "forget": KNOWN}, 1), (levels, 2), (part, 3))
        original, retrained, found = (
            model(1000 * k + seed, wanted, world=k) for wanted, seed in names
        )
        beside = {"original": original, "retrained": retrained}
        return [score(found, name, **beside) for name in ("closeness_forget", "closeness_privacy")]

    for scores in zip(*map(world, range(30)), strict=True):
        mean = sum(s.value for s in scores) / 30
        assert 25 <= sum(s.low <= mean <= s.high for s in scores) <= 30
        assert all(0 <= s.low <= s.value <= s.high <= 1 for s in scores)
    assert score(RETRAINED).low is None  # all draws agree


@pytest.mark.parametrize(("groups", "beside", "why"), [
    (RETRAINED, {"retrained": None}, "no retrained model is given"),
    (RETRAINED, {"original": None}, "no original model is given"),
    (RETRAINED, {"original": RETRAINED}, "there was nothing to forget"),
    ({}, {}, "no examples to forget"),
    ({"forget": RETRAINED["forget"], "holdout": RETRAINED["holdout"][5:]}, {}, "not asked the"),
    (model(2, {"forget": math.nan}), {}, "nan"),
])  # fmt: skip
def test_what_is_missing_is_said(groups, beside, why):
    found = score(groups, **beside)
    assert found.value is None
    assert found.note.startswith("not measurable: ")
    assert why in found.note


def test_groups_of_other_suites():
    """`knowmem` is forgotten, `knowmem_retain` kept; one that only spoke has no attack."""

    def renamed(groups):
        nothing = {"tokens": 0, "logp": None, "matched": None, "strength": None}
        nothing["truth_ratio"] = None
        spoken = [replace(row, **nothing) for row in groups["forget"] if row.kind == "answer"]
        return {**groups, "knowmem": spoken}

    beside = {"original": renamed(ORIGINAL), "retrained": renamed(RETRAINED)}
    assert value(renamed(RETRAINED), **beside) == 1
    assert value(renamed(ORIGINAL), **beside) == 0
    assert score(renamed(RETRAINED), "closeness_forget", **beside).n == 2 * N
