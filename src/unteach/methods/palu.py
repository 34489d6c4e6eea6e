"""PALU: equalise the likeliest tokens' logits at the start of answers, keep the other tokens."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from unteach.losses import top_flattening
from unteach.losses.answer_rows import AnswerRows, Term
from unteach.methods._base import Method, method, option
from unteach.selectors import ReferenceOracle, Selection
from unteach.types import Paper, Sequence


@method("palu")
@dataclass(frozen=True, kw_only=True)
class PALU(Method):
    """Equalise the logits of the likeliest tokens at an answer's start, keep its other tokens.

    A model that gets the first tokens wrong does not generate the rest. So at the first 5 tokens of
    each answer the logits of the original's 50 likeliest tokens are moved to their mean, by the
    mean of the squared distances; the answer's other tokens get KL to the original. Given the true
    first tokens, the rest stays as likely as before: scores over single tokens fall little.

    With a `selector` it is the paper's method: the first tokens of each selected span are
    flattened, the span's other tokens get no gradient, and the tokens outside get KL. The authors
    let DistilBERT or GPT-4 mark the spans; `spans` are marked by you, and the other selectors find
    them (`unteach explain` shows which).

    Our reading: we know the equations from summaries of the paper. The target of the squared
    distance, which they call the local mean, is taken to be the mean of the model's own logits at
    these tokens.
    """

    selector: str = option(
        "prefix",
        "what begins with the flattened tokens: the answer, or selected spans of it",
        selectors=True,
    )
    selector_options: Mapping[str, Any] | None = option(
        None, "options of the selector itself, by name (`unteach selectors NAME` lists them)"
    )
    prefix: int = option(
        5, "how many tokens are flattened where the answer or a span begins", low=1
    )
    top_k: int = option(50, "how many of the original's likeliest tokens are flattened", low=2)
    hold: float = option(1.0, "weight of the KL on the tokens that are held", low=0)
    ratio: float = option(0.3, "share of the tokens that are chosen (subject)", above=0, tried=())
    pipeline: str = option(
        "en_core_web_sm", "the spaCy pipeline of entities and noun_chunks: a package or a folder"
    )

    paper: ClassVar = Paper(
        title="Maximizing Local Entropy Where It Matters: Prefix-Aware Localized LLM Unlearning",
        authors="Naixin Zhai and Pengyang Shao and Binbin Zheng and Yonghui Yang and Fei Shen and "
        "Long Bai and Xun Yang",
        year=2026,
        arxiv="2601.03190",
        where="local entropy maximisation on the onset of sensitive spans; our reading",
        venue="ACL 2026",
    )
    reads: ClassVar = frozenset({"reference_logits", "selected"})

    def forget(self, rows: AnswerRows) -> list[Term]:
        """Mean flattening loss over the first tokens, and mean KL over the other tokens."""
        values = top_flattening(
            rows.require_logits(), rows.require_reference_logits(), top_k=self.top_k
        )
        terms = [Term("forget", values * rows.require_selected(), "selected")]
        if self.hold:
            terms.append(Term("hold", rows.kl() * rows.unselected(), "unselected", self.hold))
        return terms

    def holds(self) -> bool:
        """Whether the other tokens get KL to the original."""
        return self.hold > 0

    def choose(
        self, sequences: list[Sequence], oracle: ReferenceOracle, seed: int
    ) -> Iterator[Selection]:
        """Yield the first tokens of each answer or span; a span's other tokens are ignored."""
        for choice in super().choose(sequences, oracle, seed):
            chosen = _firsts(sorted(choice.chosen), self.prefix)
            rest = choice.chosen - chosen if self.choosing() else frozenset()
            yield Selection(chosen, choice.ignored | rest)


def _firsts(positions: Iterable[int], count: int) -> frozenset[int]:
    """Return the first `count` positions of each run of consecutive positions.

    Example:
        >>> sorted(_firsts([3, 4, 5, 8, 9], 2))
        [3, 4, 8, 9]
    """
    firsts, begun, last = set(), 0, -2
    for position in positions:
        begun = begun if position == last + 1 else position
        if position < begun + count:
            firsts.add(position)
        last = position
    return frozenset(firsts)
