"""What a model said, beside what was expected, and by itself."""

import re
from functools import cache
from typing import Any, NamedTuple

from unteach.suites._base import until


class RougeOverlap(NamedTuple):
    """ROUGE-L of what was said against what was expected."""

    recall: float
    f1: float


def rouge_l(said: str, expected: str, *, stemmed: bool = True) -> RougeOverlap:
    """Words that stand in both in the same order: as a share of the expected, and ROUGE-L F1.

    Of `rouge-score` (Lin, 2004).

    Args:
        said: what the model said.
        expected: the given answer.
        stemmed: words are alike when their stems are.

    Example:
        The longest common subsequence is "red house", 2 of 3 words of each, F1 is 2 / 3.

        >>> rouge_l("the red house", "a red houses")
        Overlap(recall=0.6666666666666666, f1=0.6666666666666666)
        >>> rouge_l("the red house", "a red houses", stemmed=False).f1
        0.3333333333333333
    """
    found = _scorer(stemmed).score(expected, said)["rougeL"]
    return RougeOverlap(float(found.recall), float(found.fmeasure))


@cache
def _scorer(stemmed: bool) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=stemmed)


def gives(said: str, fact: str) -> bool:
    """Whether the fact stands in what was said as whole words, whatever the case and the spacing.

    Example:
        >>> gives("She lives in  new York.", "New York"), gives("a washed coat", "ash")
        (True, False)
    """
    fact, said = (" ".join(text.casefold().split()) for text in (fact, said))
    return re.search(rf"(?<!\w){re.escape(fact)}(?!\w)", said) is not None


def repetition(said: str) -> float | None:
    """Share of its 4-grams of words that stood in it before; None when it has none.

    Words are what blanks part. A text that says one thing over and over comes near 1.

    Example:
        The 4-grams of seven words are four: abab, baba, abab, baba; two stood there before.

        >>> repetition("a b a b a b a"), repetition("too few words")
        (0.5, None)
    """
    words = said.split()
    grams = [tuple(words[k : k + 4]) for k in range(len(words) - 3)]
    return 1 - len(set(grams)) / len(grams) if grams else None


def distinct(said: str) -> float | None:
    """Distinct words over words; None when it has none.

    Example:
        >>> distinct("a b a b"), distinct(" ")
        (0.5, None)
    """
    words = said.split()
    return len(set(words)) / len(words) if words else None


def decoded(ids: list[int], tokenizer: Any, stop: tuple[str, ...] = ()) -> tuple[str, list[int]]:
    """Tokens as text, cut where it stops, and the tokens that lie whole in that text.

    Args:
        ids: what the model said.
        tokenizer: its tokenizer.
        stop: texts before which an answer ends.
    """
    text = tokenizer.decode(ids, skip_special_tokens=True)
    kept = until(text, stop)
    if kept == text:
        return text, ids
    whole = [
        size
        for size in range(len(ids) + 1)
        if kept.startswith(tokenizer.decode(ids[:size], skip_special_tokens=True))
    ]
    return kept, ids[: max(whole, default=0)]


def begun(text: str, tokenizer: Any, count: int | None) -> str:
    """The first tokens of a text, as text; all of it without a count."""
    if count is None:
        return text
    ids = tokenizer(text, add_special_tokens=False)["input_ids"][:count]
    return tokenizer.decode(ids, skip_special_tokens=True)
