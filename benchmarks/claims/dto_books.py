"""The KL on the tokens that are not targets hurts on books."""

from claim import Claim

CLAIM = Claim(
    title="DTO: the KL on other tokens hurts on books",
    paper="dto",
    where="an ablation of the paper on MUSE, told by a review",
    says="Where running text is to be forgotten word by word, holding the other tokens keeps it.",
    protocol="",
    judge=lambda found: [],
    untested="neither MUSE's books nor a model that was trained on them was at hand. The demo's "
    "worlds have questions and answers alone.",
)
