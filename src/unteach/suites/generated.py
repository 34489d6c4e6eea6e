"""Measure generated texts: ROUGE-L against the expected answer, repetition, distinct words."""

import re
from functools import cache
from typing import Any, NamedTuple

from unteach.suites._base import until


class RougeOverlap(NamedTuple):
    """ROUGE-L of a generated text against the expected answer."""

    recall: float
    f1: float


def rouge_l(said: str, expected: str, *, stemmed: bool = True) -> RougeOverlap:
    """ROUGE-L recall and F1 of a generated text, computed with `rouge-score` (Lin, 2004).

    Args:
        said: the generated text.
        expected: the given answer.
        stemmed: compare the stems of words.

    Example:
        The longest common subsequence is "red house", 2 of 3 words of each, F1 is 2 / 3.

        >>> rouge_l("the red house", "a red houses")
        RougeOverlap(recall=0.6666666666666666, f1=0.6666666666666666)
        >>> rouge_l("the red house", "a red houses", stemmed=False).f1
        0.3333333333333333
    """
    score = _scorer(stemmed).score(expected, said)["rougeL"]
    return RougeOverlap(float(score.recall), float(score.fmeasure))


@cache
def _scorer(stemmed: bool) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=stemmed)


def gives(said: str, fact: str) -> bool:
    """Whether a generated text contains the fact as whole words, ignoring case and spacing.

    Example:
        >>> gives("She lives in  new York.", "New York"), gives("a washed coat", "ash")
        (True, False)
    """
    fact, said = (" ".join(text.casefold().split()) for text in (fact, said))
    return re.search(rf"(?<!\w){re.escape(fact)}(?!\w)", said) is not None


def repetition(said: str) -> float | None:
    """Share of word 4-grams that already occurred in the text; None with fewer than 4 words.

    Words are separated by whitespace. A text that repeats one phrase many times comes near 1.

    Example:
        Seven words have four 4-grams: abab, baba, abab, baba; two of them are repeated.

        >>> repetition("a b a b a b a"), repetition("too few words")
        (0.5, None)
    """
    words = said.split()
    grams = [tuple(words[k : k + 4]) for k in range(len(words) - 3)]
    return 1 - len(set(grams)) / len(grams) if grams else None


def distinct(said: str) -> float | None:
    """Share of distinct words among all words; None for a text without words.

    Example:
        >>> distinct("a b a b"), distinct(" ")
        (0.5, None)
    """
    words = said.split()
    return len(set(words)) / len(words) if words else None


def decoded(ids: list[int], tokenizer: Any, stop: tuple[str, ...] = ()) -> tuple[str, list[int]]:
    """Decode token ids and cut the text at a stop string.

    Args:
        ids: generated token ids.
        tokenizer: of the model.
        stop: strings that end an answer.

    Returns:
        The text, and the longest prefix of the tokens that lies completely in it.
    """
    text = tokenizer.decode(ids, skip_special_tokens=True)
    kept = until(text, stop)
    if kept == text:
        return text, ids
    inside = [
        size
        for size in range(len(ids) + 1)
        if kept.startswith(tokenizer.decode(ids[:size], skip_special_tokens=True))
    ]
    return kept, ids[: max(inside, default=0)]


def begun(text: str, tokenizer: Any, count: int | None) -> str:
    """The first `count` tokens of a text, as text; None returns the text unchanged."""
    if count is None:
        return text
    ids = tokenizer(text, add_special_tokens=False)["input_ids"][:count]
    return tokenizer.decode(ids, skip_special_tokens=True)
