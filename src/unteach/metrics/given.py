"""Find the forget answers that a model still gives, beyond those that can be guessed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from unteach.metrics.rows import FORGOTTEN, Groups
from unteach.types import Row

SAID = 0.95  # share of the answer's words, in order: 19 in 20, so all words of a short answer
BRIEF = 24  # bytes under zlib: about 16 characters, a word or two


@dataclass(frozen=True, kw_only=True)
class GivenAnswers:
    """The forget answers that a model still gives.

    Attributes:
        asked: number of forget answers.
        words: ids of answers given word for word.
        facts: ids of other answers whose fact is given.
        named: number of answers for which the data has a fact.
        beside: the reference for guessing: "retrained", "holdout", or "" for none. With a retrained
            model, `words` and `facts` leave out answers that it gives too.
        expected: number of answers that a model would give without having seen them: with a
            retrained model, those that both give; else by the rate at which the original gives
            holdout answers.
        retrained_alone: number of answers of the same kinds that only the retrained model gives, at
            most as many as this one gives alone. Which of two models guesses right is chance.
        unjudged: ids among them that may be guesses, with no reference to tell how many are:
            answers of a word or two, and facts, where the holdout has none of that kind.
    """

    asked: int
    words: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    named: int = 0
    beside: Literal["retrained", "holdout", ""] = ""
    expected: float = 0.0
    retrained_alone: int = 0
    unjudged: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of all given answers."""
        return (*self.words, *self.facts)

    @property
    def count(self) -> int:
        """Number of given answers beyond those that can be guessed."""
        guessed = self.retrained_alone if self.beside == "retrained" else self.expected
        return max(int(len(self.ids) - guessed + 0.5), 0)


class AnswerEvidence(NamedTuple):
    """How a model gives one answer.

    Attributes:
        words: whether the answer is given word for word.
        fact: whether its fact is given; None where that is not known.
        brief: whether the answer is only a word or two.
    """

    words: bool
    fact: bool | None
    brief: bool


def still_given(
    rows: Groups, *, original: Groups | None = None, retrained: Groups | None = None
) -> GivenAnswers | None:
    """The forget answers that the model gives, and how many of them can be guessed.

    An answer is given word for word if every token of it is the model's most likely one, or if the
    greedy answer has 19 in 20 of its words in order; a raw text, which has no prompt, if 19 in 20
    of its tokens are the most likely ones. An answer of fewer than 20 words with one word changed
    does not count: that word may be the fact to forget.

    Args:
        rows: of the model.
        original: rows of the original model; its holdout is preferred, since unlearning may have
            damaged the model's own.
        retrained: rows of a model that never saw the forget set.

    Returns:
        None where there are no forget answers.

    Example:
        >>> known = [Row(id=f"forget-{k}", tokens=9, logp=-0.1, verbatim=True) for k in range(2)]
        >>> other = [Row(id=f"forget-{k}", tokens=9, logp=-0.1, verbatim=k == 0) for k in range(2)]
        >>> still_given({"forget": known}, retrained={"forget": other}).words
        ('forget-1',)
    """
    ours = _forgotten(rows)
    if not ours:
        return None
    if retrained:
        return _against_retrained(ours, _forgotten(retrained))
    return _against_holdout(ours, seen((original or rows).get("holdout", [])))


def verbatim(row: Row) -> bool | None:
    """Whether the model gives the answer word for word, from an unrounded row; None if unknown.

    Example:
        >>> verbatim(Row(id="a", matched=0.5, rouge_l_recall=1.0)), verbatim(Row(id="a"))
        (True, None)
    """
    chosen, said = row.matched, row.rouge_l_recall
    if chosen is None and said is None:
        return None
    enough = 1.0 if said is not None else SAID
    return (said or 0.0) >= SAID or (chosen or 0.0) >= enough


def seen(rows: list[Row]) -> dict[str, AnswerEvidence]:
    """How the model gives each answer, by id.

    Example:
        >>> seen([Row(id="a", tokens=9, logp=-0.1, verbatim=True, zlib=40)])
        {'a': AnswerEvidence(words=True, fact=None, brief=False)}
    """
    return {
        row.id: AnswerEvidence(bool(row.verbatim), row.fact_given, 0 < (row.zlib or 0) <= BRIEF)
        for row in rows
        if row.kind == "answer"
    }


def _forgotten(groups: Groups) -> dict[str, AnswerEvidence]:
    return {id: it for group in FORGOTTEN for id, it in seen(groups.get(group, [])).items()}


KINDS: tuple[
    tuple[Callable[[AnswerEvidence], bool], Callable[[AnswerEvidence], bool]], ...
] = (  # asked, given
    (lambda it: not it.brief, lambda it: it.words),
    (lambda it: it.brief, lambda it: it.words),
    (lambda it: it.fact is not None, lambda it: bool(it.fact) and not it.words),
)


def _against_retrained(
    ours: dict[str, AnswerEvidence], never: dict[str, AnswerEvidence]
) -> GivenAnswers:
    """Compare the answers that only one of the two models gives, by kind of answer."""
    none = AnswerEvidence(False, None, False)
    pairs = {id: (it, never.get(id, none)) for id, it in ours.items()}
    words = [id for id, (it, other) in pairs.items() if it.words and not other.words]
    facts = [
        id
        for id, (it, other) in pairs.items()
        if it.fact and not (it.words or other.words or other.fact)
    ]
    retrained_alone = 0
    for asked, given in KINDS:
        alone = [id for id in (*words, *facts) if asked(ours[id]) and given(ours[id])]
        theirs = [
            id
            for id, (it, other) in pairs.items()
            if asked(it) and given(other) and not (it.words or it.fact)
        ]
        retrained_alone += min(len(alone), len(theirs))
    all_ = sum(it.words or bool(it.fact) for it in ours.values())
    return GivenAnswers(
        asked=len(ours),
        words=tuple(words),
        facts=tuple(facts),
        named=_with_fact(ours),
        beside="retrained",
        expected=float(all_ - len(words) - len(facts)),
        retrained_alone=retrained_alone,
    )


def _against_holdout(
    ours: dict[str, AnswerEvidence], never: dict[str, AnswerEvidence]
) -> GivenAnswers:
    """Estimate the guessed answers of each kind from holdout answers of the same kind."""
    expected, unjudged = 0.0, list[str]()
    for number, (asked, given) in enumerate(KINDS):
        found = [id for id, it in ours.items() if asked(it) and given(it)]
        others = [it for it in never.values() if asked(it)]
        if others:
            rate = sum(map(given, others)) / len(others)
            expected += min(rate * sum(map(asked, ours.values())), len(found))
        elif number > 0:
            unjudged += found
    words = tuple(id for id, it in ours.items() if it.words)
    return GivenAnswers(
        asked=len(ours),
        words=words,
        facts=tuple(id for id, it in ours.items() if it.fact and not it.words),
        named=_with_fact(ours),
        beside="holdout" if never else "",
        expected=expected,
        unjudged=tuple(unjudged),
    )


def _with_fact(ours: dict[str, AnswerEvidence]) -> int:
    return sum(it.fact is not None for it in ours.values())
