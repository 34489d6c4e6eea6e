"""OpenUnlearning's aggregate score of memorisation, privacy and utility (arXiv 2506.12618).

We know no public code of it, and have not reproduced any of its published numbers with this.
"""

from collections.abc import Callable, Mapping

from unteach.metrics._base import METRICS, Metric, comparison
from unteach.metrics._values import shown
from unteach.metrics.intervals import mean_score
from unteach.metrics.papers import OPEN_UNLEARNING
from unteach.metrics.rows import Groups, MissingRows, ModelCase
from unteach.metrics.utility import harmonic_mean
from unteach.types import Score

AGGREGATE_VERSION = 1  # raised whenever a number could change

ATTACKS = ("loss", "zlib", "min_k", "min_k_plus_plus")
UTILITY = (("model_utility", "retain"), ("knowledge_memorization", "knowmem_retain"))
FLUENCY = ("fluency", "forget")


@comparison(
    "aggregate_memorization",
    help="how little of the forget answers is left (1: nothing; harmonic mean of 1 - extraction "
    "strength, 1 - exact memorisation, 1 - probability of the paraphrase, 1 - truth ratio)",
    should_be="as retrained",
    needs=(),
    retrained="well below 1: a model that never saw them guesses some tokens, so it is not the "
    "best there is",
    gaming="a broken model has nearly 1",
    paper=OPEN_UNLEARNING,
)
def aggregate_memorization(case: ModelCase) -> Score:
    """Harmonic mean of four values, each 1 minus a mean over the forget answers.

    The truth ratio is the share p / (p + wrong) of the right answer, between 0 and 1.
    """
    found = shown(case.model.get("forget", []))
    parts = {
        name: _whole(found, name)
        for name in ("extraction_strength", "exact_memorization", "paraphrase_probability",
                     "truth_ratio_share")
    }  # fmt: skip
    left = [1 - (score.value or 0.0) for score in parts.values()]
    return Score(harmonic_mean(left), min(score.n for score in parts.values()))


@comparison(
    "aggregate_privacy",
    help="how near four membership attacks are to what they get from the retrained model",
    should_be="high",
    retrained="near 1",
    gaming="a model that is equally broken everywhere gives nothing away; and with a retrained AUC "
    "above 0.5 the original keeps some of it",
    paper=OPEN_UNLEARNING,
)
def aggregate_privacy(case: ModelCase) -> Score:
    """Harmonic mean over the attacks of 1 - |AUC - AUC retrained| / AUC retrained, at least 0.

    Our Min-K% and Min-K%++ use the least likely 20% of the tokens, OpenUnlearning's 40%.

    Others divide by |AUC original - AUC retrained|, which gives the original 0.
    """
    found = []
    for attack in ATTACKS:
        metric = METRICS.get(f"membership_auc_{attack}")
        ours = _value(metric, "forget", case.model, case)
        theirs = _value(metric, "forget", case.beside("retrained"), case)
        if not theirs.value:
            raise MissingRows(f"the retrained model's {metric.name} is 0")
        found.append((closeness_of(ours.value or 0.0, theirs.value), ours.n))
    return Score(harmonic_mean([value for value, _ in found]), found[0][1])


@comparison(
    "aggregate_utility",
    help="what is left of utility and fluency, each as a share of the original's and at most 1",
    should_be="high",
    needs=("original",),
    retrained="near 1",
    gaming="the original has 1",
    paper=OPEN_UNLEARNING,
)
def aggregate_utility(case: ModelCase) -> Score:
    """Harmonic mean of the two shares.

    Utility is TOFU's model utility, or MUSE's knowledge memorisation on retain. Fluency is
    unteach's own metric; the paper uses a classifier.
    """
    original = case.beside("original")
    utility = next(
        ((name, group) for name, group in UTILITY if name in METRICS and case.model.get(group)),
        UTILITY[0],
    )
    shares = []
    for name, group in (utility, FLUENCY):
        if name not in METRICS:
            raise MissingRows(f"there is no metric `{name}`")
        ours = _value(METRICS.get(name), group, case.model, case)
        before = _value(METRICS.get(name), group, original, case)
        if not before.value:
            raise MissingRows(f"the original's {name} is 0")
        shares.append((min((ours.value or 0.0) / before.value, 1.0), ours.n))
    return Score(harmonic_mean([share for share, _ in shares]), min(n for _, n in shares))


PARTS: Mapping[str, Callable[[ModelCase], Score]] = {
    "memorization": aggregate_memorization,
    "privacy": aggregate_privacy,
    "utility": aggregate_utility,
}


@comparison(
    "aggregate",
    help="harmonic mean of aggregate_memorization, aggregate_privacy and aggregate_utility",
    should_be="high",
    needs=("original", "retrained"),
    retrained="below 1, as its memorisation is: a model can score above it",
    gaming="the first part rewards to forget more than was ever learned, and only the AUCs of the "
    "second tell on it",
    paper=OPEN_UNLEARNING,
)
def aggregate(case: ModelCase) -> Score:
    """Harmonic mean of the three; not measurable if one of them is not."""
    found, missing = [], []
    for name, part in PARTS.items():
        try:
            found.append(part(case))
        except MissingRows as why:
            missing.append(f"{name}: {why}")
    if missing:
        raise MissingRows("; ".join(missing))
    values = [score.value or 0.0 for score in found]
    return Score(harmonic_mean(values), min(score.n for score in found))


def closeness_of(auc: float, retrained: float) -> float:
    """1 - |AUC - AUC retrained| / AUC retrained, between 0 and 1 (the paper's s_MIA).

    Example:
        >>> closeness_of(0.5, 0.5), closeness_of(0.25, 0.5), closeness_of(1.0, 0.4)
        (1.0, 0.5, 0.0)
    """
    return min(max(1 - abs(auc - retrained) / retrained, 0.0), 1.0)


def _whole(found: dict[str, dict[str, float]], name: str) -> Score:
    if not found.get(name):
        raise MissingRows(f"no {name} on forget ({NEEDS[name]})")
    return mean_score(list(found[name].values()))


NEEDS = {
    "extraction_strength": "the rows do not have it; evaluate the model again",
    "exact_memorization": "the rows do not have it; evaluate the model again",
    "paraphrase_probability": "the forget data has no `paraphrased_answer` column",
    "truth_ratio_share": "the forget data has no `perturbed_answer` column (wrong answers)",
}


def _value(metric: Metric, group: str, rows: Groups, case: ModelCase) -> Score:
    """A metric of one of the models. Raises MissingRows when it has no value."""
    score = metric(group, ModelCase(rows, original=case.original))
    if score.value is None:
        reason = score.note.removeprefix("not measurable: ")
        raise MissingRows(f"{metric.name} on {group}: {reason}")
    return score
