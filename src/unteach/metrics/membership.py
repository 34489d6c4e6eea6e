"""Membership inference: tell from the model's scores that it was trained on the forget set."""

from collections.abc import Callable

from unteach.metrics._base import LIKENESS, metric
from unteach.metrics.papers import EXTRACTION
from unteach.metrics.roc import auc, tpr
from unteach.metrics.rows import MissingRows, ModelCase, answers, mean_logp, read
from unteach.types import Paper, Score

MembershipScore = Callable[[str, ModelCase], list[float]]

LOSS = Paper(
    title="Privacy Risk in Machine Learning: Analyzing the Connection to Overfitting",
    authors="Samuel Yeom and Irene Giacomelli and Matt Fredrikson and Somesh Jha",
    year=2017,
    arxiv="1709.01604",
    where="the loss attack",
    venue="CSF 2018",
)
MIN_K = Paper(
    title="Detecting Pretraining Data from Large Language Models",
    authors="Weijia Shi and Anirudh Ajith and Mengzhou Xia and Yangsibo Huang and Daogao Liu and "
    "Terra Blevins and Danqi Chen and Luke Zettlemoyer",
    year=2023,
    arxiv="2310.16789",
    where="Min-K% Prob",
    venue="ICLR 2024",
)
MIN_K_PLUS = Paper(
    title="Min-K%++: Improved Baseline for Detecting Pre-Training Data from Large Language Models",
    authors="Jingyang Zhang and Jingwei Sun and Eric Yeats and Yang Ouyang and Martin Kuo and "
    "Jianyi Zhang and Hao Frank Yang and Hai Li",
    year=2024,
    arxiv="2404.02936",
    where="Min-K%++",
    venue="ICLR 2025",
)
JEOPARDY = Paper(
    title="When Machine Unlearning Jeopardizes Privacy",
    authors="Min Chen and Zhikun Zhang and Tianhao Wang and Michael Backes and Mathias Humbert and "
    "Yang Zhang",
    year=2020,
    arxiv="2005.02205",
    where="the attack on the original and the unlearned model together",
    venue="CCS 2021",
)
GRADIENT = Paper(
    title="Pandora's White-Box: Precise Training Data Detection and Extraction in Large Language "
    "Models",
    authors="Jeffrey G. Wang and Jason Wang and Marvin Li and Seth Neel",
    year=2024,
    arxiv="2402.17012",
    where="the gradient norm attack",
)
ABOUT = "1: forget answers stand out from texts never seen; 0.5: they do not; 0: over-forgotten"
TPR = "TPR at 1% FPR: found by a threshold that n // 100 of the n holdout texts are above."
FOUND = "share of the forget answers that are told from texts never seen, at 1 false alarm in 100"
LIKE = (
    "near 0.5 where holdout is like the forget set; elsewhere as far from it as the two differ",
    "near (n // 100 + 1) / (n + 1) for n holdout texts like the forget set: 0.0125 for 400, 0.02 "
    "for 50",
)
BROKEN = (
    "a model that is broken everywhere has about 0.5: nothing stands out",
    "a model that is broken everywhere, and one that is over-forgotten, have about 0",
)


def membership_score(
    name: str,
    how: str,
    paper: Paper,
    retrained: tuple[str, str] = LIKE,
    gaming: tuple[str, str] = BROKEN,
) -> Callable[[MembershipScore], MembershipScore]:
    """Register an attack as two metrics: `membership_auc_NAME` and `membership_tpr_NAME`.

    Args:
        name: of the attack.
        how: what it compares, in words.
        paper: its source.
        retrained: what a retrained model scores on each of the two.
        gaming: how a useless model scores well on each of the two.
    """

    def register(scores: MembershipScore) -> MembershipScore:
        def area(group: str, case: ModelCase) -> Score:
            return auc(scores(group, case), others(scores, case))

        def start(group: str, case: ModelCase) -> Score:
            return tpr(scores(group, case), others(scores, case))

        area.__doc__ = f"AUC, forget against holdout. {scores.__doc__}"
        start.__doc__ = f"{TPR} {scores.__doc__}"
        facts = {"direction": LIKENESS, "groups": ("forget",), "paper": paper}
        metric(
            f"membership_auc_{name}",
            help=f"{ABOUT} ({how})",
            retrained=retrained[0],
            gaming=gaming[0],
            **facts,
        )(area)
        metric(
            f"membership_tpr_{name}",
            help=f"{FOUND} ({how})",
            retrained=retrained[1],
            gaming=gaming[1],
            **facts,
        )(start)
        return scores

    return register


def others(scores: MembershipScore, case: ModelCase) -> list[float]:
    """The scores of the holdout set. Raises MissingRows when there is none."""
    if not case.model.get("holdout"):
        raise MissingRows("no holdout set is given (texts like the forget set, never trained on)")
    return scores("holdout", case)


@membership_score("loss", "by their probability", LOSS)
def by_loss(group: str, case: ModelCase) -> list[float]:
    """The score is the mean log-probability.

    Example:
        >>> from unteach.types import Row
        >>> by_loss("forget", ModelCase({"forget": [Row(id="a", tokens=2, logp=-1.5)]}))
        [-1.5]
    """
    return [mean_logp(row) for row in answers(case.model, group)]


@membership_score("zlib", "by probability against how far the text compresses", EXTRACTION)
def by_zlib(group: str, case: ModelCase) -> list[float]:
    """The score is the mean log-probability per token divided by the text's zlib size in bytes.

    As in the paper: log perplexity over zlib entropy. The divisor grows with the text, so of two
    equally likely texts the longer one looks more like a member; the comparison is fair if forget
    and holdout texts have the same length.

    Example:
        >>> from unteach.types import Row
        >>> by_zlib("forget", ModelCase({"forget": [Row(id="a", tokens=2, logp=-1.5, zlib=30)]}))
        [-0.05]
    """
    rows = answers(case.model, group, "zlib")
    return [mean_logp(row) / size for row, size in zip(rows, read(rows, "zlib"), strict=True)]


@membership_score("min_k", "by their least likely tokens", MIN_K)
def by_min_k(group: str, case: ModelCase) -> list[float]:
    """The score is the mean log-probability of the least likely fifth of the tokens.

    Example:
        >>> from unteach.types import Row
        >>> row = Row(id="a", tokens=4, logp=-2.0, min_k=-5.0)
        >>> by_min_k("forget", ModelCase({"forget": [row]}))
        [-5.0]
    """
    return read(answers(case.model, group, "min_k"), "min_k")


@membership_score(
    "min_k_plus_plus",
    "by their least likely tokens, each against what was to be expected",
    MIN_K_PLUS,
)
def by_min_k_plus_plus(group: str, case: ModelCase) -> list[float]:
    """The score is that of Min-K%, with each token's log p standardised over the vocabulary.

    Example:
        >>> from unteach.types import Row
        >>> row = Row(id="a", tokens=4, logp=-1.5, min_k_plus_plus=1.0)
        >>> by_min_k_plus_plus("forget", ModelCase({"forget": [row]}))
        [1.0]
    """
    return read(answers(case.model, group, "min_k_plus_plus"), "min_k_plus_plus")


@membership_score(
    "reference",
    "by how their probability changed, for who has the original too",
    JEOPARDY,
    (
        "near 0: it lost what the original knew, and holdout it never knew",
        "near 0, likewise",
    ),
    (
        "a model that is broken everywhere is near 0 too: it lost most where most was known",
        "likewise",
    ),
)
def by_reference(group: str, case: ModelCase) -> list[float]:
    """The score is the mean log-probability under the model minus that under the original.

    Example:
        >>> from unteach.types import Row
        >>> now, then = ({"forget": [Row(id="a", tokens=1, logp=logp)]} for logp in (-3.0, -1.0))
        >>> by_reference("forget", ModelCase(now, original=then))
        [-2.0]
    """
    before = {row.id: mean_logp(row) for row in answers(case.beside("original"), group)}
    now = {row.id: mean_logp(row) for row in answers(case.model, group)}
    if now.keys() != before.keys():
        raise MissingRows(f"the original was not asked the same in `{group}`; evaluate both anew")
    return [now[id] - before[id] for id in now]


@membership_score("gradient_norm", "by how much the model would still learn from them", GRADIENT)
def by_gradient_norm(group: str, case: ModelCase) -> list[float]:
    """The score is the negative norm of the gradient of the answer's mean loss.

    Example:
        >>> from unteach.types import Row
        >>> row = Row(id="a", tokens=4, logp=-1.0, gradient_norm=0.5)
        >>> by_gradient_norm("forget", ModelCase({"forget": [row]}))
        [-0.5]
    """
    rows = answers(case.model, group)
    if all(row.gradient_norm is None for row in rows):
        raise MissingRows("gradients were not asked for when the model was evaluated")
    return [-norm for norm in read(answers(case.model, group, "gradient_norm"), "gradient_norm")]
