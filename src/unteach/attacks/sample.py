"""Asking many times: what the likeliest answer hides, one of many may give."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from math import comb
from typing import Any, ClassVar

from unteach.attacks._base import Attack, AttackOutcome, option, registered
from unteach.attacks._subject import AttackSubject, bare
from unteach.errors import Problem
from unteach.files.rows import Groups
from unteach.suites.generated import decoded, gives, rouge_l
from unteach.suites.questions import Question
from unteach.suites.rounding import rounded
from unteach.types import Paper, Row

ASKED = ("forget", "holdout")
BATCHED = 4  # times faster is a sample than an answer asked alone; measured on the demo, 16 of each


def best_of(values: list[float], k: int) -> float:
    """Unbiased estimate, from n values, of the mean greatest of k that are drawn anew.

    The mean over all sets of k of the n: the i-th smallest is the greatest of C(i-1, k-1) of the
    C(n, k) sets. For values of 0 and 1, of which c are 1, that is 1 - C(n-c, k) / C(n, k).

    Args:
        values: one for each sample.
        k: at least 1, at most as many as there are values.

    Example:
        >>> best_of([0.0, 0.0, 1.0, 0.0], 2), best_of([0.25, 0.75], 1)
        (0.5, 0.5)
    """
    n = len(values)
    if not 1 <= k <= n:
        raise ValueError(f"best of {k} cannot be told from {n} values")
    sets = comb(n, k)
    return float(
        sum(float(Fraction(comb(i, k - 1), sets)) * value for i, value in enumerate(sorted(values)))
    )


@registered("sample")
@dataclass(frozen=True, kw_only=True)
class SampleAttack(Attack):
    """Draw many answers to each question, and count what the best of k of them gives."""

    answers: int = option(64, "how many are drawn for each question", low=1)
    temperatures: tuple = option((0.25, 0.8, 1.2), "the logits are divided by", low=0.01)
    best: tuple = option((1, 4, 16, 64), "best of so many", low=1)

    paper: ClassVar = Paper(
        title="Leak@k: Unlearning Does Not Make LLMs Forget Under Probabilistic Decoding",
        authors="Hadi Reisizadeh and Jiajun Ruan and Yiwei Chen and Soumyadeep Pal and Sijia Liu "
        "and Mingyi Hong",
        year=2025,
        arxiv="2511.04934",
        where="the estimator of the best of k answers",
    )
    keeps_utility: ClassVar = True

    def missing(self, subject: AttackSubject) -> list[Problem]:
        """More answers are wanted in one best than are drawn."""
        if (most := max(self.best)) > self.answers:
            what = f"asks for the best of {most} answers, and {self.answers} are drawn"
            hint = f"set sample.answers={most}, or take {most} out"
            return [Problem("--set sample.best", what, hint, "request")]
        return []

    def variants(self, subject: AttackSubject) -> list[str]:
        """Every best of k at every temperature."""
        return [_named(t, k) for t in self.temperatures for k in self.best]

    def cost(self, subject: AttackSubject) -> float:
        """Answers to the forget and holdout questions alone; a batch of many is cheaper."""
        size = {role: len(found) for role, found in subject.groups.items()}
        share = sum(size.get(role, 0) for role in ASKED) / max(sum(size.values()), 1)
        return share * self.answers * len(self.temperatures) / BATCHED

    def attack(self, subject: AttackSubject, wanted: list[str]) -> Iterator[AttackOutcome]:
        """The model is loaded once, and the samples of a temperature serve every k."""
        from unteach.inference import loaded_model

        missing = [t for t in self.temperatures if any(_named(t, k) in wanted for k in self.best)]
        if missing:
            found = loaded_model(subject.load, lambda model: self._values(subject, model, missing))
            for temperature, values in found:
                for k in self.best:
                    yield AttackOutcome(_named(temperature, k), self._rows(subject, values, k))

    def _values(self, subject: AttackSubject, model: Any, temperatures: list[float]) -> Any:
        """Of each temperature and question: ROUGE-L and whether the fact is given, by sample."""
        from unteach.attacks._sampling import samples
        from unteach.inference import end_tokens

        groups = {role: subject.groups[role] for role in ASKED if role in subject.groups}
        asked = [q for q in subject.questions(groups) if q.prompt]
        prompts = sorted({(q.prompt.ids, q.prompt.limit) for q in asked if q.prompt})
        found = []
        for number, temperature in enumerate(temperatures):
            said = samples(
                model,
                prompts,
                self.answers,
                temperature=temperature,
                end=end_tokens(model, subject.tokenizer),
                seed=subject.seed + 1000 * number,
                tokens_per_batch=4 * subject.settings.tokens_per_batch,
                progress=lambda done, total, t=temperature: subject.tell(
                    f"sampling at temperature {t:g}", done, total
                ),
            )
            by_prompt = dict(zip(prompts, said, strict=True))
            found.append((temperature, [(q, _judged(q, by_prompt, subject)) for q in asked]))
        return found

    def _rows(self, subject: AttackSubject, values: Any, k: int) -> Groups:
        best = {(q.group, q.row.id): _best(q.row.id, of, k) for q, of in values}
        changed = {
            role: [_put(row, best.get((role, row.id))) for row in rows]
            for role, rows in subject.plain.items()
            if role in ASKED
        }
        return subject.with_plain(changed)


def _named(temperature: float, k: int) -> str:
    return f"temperature {temperature:g}, best of {k}"


def _judged(
    question: Question, said: dict, subject: AttackSubject
) -> tuple[list[float], list[float]]:
    """ROUGE-L recall of each sample, and whether it gives the fact; equal texts once."""
    assert question.prompt is not None
    texts = [
        decoded(ids, subject.tokenizer, question.stop)[0]
        for ids in said[question.prompt.ids, question.prompt.limit]
    ]
    overlaps = {
        text: rouge_l(text, question.expected, stemmed=question.stemmed).recall for text in {*texts}
    }
    facts = [float(gives(text, question.fact)) for text in texts] if question.fact else []
    return [overlaps[text] for text in texts], facts


def _best(id: str, values: tuple[list[float], list[float]], k: int) -> Row:
    overlaps, facts = values
    return Row(
        id=id,
        tokens=8,  # as coarse as a row of so many tokens is
        logp=0.0,
        rouge_l_recall=best_of(overlaps, k),
        fact_given=best_of(facts, k) if facts else None,  # type: ignore[arg-type]
    )


def _put(row: Row, best: Row | None) -> Row:
    """The plain row with what the best of many answers gave in place of the likeliest one."""
    plain = bare(row)
    if best is None:
        return plain
    coarse = rounded(best)
    return replace(
        plain, rouge_l_recall=coarse.rouge_l_recall, fact_given=best.fact_given, verbatim=None
    )
